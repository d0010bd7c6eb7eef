import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createLeadership, leaseTimes } from '../../../../src/state/leases/leadership.ts'
import { memoryLeases } from '../../../../src/state/leases/memory-leases.ts'
import { FakeClock } from '../../../support/fake-clock.ts'
import { leaseWorld } from '../../../support/lease-world.ts'
import { candidate } from '../../../support/under-leases.ts'

const six = ['a', 'b', 'c', 'd', 'e', 'f']

describe('leading pools', () => {
  it('is over as soon as the clock says so, before any timer of a process that was suspended has run', async () => {
    const clock = new FakeClock()
    let asleep = 0
    const own = { now: () => clock.now() + asleep, sleep: clock.sleep.bind(clock) }
    const leadership = createLeadership({
      store: memoryLeases(own.now),
      self: () => candidate('one', { pools: ['a'] }),
      clock: own,
      random: () => 0.5,
      lead() {},
      leave: async () => {},
      onLost() {},
      onError() {},
    })
    await leadership.start()
    expect(leadership.epochOf('a')).toBeDefined()
    asleep = leaseTimes.ttl - leaseTimes.margin
    expect(leadership.epochOf('a')).toBeUndefined()
  })

  it('takes all of them where nobody else is', async () => {
    const world = leaseWorld(six)
    world.start('one')
    await world.pass(100)
    expect(world.counts()).toEqual({ one: 6 })
  })

  it('moves in few steps where there are a hundred', async () => {
    const many = Array.from({ length: 100 }, (_, n) => `pool-${n}`)
    const world = leaseWorld(many)
    world.start('one')
    await world.pass(5_000)
    world.start('two')
    await world.pass(150_000)
    expect(world.counts()).toEqual({ one: 50, two: 50 })
  })

  it('is spread over those that are there, and one pool after the other moves to who comes', async () => {
    const world = leaseWorld(six)
    world.start('one')
    await world.pass(5_000)
    world.start('two')
    // A first start writes its journals first.
    await world.pass(13_000)
    expect(world.counts()).toEqual({ one: 6, two: 0 })
    await world.pass(5_000)
    expect(world.counts()).toEqual({ one: 5, two: 1 })
    await world.pass(30_000)
    expect(world.counts()).toEqual({ one: 3, two: 3 })
    world.start('three')
    await world.pass(60_000)
    expect(world.counts()).toEqual({ one: 2, two: 2, three: 2 })
  })

  it('passes to another within ten seconds when the leader is killed', async () => {
    const world = leaseWorld(six)
    const one = world.start('one')
    world.start('two')
    await world.pass(30_000)
    one.kill()
    await world.pass(leaseTimes.ttl + leaseTimes.period * 1.1 + 100)
    expect(world.counts()).toEqual({ two: 6 })
  })

  it('passes right after the end of its lease, whenever the last view was read', async () => {
    for (const at of [0, 400, 800, 1_200]) {
      const world = leaseWorld(six)
      const one = world.start('one')
      world.start('two')
      await world.pass(50_000 + at)
      one.kill()
      await world.pass(leaseTimes.ttl + 200)
      expect(world.counts()).toEqual({ two: 6 })
    }
  })

  it('passes without another view when each answer takes a second', async () => {
    for (const at of [0, 300, 600, 900, 1_200]) {
      const world = leaseWorld(six)
      const one = world.start('one')
      const two = world.start('two')
      two.answersIn = 1_000
      await world.pass(60_000 + at)
      one.kill()
      // At most one renewal is still under way when the lease ends; the take goes with the next.
      await world.pass(leaseTimes.ttl + 2_100)
      expect(world.counts()).toEqual({ two: 6 })
    }
  })

  it('is kept while the takes of others are not answered', async () => {
    const world = leaseWorld(six)
    const one = world.start('one')
    await world.pass(1_000)
    one.takesIn = 60_000
    one.candidate = { ...one.candidate, pools: [...six, 'more'] }
    for (let n = 0; n < 30; n++) {
      await world.pass(1_000)
      expect(world.counts()).toEqual({ one: 6 })
    }
  })

  it('passes at once when the leader stops, after its pools have ended', async () => {
    const world = leaseWorld(six)
    const one = world.start('one')
    world.start('two')
    await world.pass(50_000)
    one.ended.length = 0
    one.endsIn = 12_000
    const led = [...one.leads.keys()]
    const stopped = one.leadership.stop()
    await world.pass(11_900)
    expect(world.counts()).toEqual({ one: 3, two: 3 })
    await world.pass(2_000)
    await stopped
    expect([world.counts(), one.ended]).toEqual([{ one: 0, two: 6 }, led])
  })

  it('ends by its own clock before the lease does, when the store does not answer', async () => {
    const world = leaseWorld(['a'])
    const one = world.start('one')
    await world.pass(1_000)
    one.answersIn = Number.POSITIVE_INFINITY
    await world.pass(leaseTimes.ttl - leaseTimes.margin)
    expect([world.leaders('a'), [...one.leads.keys()]]).toEqual([[], []])
  })

  it('survives answers that take two and a half seconds, and not those that take seven', async () => {
    const world = leaseWorld(['a'])
    const one = world.start('one')
    await world.pass(1_000)
    one.answersIn = 2_500
    for (let n = 0; n < 60; n++) {
      await world.pass(1_000)
      expect(world.leaders('a')).toEqual(['one'])
    }
    one.answersIn = 7_000
    await world.pass(12_000)
    expect(world.leaders('a')).toEqual([])
  })

  it('keeps what it has taken while it takes many more from a slow store', async () => {
    const many = Array.from({ length: 30 }, (_, n) => `pool-${n}`)
    const world = leaseWorld(many)
    const one = world.start('one')
    const two = world.start('two')
    await world.pass(1_000)
    two.answersIn = 1_000
    one.kill()
    let most = 0
    for (let second = 0; second < 90; second++) {
      await world.pass(1_000)
      const { two: count } = world.counts()
      expect(count).toBeGreaterThanOrEqual(most)
      most = count!
    }
    expect(most).toBe(30)
  })

  it('goes to who wants all pools, and comes back when that one is gone', async () => {
    const world = leaseWorld(six)
    world.start('one')
    await world.pass(5_000)
    const two = world.start('two', { wants: 'all', pools: six.slice(1) })
    await world.pass(5_000)
    expect(world.counts()).toEqual({ one: 1, two: 5 })
    two.kill()
    await world.pass(12_000)
    expect(world.counts()).toEqual({ one: 6 })
  })

  it('is possible only for pools of the own configuration', async () => {
    const world = leaseWorld(six)
    world.start('one', { pools: ['a', 'b'] })
    world.start('two', { pools: ['b', 'c', 'd', 'e', 'f'] })
    await world.pass(60_000)
    expect([world.leaders('a'), world.leaders('b')]).toEqual([['one'], ['one']])
    world.processes[0]!.candidate = { ...world.processes[0]!.candidate, pools: ['a'] }
    await world.pass(5_000)
    expect([world.leaders('b'), world.counts()]).toEqual([['two'], { one: 1, two: 5 }])
  })
})

