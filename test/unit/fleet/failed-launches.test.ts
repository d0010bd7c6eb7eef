// What launch_rate and the breaker count: failed launches, and never instances that ran a job.
import { describe, expect, it } from 'vitest'
import { endInstance } from '../../../src/simulator/cloud.ts'
import { minute } from '../../support/planner.ts'
import { codesOf, inVain, type PoolBench, problemsOf, startSettled } from '../../support/pool-bench.ts'

/** One instance is launched for a job, joins, runs it and is terminated when it is idle. */
async function shortJob(bench: PoolBench): Promise<void> {
  bench.wants(4)
  await bench.pass(10)
  const id = bench.ids().at(-1)!
  bench.joins(id)
  Object.assign(bench.master.agents.get(id)!, { busy: true, freeSlots: 0 })
  bench.wants()
  await bench.pass(20)
  Object.assign(bench.master.agents.get(id)!, { busy: false, freeSlots: 4 })
  await bench.pass(45)
  bench.master.agents.delete(id)
}

describe('launch_rate', () => {
  it('never blocks instances that ran a job, however short it was', async () => {
    const bench = await startSettled({ maxInstances: 1, maxIdle: 10_000, launchRate: 1 })
    for (let n = 0; n < 25; n++) await shortJob(bench)
    expect(bench.ids()).toHaveLength(25)
    expect(problemsOf(bench)).toEqual([])
    expect(bench.fleet.status().snapshot!.budget).toEqual({ spent: 0, at: 0 })
  })

  it('does not count instances that we terminated right before a crash, and that the cloud still shows', async () => {
    const bench = await startSettled({ maxInstances: 1, maxIdle: 10_000, launchRate: 1 })
    bench.faults.lingersFor = () => 60 * minute
    for (let n = 0; n < 3; n++) await shortJob(bench)
    bench.life.kill()
    bench.restart()
    await bench.pass(20)
    expect(problemsOf(bench)).toEqual([])
    expect(bench.fleet.status().snapshot!.budget.spent).toBe(0)
  })

  it('counts those that did not last, and reports when the next may be launched', async () => {
    const bench = await startSettled({ maxInstances: 1, launchRate: 2 })
    await inVain(bench, 10)
    expect(problemsOf(bench)).toEqual(Array.from({ length: 10 }, () => 'DID_NOT_LAST'))
    bench.wants(4)
    await bench.pass(60)
    expect(bench.ids()).toHaveLength(10)
    const [hold] = bench.fleet.status().blocked
    expect(hold!.code).toBe('LAUNCH_RATE_SPENT')
    const { retryAt } = hold!.numbers
    expect(retryAt! - bench.now()).toBeLessThan(30 * minute)
    await bench.pass((retryAt! - bench.now()) / 1000 + 20)
    expect(bench.ids()).toHaveLength(11)
  })

  it('does not count what a person or the cloud terminated', async () => {
    const bench = await startSettled({ maxInstances: 1, launchRate: 1 })
    for (let n = 0; n < 12; n++) {
      bench.wants(4)
      await bench.pass(12)
      const id = bench.ids().at(-1)!
      bench.joins(id)
      await bench.pass(6)
      const vm = bench.cloud.instances.get(id)!
      if (n % 2) await bench.fleet.remove([id], 'even_if_busy')
      else {
        vm.instance.interruptedAt = bench.now()
        await bench.pass(10)
        endInstance(bench.cloud, vm, 'taken back')
      }
      bench.master.agents.delete(id)
      bench.wants()
      await bench.pass(20)
    }
    expect(bench.fleet.status().snapshot!.budget.spent).toBe(0)
  })
})

