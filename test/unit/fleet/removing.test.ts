import { describe, expect, it } from 'vitest'
import { simulatedProvider } from '../../../src/simulator/provider.ts'
import { minute, second } from '../../support/planner.ts'
import { codesOf, owner, type PoolBench, problemsOf, startSettled } from '../../support/pool-bench.ts'

/** One VM whose agent has joined and is idle. */
async function idleVm(bench: PoolBench): Promise<string> {
  bench.wants(4)
  await bench.pass(5)
  bench.wants()
  bench.joins(...bench.ids())
  await bench.pass(1)
  return bench.ids()[0]!
}

describe('many VMs', () => {
  it('are terminated in batches, each after a view of the master of its own', async () => {
    const bench = await startSettled({ bootTimeout: 10 * minute, maxInstances: 1200, launchRate: undefined })
    bench.wants(...Array.from({ length: 1200 }, () => 4))
    await bench.pass(30)
    bench.wants()
    const late = bench.ids().at(-1)!
    const { push } = bench.calls.terminated
    bench.calls.terminated.push = (...calls) => {
      bench.joins(late)
      return push.apply(bench.calls.terminated, calls)
    }
    await bench.pass(11 * 60)
    expect(bench.calls.terminated.map((ids) => ids.length)).toEqual([500, 500, 199])
    expect(bench.calls.terminated.flat()).not.toContain(late)
  })

  it('are one decision, however many batches it takes', async () => {
    const bench = await startSettled({ bootTimeout: 5 * minute, maxInstances: 600, launchRate: undefined })
    bench.wants(...Array.from({ length: 600 }, () => 4))
    await bench.pass(30)
    bench.wants()
    await bench.pass(5 * 60)
    expect(bench.calls.terminated.map((ids) => ids.length)).toEqual([500, 100])
    const decided = bench.events.flatMap((event) =>
      event.kind === 'decided' && event.move === 'terminate' ? [event.count] : [],
    )
    expect(decided).toEqual([600])
  })

  it('wait for the next try when the cloud did not accept the batch before', async () => {
    const bench = await startSettled({ bootTimeout: 5 * minute, maxInstances: 600, launchRate: undefined })
    bench.wants(...Array.from({ length: 600 }, () => 4))
    await bench.pass(30)
    bench.wants()
    const asked: number[] = []
    bench.faults.fate = (call) => {
      if (call !== 'terminate') return 'done'
      asked.push(bench.now())
      return 'failed'
    }
    await bench.pass(6 * 60)
    expect(asked.length).toBeGreaterThan(3)
    for (const [n, at] of asked.slice(1).entries()) expect(at - asked[n]!).toBeGreaterThanOrEqual(2_000)
    expect(bench.calls.terminated.map((ids) => ids.length)).toEqual(asked.map(() => 500))
  })
})

