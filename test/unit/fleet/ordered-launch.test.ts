// A person may launch instances that no job needs, but only when it is safe.
import { describe, expect, it } from 'vitest'
import { explain } from '../../../src/planner/explain.ts'
import { type ProvisionError, problem } from '../../../src/problems/index.ts'
import { minute } from '../../support/planner.ts'
import { inVain, type PoolBench, startBench, startSettled } from '../../support/pool-bench.ts'

function codeOf(bench: PoolBench, count: number): string | undefined {
  try {
    bench.fleet.launch(count)
    return undefined
  } catch (error) {
    return (error as ProvisionError).code
  }
}

function refusalOf(bench: PoolBench) {
  try {
    return bench.fleet.launch(1)
  } catch (error) {
    return (error as ProvisionError).problems[0]
  }
}

describe('a launch on order', () => {
  it('is one call, written down like any other, with its reason', async () => {
    const bench = await startSettled({ maxInstances: 5 })
    const intent = bench.fleet.launch(3)
    await bench.pass(5)
    expect(bench.calls.launches.map((order) => order.intent)).toMatchObject([{ id: intent, count: 3 }])
    expect(bench.ids()).toHaveLength(3)
    const decided = bench.events.find((event) => event.kind === 'decided')
    expect(decided).toMatchObject({ move: 'launch', count: 3, reason: { code: 'ORDERED' } })
  })

  it('launches VMs that are removed like any other when they are idle for too long', async () => {
    const bench = await startSettled({ maxIdle: 5 * minute })
    bench.fleet.launch(1)
    await bench.pass(30)
    bench.joins(...bench.ids())
    await bench.pass(4 * 60)
    expect(bench.calls.terminated).toEqual([])
    await bench.pass(2 * 60)
    expect(bench.calls.terminated).toHaveLength(1)
  })

  it('never goes above max_instances, including launches in progress', async () => {
    const bench = await startSettled({ maxInstances: 3 })
    bench.fleet.launch(2)
    expect(codeOf(bench, 2)).toBe('MAX_REACHED')
    expect(codeOf(bench, 1)).toBeUndefined()
    await bench.pass(30)
    expect(codeOf(bench, 1)).toBe('MAX_REACHED')
    expect(bench.ids()).toHaveLength(3)
  })

  it('is limited by launch_rate', async () => {
    const bench = await startSettled({ maxInstances: 10, launchRate: 4 })
    await inVain(bench, 6)
    expect(codeOf(bench, 5)).toBe('LAUNCH_RATE_SPENT')
    expect(codeOf(bench, 4)).toBeUndefined()
    expect(codeOf(bench, 1)).toBe('LAUNCH_RATE_SPENT')
  })

  it('is refused while the pool is paused', async () => {
    const bench = await startSettled()
    await bench.fleet.pause()
    expect(codeOf(bench, 1)).toBe('PAUSED')
  })

  it('is refused with the reason why a VM could not join', async () => {
    const bench = await startSettled()
    bench.material = { kind: 'refused', problem: problem('PREFLIGHT_UNKNOWN_CA', 'no') }
    await bench.pass(1)
    expect(codeOf(bench, 1)).toBe('PREFLIGHT_UNKNOWN_CA')
  })

  it('is refused before the first listing of the cloud', async () => {
    const bench = await startBench()
    bench.faults.fate = (call) => (call === 'list' ? 'silent' : 'done')
    await bench.pass(1)
    expect(codeOf(bench, 1)).toBe('LISTING_MISSING')
    await bench.pass(2)
    expect(refusalOf(bench)).toMatchObject({
      message: 'the instances are being listed for the first time since the pool runs here, for 3 s',
      remedy: expect.stringMatching(/^Repeat the order in 10 s/),
    })
  })

  it('can wait for that listing, for a failed one, for the end of the loop, and not for ever', async () => {
    const bench = await startSettled()
    const waits = async (fate: 'slow' | 'silent' | 'failed', ms: number) => {
      bench.life.kill()
      const begun = bench.now()
      bench.faults.latency = () => ({ there: fate === 'slow' ? 3_000 : 100, back: 100 })
      bench.faults.fate = (call) =>
        call === 'list' && fate !== 'slow' ? (fate === 'failed' ? 'refused' : 'silent') : 'done'
      bench.restart()
      let waited = Number.POSITIVE_INFINITY
      void bench.fleet.listed(ms).then(() => (waited = bench.now() - begun))
      await bench.pass(10)
      return waited
    }
    // A listing, and the check of the account.
    expect(await waits('slow', 9_000)).toBe(6_200)
    expect(codeOf(bench, 1)).toBeUndefined()
    expect(await waits('silent', 5_000)).toBe(5_000)
    expect(await waits('failed', 9_000)).toBeLessThan(1_000)
  })

  it('is refused with the time from which it is possible, where that is known', async () => {
    const bench = await startBench()
    await bench.pass(5)
    expect(refusalOf(bench)).toMatchObject({
      code: 'JOURNAL_MISSING',
      message: expect.stringMatching(/; not before 2026-\S+Z$/),
    })
  })

  it('is refused truly before the journal is read', async () => {
    const bench = await startSettled()
    bench.life.kill()
    bench.restart({ journal: { ...bench.disk, read: () => new Promise(() => {}) } })
    await bench.pass(1)
    expect(refusalOf(bench)).toMatchObject({
      code: 'POOL_NOT_RUNNING',
      message: 'pool default has begun a moment ago, and has not read its journal yet',
    })
  })

  it('is refused when the newest listing is too old', async () => {
    const bench = await startSettled()
    bench.faults.fate = (call) => (call === 'list' ? 'silent' : 'done')
    await bench.pass(150)
    // The problem behind it.
    expect(codeOf(bench, 1)).toBe('PROVIDER_TRANSIENT')
    expect(bench.calls.launches).toEqual([])
  })

  it('is one VM at a time while it is not known whether agents can join', async () => {
    const bench = await startSettled()
    bench.material = { ...bench.material, probe: true } as PoolBench['material']
    expect(codeOf(bench, 2)).toBe('PROBE_FIRST')
    expect(codeOf(bench, 1)).toBeUndefined()
  })

  it('that is blocked is answered with an error that has the numbers, and is not tried later', async () => {
    const bench = await startSettled({ maxInstances: 3, launchRate: 2 })
    await inVain(bench, 8)
    const answer = (count: number) => {
      try {
        return bench.fleet.launch(count)
      } catch (error) {
        const [found] = (error as ProvisionError).problems
        return `${found!.severity} ${found!.message}`
      }
    }
    const [asked, calls] = [bench.now(), bench.calls.launches.length]
    expect(answer(4)).toBe('error max_instances is 3: 3 more can be launched')
    expect(answer(3)).toMatch(
      /^error 8 launched instances failed: 2 may be launched now, the next at 2026-\S+Z$/,
    )
    await bench.pass(60)
    expect(bench.calls.launches).toHaveLength(calls)
    expect(bench.events.filter(({ at, kind }) => kind === 'blocked' && at > asked)).toEqual([])
    await bench.fleet.stop()
    expect(answer(1)).toBe('error pool default is stopped')
  })

  it('is answered once: an explanation of the turn that granted it does not launch it again', async () => {
    const bench = await startSettled({ maxInstances: 5 })
    bench.fleet.launch(3)
    const { snapshot, decisions, policy, decidedAt } = bench.fleet.status()
    expect(decisions).toMatchObject([{ kind: 'launch', reason: { code: 'ORDERED' } }])
    expect(explain(snapshot!, policy, decidedAt!).decisions).toEqual([])
  })

  it('is granted while the master does not respond', async () => {
    const bench = await startSettled()
    bench.master.down = true
    await bench.pass(60)
    expect(codeOf(bench, 1)).toBeUndefined()
    await bench.pass(5)
    expect(bench.ids()).toHaveLength(1)
  })
})

describe('a launch on order when nothing is decided', () => {
  it('is refused because the pool does not run: before it has read its journal, and after a stop', async () => {
    const bench = await startBench()
    expect(codeOf(bench, 1)).toBe('POOL_NOT_RUNNING')
    await bench.pass(70)
    const stopped = bench.fleet.stop()
    await bench.pass(20)
    await stopped
    expect(codeOf(bench, 1)).toBe('POOL_NOT_RUNNING')
  })

  it('is refused as an internal error when reconciling fails in a pool that runs', async () => {
    const bench = await startSettled()
    Object.defineProperty(bench.settings, 'offerings', {
      get() {
        throw new Error('broken')
      },
    })
    expect(codeOf(bench, 1)).toBe('INTERNAL')
  })
})
