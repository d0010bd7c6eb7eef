import { describe, expect, it } from 'vitest'
import { createDisk } from '../../../src/simulator/disk.ts'
import { createLife } from '../../../src/simulator/life.ts'
import { createRandom } from '../../../src/simulator/random.ts'
import { createScenario, faultKinds, someFaults } from '../../../src/simulator/scenario.ts'
import {
  type Agent,
  type Board,
  freeSlots,
  placeAll,
  release,
  type Work,
} from '../../../src/simulator/scheduler.ts'
import { createVirtualClock } from '../../../src/simulator/virtual-clock.ts'

describe('randomness', () => {
  it('is the same for the same seed, and independent for other words', () => {
    const draws = (seed: string, ...words: string[]) => {
      const random = createRandom(seed).fork(...words)
      return Array.from({ length: 5 }, () => random.next())
    }
    expect(draws('a', 'x')).toEqual(draws('a', 'x'))
    expect(draws('a', 'x')).not.toEqual(draws('a', 'y'))
    expect(draws('a', 'x')).not.toEqual(draws('b', 'x'))
  })

  it('is spread evenly enough', () => {
    const random = createRandom('spread')
    const counts = Array.from({ length: 10 }, () => 0)
    for (let n = 0; n < 10_000; n++) counts[random.whole(0, 9)]!++
    for (const count of counts) expect(Math.abs(count - 1000)).toBeLessThan(150)
  })
})

describe('virtual time', () => {
  it('passes from wait to wait, in order, and first come first served', async () => {
    const clock = createVirtualClock(1000)
    const seen: [string, number][] = []
    const wait = async (name: string, ms: number) => {
      await clock.sleep(ms)
      seen.push([name, clock.now()])
    }
    void wait('late', 30)
    void wait('first', 10)
    void wait('second', 10)
    clock.at(1020, () => seen.push(['task', clock.now()]))
    await clock.run(() => false)
    expect(seen).toEqual([
      ['first', 1010],
      ['second', 1010],
      ['task', 1020],
      ['late', 1030],
    ])
    expect(clock.steps).toBe(4)
  })

  it('ends a wait that is aborted, without a step', async () => {
    const clock = createVirtualClock(0)
    const stop = new AbortController()
    const wait = expect(clock.sleep(10, stop.signal)).rejects.toThrow('enough')
    stop.abort(new Error('enough'))
    await wait
    await clock.run(() => false)
    expect([clock.steps, clock.now()]).toEqual([0, 0])
  })

  it('lets everything that follows from a step happen before the next', async () => {
    const clock = createVirtualClock(0)
    const seen: number[] = []
    clock.after(1, async () => {
      for (let n = 0; n < 50; n++) await null
      seen.push(clock.now())
    })
    clock.after(2, () => seen.push(clock.now()))
    await clock.run(() => false)
    expect(seen).toEqual([1, 2])
  })
})

describe('a process that can crash', () => {
  const port = (log: string[]) => ({
    async append(what: string) {
      log.push(what)
    },
  })

  async function hears(promise: Promise<unknown>): Promise<boolean> {
    let heard = false
    void promise.then(() => {
      heard = true
    })
    await new Promise((resolve) => setImmediate(resolve))
    return heard
  }

  it.each([
    ['before', false, ['one']],
    ['after', true, ['one', 'two']],
  ] as const)('can die %s the effect of a call, and never hears of it', async (_, afterEffect, effects) => {
    const log: string[] = []
    let died = false
    const life = createLife(() => {
      died = true
    })
    const disk = life.crashable(port(log))
    life.killAtCall(2, afterEffect)
    expect(await hears(disk.append('one'))).toBe(true)
    expect(await hears(disk.append('two'))).toBe(false)
    expect(await hears(disk.append('three'))).toBe(false)
    expect([log, died, life.alive]).toEqual([effects, true, false])
  })

  it('does not die in a call that is under way when the order is taken back', async () => {
    const life = createLife(() => {})
    let answer = () => {}
    const slow = life.crashable({ append: () => new Promise<void>((resolve) => (answer = resolve)) })
    life.killAtCall(1, true)
    const call = slow.append()
    life.killAtCall(Number.POSITIVE_INFINITY, false)
    answer()
    expect([await hears(call), life.alive]).toEqual([true, true])
  })
})