describe('an idle VM', () => {
  it('is terminated once, although the first listing that lacks it begins more than a minute later', async () => {
    const bench = await startSettled({ bootTimeout: 60 * minute })
    bench.wants(4)
    await bench.pass(5)
    bench.wants()
    const [id] = bench.ids()
    bench.faults.listingTakes = () => 100 * second
    // Until the deadline of a listing has grown; a listing has just begun then.
    await bench.pass(10 * 60 + 30)
    await bench.fleet.remove([id!], 'even_if_busy')
    await bench.pass(6 * 60)
    expect(bench.calls.terminated).toEqual([[id]])
  })

  it('is drained, observed idle, and terminated', async () => {
    const bench = await startSettled({ maxIdle: 10 * minute })
    const drained: string[] = []
    bench.master.onDrain = (id) => drained.push(id)
    const id = await idleVm(bench)
    await bench.pass(10 * 60 - 20)
    expect(drained).toEqual([])
    await bench.pass(40)
    expect(drained).toEqual([id])
    expect(bench.calls.terminated).toEqual([[id]])
    expect(bench.cloud.instances.get(id)?.endedAt).toBeDefined()
  })

  it('is enabled again when the scheduler placed a job before the drain', async () => {
    const bench = await startSettled({ maxIdle: 10 * minute })
    const id = await idleVm(bench)
    bench.master.onDrain = () => Object.assign(bench.master.agents.get(id)!, { busy: true, freeSlots: 0 })
    await bench.pass(11 * 60)
    expect(bench.calls.terminated).toEqual([])
    expect(bench.master.agents.get(id)).toMatchObject({ draining: false, enabled: true })
  })

  it('is enabled again when the answer to its drain was lost, and there is work', async () => {
    const bench = await startSettled({ minInstances: 1, maxInstances: 2, maxIdle: 60 * second })
    bench.wants(4, 4)
    await bench.pass(5)
    bench.wants()
    bench.joins(...bench.ids())
    bench.life.kill()
    let isDrained = false
    const drain: typeof bench.source.drain = async (id) => {
      if (isDrained) throw new Error('the master is down')
      isDrained = true
      await bench.source.drain(id)
      throw new Error('the answer was lost')
    }
    bench.restart({ demand: { ...bench.source, drain } })
    const draining = () => [...bench.master.agents.values()].filter((agent) => agent.draining)
    for (let n = 0; n < 200 && draining().length === 0; n++) await bench.pass(1)
    expect(draining()).toHaveLength(1)
    bench.wants(4, 4)
    await bench.pass(15)
    expect(draining()).toEqual([])
    expect(bench.calls.terminated).toEqual([])
    expect(bench.ids()).toHaveLength(2)
  })

  it('that the master does not drain is a reported problem, and is tried again', async () => {
    const bench = await startSettled({ maxIdle: 60 * second })
    await idleVm(bench)
    bench.life.kill()
    let tries = 0
    const drain = async () => {
      tries++
      throw new Error('not today')
    }
    bench.restart({ demand: { ...bench.source, drain } })
    await bench.pass(2 * 60)
    expect(tries).toBeGreaterThan(1)
    const messages = bench.events.flatMap((event) =>
      event.kind === 'problem' ? [event.problem.message] : [],
    )
    expect(messages).toContain('the drain request to the master failed: not today')
  })

  it('is kept when the last read before its termination shows a job', async () => {
    const bench = await startSettled({ maxIdle: 10 * minute })
    const id = await idleVm(bench)
    let reads = 0
    const agent = bench.master.agents.get(id)!
    Object.defineProperty(agent, 'busy', {
      enumerable: true,
      get: () => agent.draining && ++reads > 1,
      set: () => {},
    })
    await bench.pass(11 * 60)
    expect(reads).toBeGreaterThan(1)
    expect(bench.calls.terminated).toEqual([])
  })

  it('is kept when the pool is paused during the last read before its termination', async () => {
    const bench = await startSettled({ maxIdle: 60 * second })
    bench.wants(4)
    await bench.pass(5)
    bench.wants()
    bench.joins(...bench.ids())
    bench.life.kill()
    const read: typeof bench.source.read = async (pool) => {
      const isDecided = bench.events.some((event) => event.kind === 'decided' && event.move === 'terminate')
      if (isDecided) void bench.fleet.pause()
      return await bench.source.read(pool)
    }
    bench.restart({ demand: { ...bench.source, read } })
    await bench.pass(180)
    expect(codesOf(bench)).toEqual(['PAUSED'])
    expect(bench.calls.terminated).toEqual([])
  })

  it('is kept when a listing fails during the last read before its termination', async () => {
    const bench = await startSettled({ maxIdle: 60 * second })
    await idleVm(bench)
    bench.life.kill()
    const read: typeof bench.source.read = async (pool) => {
      const isDecided = bench.events.some((event) => event.kind === 'decided' && event.move === 'terminate')
      if (isDecided) {
        bench.faults.fate = (call) => (call === 'list' ? 'failed' : 'done')
        await bench.clock.sleep(12 * second)
      }
      return await bench.source.read(pool)
    }
    bench.restart({ demand: { ...bench.source, read } })
    await bench.pass(180)
    expect(codesOf(bench)).toContain('LISTING_PARTIAL')
    expect(bench.calls.terminated).toEqual([])
  })

  it('is not terminated while the master or the listing is unreachable', async () => {
    const bench = await startSettled({ maxIdle: 10 * minute })
    await idleVm(bench)
    bench.faults.fate = (call) => (call === 'list' ? 'failed' : 'done')
    await bench.pass(15 * 60)
    expect(bench.calls.terminated).toEqual([])
    bench.faults.fate = () => 'done'
    bench.master.down = true
    await bench.pass(5 * 60)
    expect(bench.calls.terminated).toEqual([])
    expect(codesOf(bench)).toEqual(['DEMAND_MISSING'])
    bench.master.down = false
    await bench.pass(60)
    expect(bench.calls.terminated).toHaveLength(1)
  })

  it('is requested again when the cloud did not accept the call, with growing pauses', async () => {
    const bench = await startSettled({ maxIdle: 10 * minute })
    await idleVm(bench)
    bench.faults.fate = (call) => (call === 'terminate' ? 'throttled' : 'done')
    await bench.pass(20 * 60)
    const calls = bench.calls.terminated.length
    expect(calls).toBeGreaterThan(3)
    expect(calls).toBeLessThan(16)
    bench.faults.fate = () => 'done'
    await bench.pass(2 * 60)
    expect(bench.cloud.instances.get(bench.ids()[0]!)?.endedAt).toBeDefined()
  })
})

