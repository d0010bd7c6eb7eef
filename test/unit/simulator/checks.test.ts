import { describe, expect, it } from 'vitest'
import type { FleetEvent } from '../../../src/fleet/index.ts'
import {
  noteCommitsLost,
  noteEvent,
  noteLossyCrash,
  noteTermAgain,
  noteTimeUnknown,
} from '../../../src/simulator/change-checks.ts'
import { checkWritten } from '../../../src/simulator/checks.ts'
import { createObservations, type ObservedWorld } from '../../../src/simulator/observations.ts'
import { mainName, writerOf } from '../../../src/simulator/scenario.ts'

/** A world of instances and agents that all have four slots, as far as these checks look at it. */
function observed(ids: readonly string[]) {
  const broken: number[] = []
  const time = { now: 1_000_000 }
  const writerId = writerOf(mainName, 1)
  const instances = new Map(
    ids.map((id) => [id, { instance: { id, writerId }, slots: 4, createdAt: 900_000, endedAt: undefined }]),
  )
  const agents = new Map(ids.map((id) => [id, { id, slots: 4, drainedBy: mainName as string | undefined }]))
  const world = {
    clock: { now: () => time.now },
    cloud: { instances },
    master: { agents },
    policy: { bootTimeout: 600_000 },
    invariants: { violated: (promise: number) => broken.push(promise) },
  } as unknown as ObservedWorld
  const seen = { ...createObservations(mainName), starts: [500_000], upSince: 500_000 as number | undefined }
  return { world, seen, time, broken, agents, instances }
}

function event(given: object): FleetEvent {
  return { at: 0, pool: 'default', ...given } as FleetEvent
}
const joined = (...ids: string[]) => event({ kind: 'joined', ids })
const opened = event({ kind: 'problem', problem: { code: 'BREAKER_OPEN', details: { failures: 3 } } })

describe('a launch counts as written down (promise 4)', () => {
  const intent = { at: 0, kind: 'intent', intent: { id: 'one' } }
  const checkpoint = { at: 0, kind: 'checkpoint', memory: { intents: [{ id: 'one' }] } }

  it('by its own record, which is written once', () => {
    const { world, seen, broken } = observed([])
    checkWritten(world, seen, intent)
    expect([seen.written.has('one'), broken]).toEqual([true, []])
    checkWritten(world, seen, intent)
    expect(broken).toEqual([4])
  })

  it('by a checkpoint, which its own record may follow', () => {
    const { world, seen, broken } = observed([])
    checkWritten(world, seen, checkpoint)
    expect(seen.written.has('one')).toBe(true)
    checkWritten(world, seen, intent)
    checkWritten(world, seen, checkpoint)
    expect(broken).toEqual([])
    checkWritten(world, seen, intent)
    expect(broken).toEqual([4])
  })
})

describe('lost commits', () => {
  const before = { written: new Set(['early']), closed: new Set(['early']), wasPaused: false }

  it('leave what was written before, and the rest to a leader that lives', () => {
    for (const leaderDies of [true, false]) {
      const { world, seen } = observed([])
      for (const ids of [seen.written, seen.closed]) ids.add('early').add('late')
      noteCommitsLost(world, seen, before, leaderDies)
      expect([...seen.written]).toEqual(leaderDies ? ['early'] : ['early', 'late'])
      expect([[...seen.closed], [...seen.lost.keys()]]).toEqual([['early'], ['late']])
    }
  })

  it('take drains and a pause of the last seconds along, and no earlier ones', () => {
    const { world, seen, time, agents } = observed(['a', 'b'])
    Object.assign(seen, { pausedSince: 1 })
    seen.drains.set('a', [time.now - 60_000]).set('b', [time.now - 5_000])
    noteCommitsLost(world, seen, { ...before, wasPaused: true }, true)
    expect([seen.pausedSince, agents.get('a')?.drainedBy, agents.get('b')?.drainedBy]).toEqual([
      1,
      mainName,
      undefined,
    ])
    noteCommitsLost(world, seen, before, true)
    expect(seen.pausedSince).toBeUndefined()
  })
})

describe('launches that failed (promise 16)', () => {
  it.each([
    ['before', 1_000, 0],
    ['after', -1_000, 1],
  ])(
    'count, unless they failed before it became unknown how much time had passed: %s',
    (_, earlier, spent) => {
      const { world, seen, time, instances } = observed(['a'])
      time.now += 600_000
      Object.assign(instances.get('a')!, { endedAt: time.now - earlier })
      noteTimeUnknown(world, seen)
      time.now += 300_000
      noteEvent(
        world,
        seen,
        event({ kind: 'problem', problem: { code: 'NEVER_JOINED', details: { id: 'a' } } }),
      )
      expect(seen.failedLaunches.spent).toBe(spent)
    },
  )
})

describe('the breaker may open (promise 19)', () => {
  it('not because of what failed before an instance was usable', () => {
    const { world, seen, broken } = observed(['a', 'b', 'c'])
    noteEvent(world, seen, joined('a'))
    noteEvent(world, seen, opened)
    expect(broken).toEqual([19])
  })

  it('where an agent joined while nobody led, and another process leads now', () => {
    const { world, seen, broken, time } = observed(['a', 'b', 'c'])
    seen.upSince = undefined
    noteEvent(world, seen, joined('a'))
    time.now += 30_000
    noteEvent(world, seen, joined('b'))
    noteEvent(world, seen, opened)
    expect(broken).toEqual([])
  })

  it('not where the process that saw it join leads again', () => {
    const { world, seen, broken } = observed(['a', 'b', 'c'])
    seen.upSince = undefined
    noteEvent(world, seen, joined('a'))
    noteTermAgain(seen)
    noteEvent(world, seen, opened)
    expect(broken).toEqual([19])
  })

  it.each([
    [5_000, []],
    [15_000, [19]],
  ])('where an agent joined %i ms before a crash in a call', (ms, expected) => {
    const { world, seen, broken, time } = observed(['a', 'b', 'c', 'd'])
    noteEvent(world, seen, joined('a', 'b'))
    time.now += ms
    noteLossyCrash(world, seen)
    // One opening may have been forgotten in the crash itself.
    noteEvent(world, seen, opened)
    noteEvent(world, seen, opened)
    expect(broken).toEqual(expected)
  })
})