describe('agents that join without their slots', () => {
  it('are reported and counted, also when they are removed as idle first', async () => {
    const bench = await startSettled({ maxInstances: 1, maxIdle: 5_000, launchRate: 100 })
    for (let n = 0; n < 12; n++) {
      bench.wants(4)
      await bench.pass(8)
      const id = bench.ids().at(-1)!
      if (!bench.master.agents.has(id)) bench.joins(id)
      for (const agent of bench.master.agents.values()) Object.assign(agent, { slots: 0, freeSlots: 0 })
      await bench.pass(12)
      for (const vm of bench.cloud.instances.values())
        if (vm.endedAt !== undefined) bench.master.agents.delete(vm.instance.id)
    }
    expect(problemsOf(bench).filter((code) => code === 'SHORT_OF_SLOTS').length).toBeGreaterThanOrEqual(3)
    expect(problemsOf(bench)).toContain('BREAKER_OPEN')
    expect(codesOf(bench)).toContain('BREAKER_OPEN')
    // One of them may be a probe.
    expect(bench.ids().length).toBeLessThanOrEqual(4)
  })

  it('open the breaker in the turn that removes them: no more than a probe is launched in their place', async () => {
    const bench = await startSettled({ maxInstances: 4, placementGrace: 22_000 })
    bench.wants(4, 4, 4, 4)
    await bench.pass(10)
    bench.joins(...bench.ids())
    for (const agent of bench.master.agents.values()) Object.assign(agent, { slots: 3, freeSlots: 3 })
    bench.wants(4, 4, 4, 4, 4)
    // Now they are in the way for longer than the grace, which was not over when the master was read.
    await bench.pass(23)
    expect(problemsOf(bench)).toEqual([])
    const { policy } = bench.settings
    bench.fleet.reconfigure({ ...bench.settings, policy: { ...policy, maxInstances: 6 } })
    await bench.pass(1)
    expect(problemsOf(bench)).toContain('BREAKER_OPEN')
    expect(bench.ids()).toHaveLength(4)
  })
})

describe('the journal', () => {
  it('holds instances that only a listing has shown: after a crash none is counted twice', async () => {
    const bench = await startSettled({ maxInstances: 2, launchRate: 100 })
    // The launch stays open: its answers are lost, and one instance is in no listing.
    bench.faults.fate = (call) => (call === 'launch' ? 'reply_lost' : 'done')
    bench.faults.lingersFor = () => 60 * minute
    bench.faults.hiddenFor = () => (bench.ids().length === 0 ? 0 : 60 * minute)
    bench.wants(4, 4)
    await bench.pass(12)
    const [id] = bench.ids()
    endInstance(bench.cloud, bench.cloud.instances.get(id!)!, 'the machine failed')
    await bench.pass(12)
    const failed = () => bench.fleet.status().snapshot!.budget.spent
    expect(failed()).toBeCloseTo(1, 1)
    for (let crash = 0; crash < 3; crash++) {
      bench.life.kill()
      bench.restart()
      await bench.pass(8)
    }
    expect(failed()).toBeCloseTo(1, 1)
    expect(problemsOf(bench).filter((code) => code === 'NEVER_JOINED')).toHaveLength(1)
  })

  async function threeFailed() {
    const bench = await startSettled({ maxInstances: 3, bootTimeout: 20_000 })
    bench.wants(4, 4, 4)
    await bench.pass(40)
    expect(problemsOf(bench).filter((code) => code === 'BREAKER_OPEN')).toHaveLength(1)
    return bench
  }

  it('is written at once: in a crash loop the breaker continues, and its probe is launched', async () => {
    const bench = await threeFailed()
    const reported = problemsOf(bench).length
    const made = bench.ids().length
    for (let n = 0; n < 10 && bench.ids().length === made; n++) {
      bench.life.kill()
      bench.restart()
      await bench.pass(20)
    }
    expect(bench.ids().length).toBe(made + 1)
    expect(problemsOf(bench)).toHaveLength(reported)
  })

  it('contains that an agent joined: the breaker stays closed after a restart', async () => {
    const bench = await threeFailed()
    const made = bench.ids().length
    for (let n = 0; n < 20 && bench.ids().length === made; n++) await bench.pass(5)
    const id = bench.ids().at(-1)!
    bench.joins(id)
    await bench.pass(2)
    bench.life.kill()
    // After a restart it must be read from the disk: the master no longer shows the agent.
    bench.master.agents.clear()
    bench.restart()
    await bench.pass(20)
    expect(bench.fleet.status().breaker).toEqual({ state: 'closed' })
    expect(bench.fleet.status().instances.find((track) => track.id === id)?.joinedAt).toBeDefined()
  })
})