describe('a pool that nobody leads', () => {
  it('is taken by another one soon when the one to which it falls does not take it', async () => {
    const world = leaseWorld(['a'])
    world.start('z')
    await world.pass(5_000)
    // It announces itself, and every other request of it is lost.
    const store = world.store
    const about = {
      host: 'b',
      pid: 1,
      start: undefined,
      boot: undefined,
      pidNamespace: undefined,
      since: 0,
      version: '1',
      configuration: 'a',
      pinned: [],
      configured: ['a'],
    }
    const silent = { id: 'b', pools: ['a'], wants: 'share' as const, ...about }
    for (let n = 0; n < 10; n++) {
      await store.renew(silent, new Map(), leaseTimes.ttl)
      if (n === 4) {
        const [lease] = store.view().leases
        await store.release('a', lease!.epoch)
      }
      await world.pass(1_000)
    }
    expect(world.leaders('a')).toEqual(['z'])
  })

  it('does not fall to one that is about to leave', async () => {
    const world = leaseWorld(['a', 'b'])
    const one = world.start('one')
    await world.pass(5_000)
    world.start('two')
    await world.pass(30_000)
    expect(world.counts()).toEqual({ one: 1, two: 1 })
    one.endsIn = 30_000
    void one.leadership.stop()
    await world.pass(2_000)
    const two = world.processes[1]!
    expect([...two.leads.keys()]).toEqual(['a'])
    void two.leadership.giveUp('a')
    await world.pass(leaseTimes.period * 1.2)
    expect([world.leaders('a'), world.leaders('b')]).toEqual([['two'], ['one']])
  })
})

type Event =
  | { kind: 'starts' }
  | { kind: 'dies' | 'is cut off' | 'is back' | 'is slow' | 'stops' | 'forgets a pool'; who: number }

const kinds = ['dies', 'is cut off', 'is back', 'is slow', 'stops', 'forgets a pool'] as const
const event: fc.Arbitrary<Event> = fc.oneof(
  fc.constant({ kind: 'starts' } as const),
  fc.record({ kind: fc.constantFrom(...kinds), who: fc.nat(4) }),
)

describe('whatever happens', () => {
  it('never two lead a pool, and afterwards each pool has a leader, and the work is spread', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ event, after: fc.nat(9_000) }), { maxLength: 14 }),
        async (story) => {
          const world = leaseWorld(six)
          world.start('p0')
          for (const { event, after } of story) {
            await world.pass(after)
            if (event.kind === 'starts') {
              if (world.processes.length < 8) world.start(`p${world.processes.length}`)
              continue
            }
            const process = world.processes[event.who]
            if (!process?.alive) continue
            if (event.kind === 'dies') process.kill()
            if (event.kind === 'is cut off') process.answersIn = Number.POSITIVE_INFINITY
            if (event.kind === 'is back') process.answersIn = 0
            if (event.kind === 'is slow') process.answersIn = 2_500
            if (event.kind === 'forgets a pool')
              process.candidate = { ...process.candidate, pools: six.slice(event.who + 1) }
            // One that never hears an answer cannot stop in an orderly way.
            if (event.kind === 'stops' && process.answersIn === 0)
              void process.leadership.stop().then(() => process.kill())
          }
          for (const process of world.processes) if (process.answersIn === 2_500) process.answersIn = 0
          await world.pass(100_000)
          const able = world.processes.filter(({ alive, answersIn }) => alive && answersIn === 0)
          for (const pool of six) {
            const having = able.filter(({ candidate }) => candidate.pools.includes(pool))
            expect(world.leaders(pool)).toHaveLength(having.length > 0 ? 1 : 0)
          }
          if (able.every(({ candidate }) => candidate.pools.length === six.length)) {
            const counts = able.map(({ id }) => world.counts()[id]!)
            expect(Math.max(0, ...counts) - Math.min(6, ...counts)).toBeLessThanOrEqual(
              able.length > 0 ? 1 : 6,
            )
          }
        },
      ),
      { numRuns: 60 },
    )
  })
})