describe('a VM that runs although the cloud accepted its termination', () => {
  it('is requested again, and counts as running while that is refused', async () => {
    const bench = await startSettled()
    const id = await idleVm(bench)
    bench.life.kill()
    const asked: number[] = []
    const terminate = async (ids: string[]) => {
      asked.push(bench.now())
      if (asked.length > 1) throw new Error('the cloud is down')
      return { terminated: ids, failures: [] }
    }
    bench.restart({ provider: { ...simulatedProvider(bench.cloud, owner), terminate } })
    await bench.pass(10)
    await bench.fleet.remove([id], 'even_if_busy')
    await bench.pass(2 * 60)
    expect(asked.length).toBeGreaterThan(1)
    expect(asked[1]! - asked[0]!).toBeGreaterThan(minute)
    let left: string[] | undefined
    void bench.fleet.clear(10 * second).then((ids) => {
      left = ids
    })
    await bench.pass(20)
    expect(left).toEqual([id])
  })
})

describe('a VM that never joins', () => {
  it('is terminated after the boot timeout, with the last stage of its script as the reason', async () => {
    const bench = await startSettled({ bootTimeout: 5 * minute })
    bench.wants(4)
    await bench.pass(5)
    const [id] = bench.ids()
    bench.cloud.instances.get(id!)!.console = 'PROVISION_STAGE=started\nPROVISION_STAGE=tls_wrong_name\n'
    await bench.pass(5 * 60 + 10)
    expect(bench.calls.terminated).toEqual([[id]])
    const logged = bench.events.flatMap((e) =>
      e.kind === 'problem' && e.problem.code === 'NEVER_JOINED' ? [e.problem] : [],
    )
    expect(logged).toMatchObject([{ details: { id, stage: 'tls_wrong_name' } }])
    expect(logged[0]?.message).toContain("the master's certificate is for another name")
  })

  it('opens the breaker when it is the third in a row', async () => {
    const bench = await startSettled({ bootTimeout: 3 * minute })
    bench.wants(4, 4, 4)
    await bench.pass(3 * 60 + 20)
    expect(problemsOf(bench).sort()).toEqual(['BREAKER_OPEN', 'NEVER_JOINED', 'NEVER_JOINED', 'NEVER_JOINED'])
    expect(codesOf(bench)).toEqual(['BREAKER_OPEN'])
    await bench.pass(65)
    expect(bench.ids()).toHaveLength(4)
    expect(codesOf(bench)).toEqual(['BREAKER_PROBING'])
    bench.joins(bench.ids()[3]!)
    bench.wants(4, 4, 4)
    await bench.pass(10)
    expect(bench.ids()).toHaveLength(6)
  })

  it('counts for the breaker also when it stopped by itself', async () => {
    const bench = await startSettled()
    bench.wants(4, 4, 4)
    await bench.pass(10)
    for (const vm of bench.cloud.instances.values())
      Object.assign(vm.instance, { state: 'stopped', stateReason: 'script failed' })
    await bench.pass(10)
    expect(bench.fleet.status().breaker).toMatchObject({ state: 'open', failures: 3 })
    expect(bench.events).toContainEqual(
      expect.objectContaining({
        problem: expect.objectContaining({ message: expect.stringContaining('script failed') }),
      }),
    )
  })
})