describe('an instance known only from the journal', () => {
  it('is not counted for what may have happened to it since', async () => {
    const bench = await startSettled({ maxInstances: 1, bootTimeout: minute })
    bench.wants(4)
    await bench.pass(10)
    bench.life.kill()
    bench.wants()
    await bench.pass(5 * 60)
    // Somebody else has terminated it in the meantime.
    endInstance(bench.cloud, bench.cloud.instances.get(bench.ids()[0]!)!, 'terminated by its owner')
    const reported = problemsOf(bench).length
    bench.restart()
    await bench.pass(30)
    expect(problemsOf(bench)).toHaveLength(reported)
    expect(bench.fleet.status().snapshot!.budget.spent).toBe(0)
  })

  it('that is gone is still recorded as gone after a restart', async () => {
    const bench = await startSettled({ maxInstances: 1, bootTimeout: 60 * minute })
    bench.wants(4)
    await bench.pass(10)
    const [id] = bench.ids()
    bench.wants()
    await bench.pass(6 * 60)
    endInstance(bench.cloud, bench.cloud.instances.get(id!)!, 'the machine failed')
    for (let n = 0; n < 60 && bench.fleet.knows(id!); n++) await bench.pass(5)
    expect(bench.fleet.knows(id!)).toBe(false)
    await bench.pass(1)
    bench.life.kill()
    bench.restart()
    await bench.pass(3)
    expect(bench.fleet.knows(id!)).toBe(false)
  })
})

describe('instances that stopped before they were listed', () => {
  it('do not count for launches now', async () => {
    const bench = await startSettled({ maxInstances: 5, maxIdle: 10_000 })
    bench.faults.lingersFor = () => 60 * minute
    for (let n = 0; n < 3; n++) await shortJob(bench)
    const reported = problemsOf(bench).length
    bench.life.kill()
    bench.disk.erase()
    bench.restart()
    await bench.pass(120)
    bench.wants(4)
    await bench.pass(20)
    expect(problemsOf(bench)).toHaveLength(reported)
    expect(bench.fleet.status().breaker).toEqual({ state: 'closed' })
    expect(bench.ids()).toHaveLength(4)
  })
})

describe('an instance that the cloud terminates before its script runs', () => {
  it('is reported with the reason of the cloud, and a remedy that looks there', async () => {
    const bench = await startSettled({ maxInstances: 1 })
    bench.wants(4)
    await bench.pass(6)
    bench.faults.lingersFor = () => 60 * minute
    const vm = bench.cloud.instances.get(bench.ids().at(-1)!)!
    endInstance(bench.cloud, vm, 'Client.InternalError: no')
    await bench.pass(20)
    const [found] = bench.events.flatMap((event) => (event.kind === 'problem' ? [event.problem] : []))
    expect(found).toMatchObject({ code: 'NEVER_JOINED', remedy: 'Look up the reason that the cloud gives.' })
    expect(found!.message).toContain('its console shows no stage (the cloud: Client.InternalError: no)')
  })
})

describe('an instance of a launch whose outcome is not known yet', () => {
  it('counts once, although a listing shows it again after it was gone', async () => {
    const bench = await startSettled({ maxInstances: 2, launchRate: 10 })
    bench.faults.remainsFor = () => 60 * minute
    let isShown = true
    // The other one is never shown.
    bench.faults.listing = (instances) => ({
      instances: isShown ? instances.slice(0, 1) : [],
      complete: true,
    })
    bench.faults.finding = () => []
    bench.faults.fate = (call) => (call === 'launch' ? 'reply_lost' : 'done')
    bench.wants(4, 4)
    await bench.pass(40)
    endInstance(bench.cloud, bench.cloud.instances.get(bench.ids()[0]!)!, 'it broke', 'stopped')
    await bench.pass(60)
    isShown = false
    await bench.pass(3 * 60)
    isShown = true
    await bench.pass(60)
    expect(problemsOf(bench).filter((code) => code === 'NEVER_JOINED')).toHaveLength(1)
    expect(bench.fleet.status().snapshot!.budget.spent).toBe(1)
  })
})
