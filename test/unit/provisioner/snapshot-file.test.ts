// A saved snapshot has the same explanation as when it was taken; for a damaged one, the location of the damage is
// reported.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { PoolStatus } from '../../../src/fleet/status.ts'
import { explain } from '../../../src/planner/explain.ts'
import type { Policy, Snapshot } from '../../../src/planner/snapshot.ts'
import { ProvisionError } from '../../../src/problems/index.ts'
import { explainSnapshot, readSnapshotFile, snapshotFileOf } from '../../../src/provisioner/snapshot-file.ts'
import { now, policy, snapshot, vm, work } from '../../support/planner.ts'
import { policies, snapshots } from '../../support/snapshots.ts'

function written(given: Snapshot, rules: Policy = policy()): string {
  return JSON.stringify(snapshotFileOf({ snapshot: given, policy: rules, decidedAt: now } as PoolStatus))
}

function problemWith(text: string): string {
  try {
    readSnapshotFile(text, 'kept.json')
  } catch (error) {
    if (error instanceof ProvisionError) return `${error.problems[0]!.code} ${error.problems[0]!.message}`
  }
  return 'none'
}

describe('a saved snapshot', () => {
  it('has the same explanation as when it was taken', () => {
    fc.assert(
      fc.property(snapshots, policies, (given, rules) => {
        const kept = explainSnapshot(written(given, rules), 'kept.json')
        expect(JSON.stringify(kept)).toBe(JSON.stringify(explain(given, rules, now)))
      }),
      { numRuns: 100 },
    )
  })

  it('contains which agents were not given which allocation', () => {
    const unplaced = new Map([['w', { agents: ['i1', 'i2'], until: now + 1000 }]])
    const text = written(snapshot({ instances: [vm('i1')], pending: [work('w', 1)], unplaced }))
    expect(readSnapshotFile(text, 'kept.json').snapshot.unplaced).toEqual(unplaced)
    expect(explainSnapshot(text, 'kept.json').decisions.map(({ code }) => code)).toContain('WORK_UNPLACEABLE')
  })

  it('has no addresses of instances, which no decision depends on', () => {
    const given = snapshot({ instances: [vm('i1', { addresses: ['10.0.0.9'] }), vm('i2')] })
    const text = written(given)
    expect(text).not.toMatch(/addresses|10\.0\.0\.9/)
    expect(readSnapshotFile(text, 'kept.json').snapshot.instances).toEqual([vm('i1'), vm('i2')])
    expect(given.instances[0]!.addresses).toEqual(['10.0.0.9'])
    expect(written(snapshot({ instances: [vm('i1'), vm('i2')] }))).toBe(text)
  })

  it('of a version without manual launches is read as one without', () => {
    const text = written(snapshot()).replace(',"requests":[]', '')
    expect(text).not.toContain('requests')
    expect(readSnapshotFile(text, 'kept.json').snapshot.requests).toEqual([])
  })

  it('explains the result of a manual launch', () => {
    const text = written(snapshot({ requests: [{ id: 'r', count: 11 }] }))
    const [decision] = explainSnapshot(text, 'kept.json').decisions
    expect(decision).toMatchObject({ kind: 'block', code: 'MAX_REACHED', count: 0, ids: [] })
  })

  it('does not exist before the first turn of a pool', () => {
    expect(snapshotFileOf({ policy: policy() } as PoolStatus)).toBeUndefined()
  })

  it.each([
    ['', /SNAPSHOT_INVALID kept.json is not JSON/],
    ['[]', /SNAPSHOT_INVALID kept.json: the snapshot is not valid/],
    ['{"format": "provision snapshot 0"}', /kept.json: format is not/],
    [
      written(snapshot({ pending: [work('w', 1)] })).replace('"slots":1,', ''),
      /snapshot.pending.0.slots is not/,
    ],
    [written(snapshot()).replace('"maxInstances":10', '"maxInstances":"10"'), /policy.maxInstances is not/],
  ])('that is not one is refused with the place: %#', (text, message) => {
    expect(problemWith(text)).toMatch(message)
  })
})
