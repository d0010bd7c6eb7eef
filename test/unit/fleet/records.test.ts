// The journal is read with the schemas it is written with; records that do not match are not used.
import { describe, expect, it } from 'vitest'
import { checkpointOf, type PoolRecord, recall } from '../../../src/fleet/records.ts'
import type { JournalRecord } from '../../../src/platform/ports.ts'
import { fullMemory } from '../../support/full-memory.ts'
import { now, vm } from '../../support/planner.ts'

/** As read from a disk. */
function kept(records: readonly PoolRecord[]): JournalRecord[] {
  return JSON.parse(JSON.stringify(records))
}

describe('a checkpoint', () => {
  it('is read back completely', () => {
    const written = kept(checkpointOf(fullMemory(now), now))
    const again = kept(checkpointOf(recall(written, now), now))
    // Recalled VMs are marked as such until a listing shows them.
    expect(JSON.parse(JSON.stringify(again).replace(',"recalled":true', ''))).toEqual(written)
    expect(recall(written, now).journalMissing).toBe(false)
  })

  it('has no addresses: only listings show them', () => {
    const memory = fullMemory(now)
    expect(memory.tracks.get('i1')!.addresses).toEqual(['10.0.0.9'])
    expect(JSON.stringify(checkpointOf(memory, now))).not.toMatch(/addresses|10\.0\.0\.9/)
    // Whatever another version wrote.
    const track = { ...vm('i1'), listed: true, addresses: ['10.0.0.9'] }
    const found = { at: now, kind: 'found', tracks: [track] }
    expect(recall([found], now).tracks.get('i1')).not.toHaveProperty('addresses')
  })

  it('survives a problem of another version, which is dropped', () => {
    const text = JSON.stringify(checkpointOf(fullMemory(now), now)).replace('PROVIDER_CAPACITY', 'GONE_SINCE')
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

  it('of an instance does not continue its absence: listings and lookups are counted within one process', () => {
    const since = { missingSince: now, soughtAt: now, unknownSince: now, unshownSince: now }
    const tracks = [{ ...vm('i1'), listed: true, ...since }]
    const [track] = recall([begun, { at: now, kind: 'settled', id: 'a', tracks }], now).tracks.values()
    for (const key of Object.keys(since)) expect(track).not.toHaveProperty(key)
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
