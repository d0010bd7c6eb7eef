// The journal is read with the schemas it is written with; records that do not match are not used.
import { describe, expect, it } from 'vitest'
import { checkpointOf, type PoolRecord, recall } from '../../../src/fleet/records.ts'
import { emptyMemory, type PoolMemory } from '../../../src/fleet/run.ts'
import type { JournalRecord } from '../../../src/platform/ports.ts'
import { problem } from '../../../src/problems/index.ts'
import { userDataOf } from '../../../src/testing/order.ts'
import { idle, now, offering, vm } from '../../support/planner.ts'

/** As read from a disk. */
function kept(records: readonly PoolRecord[]): JournalRecord[] {
  return JSON.parse(JSON.stringify(records))
}

function full(): PoolMemory {
  const memory = emptyMemory()
  const userData = userDataOf('first')
  const { sha256 } = userData
  const { preference: _, ...offered } = offering('m4', 4)
  memory.tracks.set('i1', {
    ...vm('i1', { ordered: 'when_idle', stateReason: 'none', interruptedAt: now, drainedAt: now }),
    listed: true,
    sha256,
    kept: { times: 2, until: now },
    judged: true,
    told: true,
    retryAt: now,
  })
  memory.agents.set('i1', idle('i1', now, { freeAux: 3 }))
  memory.unplaced.set('w', { agents: ['i1', 'i2'], until: now, trial: 'i1' })
  memory.intents.set('a', {
    ...{ id: 'a', at: now, count: 2, offerings: [offered], sha256, version: '1', seen: new Set(['i1']) },
    ...{ sending: false, lastSentAt: now, doubtful: true, retryAt: now, listAfter: now },
  })
  memory.userData.set(sha256, userData)
  memory.offerings.set('on_demand/m4/a', { class: 'capacity', failures: 1, until: now })
  memory.breaker = { failures: 3, openings: 1, openedAt: now, until: now }
  memory.budget = { spent: 2.5, at: now }
  const where = { file: 'f', line: 1 }
  const failed = problem('PROVIDER_CAPACITY', 'none left', { where, details: { a: 1 } })
  memory.launchError = { failures: 1, lastAt: now, readyAt: now, problem: failed }
  memory.adopted.add('other')
  memory.proven.add(sha256)
  memory.paused = true
  return memory
}

describe('a checkpoint', () => {
  it('is read back completely', () => {
    const written = kept(checkpointOf(full(), now))
    const again = kept(checkpointOf(recall(written, now), now))
    // Recalled VMs are marked as such until a listing shows them.
    expect(JSON.parse(JSON.stringify(again).replace(',"recalled":true', ''))).toEqual(written)
    expect(recall(written, now).journalMissing).toBe(false)
  })

  it('survives a problem of another version, which is dropped', () => {
    const text = JSON.stringify(checkpointOf(full(), now)).replace('PROVIDER_CAPACITY', 'GONE_SINCE')
    const memory = recall(JSON.parse(text), now)
    expect(memory.launchError).toMatchObject({ failures: 1, problem: undefined })
    expect(memory.tracks.size).toBe(1)
    expect(memory.journalMissing).toBe(false)
  })
})

describe('a record', () => {
  const begun = { at: now, kind: 'begun' }

  it('of an unknown kind is skipped', () => {
    const memory = recall([begun, { at: now, kind: 'of a later version', more: 1 }], now)
    expect(memory.journalMissing).toBe(false)
  })

  it('of a settled launch does not restore calls that were in progress', () => {
    const track = { ...vm('i1'), listed: true }
    const tracks = [
      { ...track, id: 'removed', busyWith: 'end', ending: true },
      { ...track, id: 'drained', busyWith: 'drain' },
      { ...track, id: 'accepted', ending: true, endedAt: now },
    ]
    const memory = recall([begun, { at: now, kind: 'settled', id: 'a', tracks }], now)
    expect([...memory.tracks.values()].map(({ busyWith }) => busyWith)).toEqual([
      undefined,
      undefined,
      undefined,
    ])
    expect(memory.tracks.get('removed')!.ending).toBeUndefined()
    expect(memory.tracks.get('drained')!.drainedAt).toBe(now)
    expect(memory.tracks.get('accepted')).toMatchObject({ wasEnded: true, ending: true })
  })

  it('that cannot be read is reported, and the journal counts as incomplete', () => {
    const reports: string[] = []
    const records = [
      begun,
      { at: now, kind: 'paused', paused: 'yes' },
      { at: now, kind: 'adopted', writers: ['w'] },
    ]
    const memory = recall(records, now, (kind, why) => reports.push(`${kind} ${why}`))
    expect(reports).toEqual([expect.stringMatching(/^paused paused: /)])
    expect(memory.journalMissing).toBe(true)
    expect(memory.paused).toBe(false)
    expect([...memory.adopted]).toEqual(['w'])
  })
})
