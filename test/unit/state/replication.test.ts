// Settings of a server under which writes that it has confirmed can be lost, and what is said about them.
import { describe, expect, it } from 'vitest'
import { type Durability, lossAllowedBy, standbyNote } from '../../../src/state/postgres/report.ts'

const safe: Durability = { standbys: 0, synchronousNames: '', synchronousCommit: 'on', fsync: true }
const of = (part: Partial<Durability>) => ({ ...safe, ...part })

describe('confirmed writes', () => {
  it.each([
    ['one server alone', {}],
    ['a standby that is waited for', { standbys: 1, synchronousNames: 'FIRST 1 (b)' }],
    [
      'a standby whose memory is waited for',
      { standbys: 2, synchronousNames: '*', synchronousCommit: 'remote_write' },
    ],
    ['one server with synchronous_commit = local', { synchronousCommit: 'local' }],
  ])('cannot be lost by %s', (_, part) => {
    expect(lossAllowedBy(of(part), 'the server')).toBeUndefined()
  })

  it.each([
    [
      'an asynchronous standby',
      { standbys: 1 },
      /a standby is connected and synchronous_standby_names is empty/,
    ],
    ['two of them', { standbys: 2 }, /2 standbys are connected/],
    [
      'a name that is not waited for',
      { standbys: 1, synchronousNames: 'b', synchronousCommit: 'local' },
      /synchronous_commit is local, so/,
    ],
    [
      'the same while it is away',
      { synchronousNames: 'b', synchronousCommit: 'local' },
      /synchronous_commit is local, so/,
    ],
    ['synchronous_commit = off', { synchronousCommit: 'off' }, /: synchronous_commit is off: a crash loses/],
    ['fsync = off', { fsync: false }, /fsync is off/],
    [
      'all together',
      { standbys: 1, synchronousCommit: 'off', fsync: false },
      /fsync is off.*; synchronous_commit is off.*; a standby/,
    ],
  ])('can be lost by %s', (_, part, why) => {
    const found = lossAllowedBy(of(part), 'the server')
    expect(found).toMatchObject({ code: 'STATE_MAY_LOSE_COMMITS', severity: 'warning' })
    expect(found?.message).toMatch(why)
  })
})

it('standbys are noted, and that they cannot be seen', () => {
  const { standbys: _, ...unseen } = safe
  expect(standbyNote(safe)).toBeUndefined()
  expect(standbyNote(unseen)).toContain('cannot be seen')
  expect(standbyNote(of({ standbys: 1 }))).toBe('one standby is connected, none is waited for')
  expect(standbyNote(of({ standbys: 2, synchronousNames: 'b, c' }))).toBe(
    '2 standbys are connected, synchronous: b, c',
  )
})
