// A stop: nothing is decided any more, calls in progress are waited for, and agents are undrained.
import { describe, expect, it } from 'vitest'
import { minute, second } from '../../support/planner.ts'
import { startSettled } from '../../support/pool-bench.ts'

describe('a stop', () => {
  it('and a start terminate no VM, and undrain agents in between', async () => {
    const bench = await startSettled({ maxInstances: 3 })
    bench.wants(4, 4)
    await bench.pass(5)
    bench.joins(...bench.ids())
    for (const agent of bench.master.agents.values()) Object.assign(agent, { busy: true, freeSlots: 0 })
    bench.wants()
    bench.fleet.reconfigure({ ...bench.settings, policy: { ...bench.settings.policy, maxInstances: 1 } })
    await bench.pass(10)
    expect([...bench.master.agents.values()].filter((agent) => agent.draining)).toHaveLength(1)
    const stopped = bench.fleet.stop()
    await bench.pass(10)
    await stopped
    expect([...bench.master.agents.values()].filter((agent) => agent.draining)).toEqual([])
    bench.restart()
    await bench.pass(60)
    expect(bench.calls.terminated).toEqual([])
  })

  it('while the journal is being read undrains what was drained before, once that is known', async () => {
    const bench = await startSettled({ maxInstances: 3 })
    bench.wants(4)
    await bench.pass(5)
    bench.joins(...bench.ids())
    Object.assign(bench.master.agents.get(bench.ids()[0]!)!, { busy: true, freeSlots: 0 })
    bench.wants()
    bench.fleet.reconfigure({ ...bench.settings, policy: { ...bench.settings.policy, maxInstances: 0 } })
    await bench.pass(10)
    const draining = () => [...bench.master.agents.values()].filter((agent) => agent.draining).length
    expect(draining()).toBe(1)
    bench.life.kill()
    const read = Promise.withResolvers<void>()
    bench.restart({
      journal: {
        ...bench.disk,
        async read() {
          await read.promise
          return bench.disk.read()
        },
      },
    })
    await bench.pass(3)
    const stopped = bench.fleet.stop()
    await bench.pass(3)
    read.resolve()
    await bench.pass(3)
    await stopped
    expect(draining()).toBe(0)
    // A journal that is never read holds nobody up for long.
    bench.restart({ journal: { ...bench.disk, read: () => new Promise(() => {}) } })
    const unread = bench.fleet.stop()
    await bench.pass(15)
    await unread
  })

  it.each(['a drain', 'the last read before a termination', 'such a read that is not answered'])(
    'during %s undrains the agent as well',
    async (during) => {
      const bench = await startSettled({ maxIdle: 60 * second })
      bench.wants(4)
      await bench.pass(5)
      bench.wants()
      bench.joins(...bench.ids())
      let stopped: Promise<void> | undefined
      const stop = () => {
        stopped ??= bench.fleet.stop()
      }
      if (during === 'a drain') bench.master.onDrain = stop
      else {
        bench.life.kill()
        const read: typeof bench.source.read = async (pool) => {
          const isDrained = [...bench.master.agents.values()].some((agent) => agent.draining)
          const isDecided = bench.events.some(
            (event) => event.kind === 'decided' && event.move === 'terminate',
          )
          const demand = await bench.source.read(pool)
          if (isDrained && isDecided) stop()
          if (stopped && during === 'such a read that is not answered') await new Promise(() => {})
          return demand
        }
        bench.restart({ demand: { ...bench.source, read } })
      }
      await bench.pass(120)
      await stopped
      expect(stopped).toBeDefined()
      expect(bench.calls.terminated).toEqual([])
      expect([...bench.master.agents.values()].filter((agent) => agent.draining)).toEqual([])
    },
  )

  it('waits for a launch in progress, and decides no other', async () => {
    const bench = await startSettled()
    bench.faults.latency = () => ({ there: 2 * second, back: 2 * second })
    bench.wants(4)
    await bench.pass(1)
    const stopped = bench.fleet.stop()
    bench.wants(4, 4, 4)
    await bench.pass(5)
    await stopped
    expect(bench.ids()).toHaveLength(1)
    expect(bench.calls.launches).toHaveLength(1)
    bench.faults.latency = () => ({ there: 0, back: 0 })
    bench.restart()
    await bench.pass(10)
    expect(bench.fleet.knows(bench.ids()[0]!)).toBe(true)
  })

  it('during the write of a launch decision sends nothing, and the next start launches once', async () => {
    const { bench, written } = await whileWriting()
    const stopped = bench.fleet.stop()
    written.resolve()
    await bench.pass(5)
    await stopped
    expect(bench.calls.launches).toEqual([])
    bench.restart()
    await bench.pass(10)
    expect(bench.ids()).toHaveLength(1)
  })

  it.each([
    ['fails', () => Promise.reject(new Error('the journal cannot be read'))],
    ['gets no answer', () => new Promise<never>(() => {})],
  ])('while reading the journal %s leaves the journal as it is', async (_, read) => {
    const bench = await startSettled()
    bench.wants(4)
    await bench.pass(5)
    bench.life.kill()
    const before = [...bench.disk.lines]
    bench.restart({ journal: { ...bench.disk, read } })
    await bench.pass(1)
    const stopped = bench.fleet.stop()
    await bench.pass(60)
    await stopped
    expect(bench.disk.lines).toEqual(before)
  })

  it('does not wait forever for calls that are not answered', async () => {
    const bench = await startSettled()
    bench.faults.fate = () => 'silent'
    bench.faults.clientTimeout = 60 * minute
    bench.wants(4)
    await bench.pass(1)
    let isOver = false
    void bench.fleet.stop().then(() => {
      isOver = true
    })
    await bench.pass(21)
    expect(isOver).toBe(true)
  })
})

it('a launch whose decision is written down late is decided again', async () => {
  const { bench, written } = await whileWriting()
  bench.wants()
  await bench.pass(20)
  written.resolve()
  await bench.pass(60)
  expect(bench.calls.launches).toEqual([])
  bench.wants(4)
  await bench.pass(10)
  expect(bench.ids()).toHaveLength(1)
})

it('a launch that a person has ordered is sent however late it is written down, also during a stop', async () => {
  for (const stops of [false, true]) {
    const { bench, written } = await whileWriting(false)
    bench.fleet.launch(1)
    await bench.pass(20)
    const stopped = stops ? bench.fleet.stop() : undefined
    written.resolve()
    await bench.pass(5)
    await stopped
    if (stops) bench.restart()
    await bench.pass(10)
    expect(bench.calls.launches).toHaveLength(1)
    expect(bench.ids()).toHaveLength(1)
  }
})

/** A launch is decided, and its record is not written yet. */
async function whileWriting(isWanted = true) {
  const bench = await startSettled()
  const written = Promise.withResolvers<void>()
  bench.life.kill()
  const { disk } = bench
  bench.restart({
    journal: {
      ...disk,
      async append(...records) {
        if (records.some(({ kind }) => kind === 'intent')) await written.promise
        await disk.append(...records)
      },
    },
  })
  if (isWanted) bench.wants(4)
  await bench.pass(5)
  expect(bench.calls.launches).toEqual([])
  return { bench, written }
}