describe('a disk', () => {
  it('keeps the state at the time of writing', async () => {
    const disk = createDisk()
    const record = { at: 1, kind: 'a', list: [1] }
    await disk.append(record)
    record.list.push(2)
    expect(await disk.read()).toEqual([{ at: 1, kind: 'a', list: [1] }])
    await disk.rewrite([{ at: 2, kind: 'b' }])
    expect(await disk.read()).toEqual([{ at: 2, kind: 'b' }])
    disk.erase()
    expect(await disk.read()).toEqual([])
  })
})

describe('the scheduler of the world', () => {
  const agent = (id: string, slots = 4): Agent => ({
    id,
    slots,
    joinedAt: 0,
    connected: true,
    enabled: true,
    draining: false,
    broken: false,
    disabledByPerson: false,
    work: new Map(),
  })
  const work = (id: string, slots: number, given: Partial<Work> = {}): Work => ({
    id,
    slots,
    duration: 1,
    since: 0,
    state: 'pending',
    agents: [],
    starts: 0,
    ...given,
  })
  const boardOf = (agents: Agent[], all: Work[]): Board => ({
    agents: new Map(agents.map((a) => [a.id, a])),
    work: new Map(all.map((w) => [w.id, w])),
    maxAuxPerAgent: 1,
    getsWork: () => true,
  })
  const placed = (board: Board) => placeAll(board, 1).map((w) => [w.id, ...w.agents])

  it('puts a job on the fullest agent that fits it, or on whole agents together', () => {
    const [a, b, c] = [agent('a'), agent('b'), agent('c')]
    a.work.set('before', 2)
    const board = boardOf([a, b, c], [work('small', 2), work('large', 8), work('more', 1)])
    expect(placed(board)).toEqual([
      ['small', 'a'],
      ['large', 'b', 'c'],
    ])
    release(board, board.work.get('large')!)
    expect([freeSlots(b), freeSlots(c)]).toEqual([4, 4])
  })

  it('skips agents out of service, broken ones, and jobs it must not place', () => {
    const out = [{ connected: false }, { enabled: false }, { draining: true }, { broken: true }]
    const agents = out.map((state, n) => ({ ...agent(`a${n}`), ...state }))
    expect(placed(boardOf(agents, [work('w', 1)]))).toEqual([])
    const board = boardOf(
      [agent('a')],
      [work('u', 1, { unplaceable: true }), work('j', 3, { job: 'j', maxSlots: 2 })],
    )
    expect(placed(board)).toEqual([])
  })

  it('puts as many auxiliary jobs on an agent as it takes', () => {
    expect(placed(boardOf([agent('a')], [work('x', 0), work('y', 0)]))).toEqual([['x', 'a']])
  })
})

describe('a scenario', () => {
  it('follows from its seed, whatever the order of the faults', () => {
    const menu = [...faultKinds]
    expect(createScenario('s', [...menu].reverse())).toEqual({
      ...createScenario('s', menu),
      faults: [...menu].reverse(),
    })
    expect(createScenario('s', menu)).not.toEqual(createScenario('t', menu))
  })

  it('has the jobs and limits of its seed also without the faults', () => {
    const [calm, wild] = [createScenario('s', []), createScenario('s', ['stock_out', 'crash'])]
    expect([calm.jobs, calm.policy, calm.offerings]).toEqual([wild.jobs, wild.policy, wild.offerings])
    expect([calm.timedFaults, calm.incidents]).toEqual([[], []])
  })

  it('draws its faults from the seed', () => {
    expect(someFaults('a')).toEqual(someFaults('a'))
    const sizes = Array.from({ length: 40 }, (_, n) => someFaults(`s${n}`).length)
    expect(Math.min(...sizes)).toBeLessThan(8)
    expect(Math.max(...sizes)).toBeGreaterThan(20)
  })
})