describe("a person's order", () => {
  it('removes a VM when its jobs are done', async () => {
    const bench = await startSettled()
    const id = await idleVm(bench)
    Object.assign(bench.master.agents.get(id)!, { busy: true, freeSlots: 0 })
    await bench.pass(5)
    expect(await bench.fleet.remove([id, 'unknown'], 'when_idle')).toEqual([id])
    await bench.pass(60)
    expect(bench.calls.terminated).toEqual([])
    Object.assign(bench.master.agents.get(id)!, { busy: false, freeSlots: 4 })
    await bench.pass(15)
    expect(bench.calls.terminated).toEqual([[id]])
  })

  it('removes it at once if it is forced', async () => {
    const bench = await startSettled()
    const id = await idleVm(bench)
    Object.assign(bench.master.agents.get(id)!, { busy: true, freeSlots: 0 })
    await bench.fleet.remove([id], 'even_if_busy')
    await bench.pass(10)
    expect(bench.calls.terminated).toEqual([[id]])
  })

  it('is carried out while the master is unreachable only if it is forced', async () => {
    const bench = await startSettled()
    const id = await idleVm(bench)
    bench.master.down = true
    await bench.pass(60)
    await bench.fleet.remove([id], 'when_idle')
    await bench.pass(60)
    expect(bench.calls.terminated).toEqual([])
    await bench.fleet.remove([id], 'even_if_busy')
    await bench.pass(10)
    expect(bench.calls.terminated).toEqual([[id]])
  })

  it('is not carried out while the cloud cannot be listed', async () => {
    const bench = await startSettled()
    const id = await idleVm(bench)
    bench.faults.fate = (call) => (call === 'list' ? 'silent' : 'done')
    await bench.pass(60)
    await bench.fleet.remove([id], 'even_if_busy')
    await bench.pass(30)
    expect(bench.calls.terminated).toEqual([])
    bench.faults.fate = () => 'done'
    await bench.pass(120)
    expect(bench.calls.terminated).toEqual([[id]])
  })

  it('can be cancelled while the VM is not terminated, also by the next process', async () => {
    const bench = await startSettled()
    const id = await idleVm(bench)
    Object.assign(bench.master.agents.get(id)!, { busy: true, freeSlots: 0 })
    await bench.fleet.remove([id], 'when_idle')
    await bench.pass(10)
    expect(bench.master.agents.get(id)).toMatchObject({ draining: true })
    expect(await bench.fleet.keep([id, 'unknown'])).toEqual([id])
    expect(await bench.fleet.keep([id])).toEqual([])
    bench.life.kill()
    bench.restart()
    await bench.pass(20)
    expect(bench.master.agents.get(id)).toMatchObject({ draining: false, enabled: true })
    Object.assign(bench.master.agents.get(id)!, { busy: false, freeSlots: 4 })
    await bench.pass(60)
    expect(bench.calls.terminated).toEqual([])
  })
})

describe('opposite orders about one agent', () => {
  it('do not alternate as fast as views arrive, when a person enables it again and again', async () => {
    const bench = await startSettled({ maxIdle: 5_000 })
    bench.wants(4)
    await bench.pass(10)
    const [id] = bench.ids()
    bench.joins(id!)
    bench.wants()
    let drains = 0
    bench.master.onDrain = () => {
      drains++
      setPersonEnables(bench, id!)
    }
    await bench.pass(120)
    expect(drains).toBeGreaterThan(1)
    expect(drains).toBeLessThanOrEqual(5)
  })
})

/** Right after the drain was acknowledged. */
function setPersonEnables(bench: Awaited<ReturnType<typeof startSettled>>, id: string): void {
  void Promise.resolve().then(() => {
    Object.assign(bench.master.agents.get(id)!, { draining: false, enabled: true })
    bench.joins()
  })
}
