import { describe, expect, it } from 'vitest'
import { problem } from '../../../src/problems/index.ts'
import { userDataOf } from '../../../src/testing/order.ts'
import { minute, second } from '../../support/planner.ts'
import { codesOf, problemsOf, startBench, startSettled } from '../../support/pool-bench.ts'

const launched = (bench: Awaited<ReturnType<typeof startBench>>) =>
  bench.calls.launches.map(({ intent }) => [intent.id, intent.count])

describe('a launch', () => {
  it('is requested within 50 ms of the demand', async () => {
    const bench = await startSettled()
    bench.wants(4)
    await bench.pass(0.05)
    expect(launched(bench)).toEqual([['intent-1', 1]])
  })

  it('is one call for the first need, and one for all that was added while it was in progress', async () => {
    const bench = await startSettled()
    bench.faults.latency = () => ({ there: 5 * second, back: 5 * second })
    bench.wants(4)
    await bench.pass(1)
    for (let n = 2; n <= 6; n++) {
      bench.wants(...Array.from({ length: n }, () => 4))
      await bench.pass(1)
    }
    await bench.pass(20)
    expect(launched(bench)).toEqual([
      ['intent-1', 1],
      ['intent-2', 5],
    ])
  })

  it('of more than the largest one is made in parts, and no other part after a refusal', async () => {
    const bench = await startSettled({ maxInstances: 20, launchRate: undefined }, { largestLaunch: 4 })
    bench.wants(...Array.from({ length: 10 }, () => 4))
    await bench.pass(1)
    expect(launched(bench).map(([, count]) => count)).toEqual([4, 4, 2])
    bench.faults.stock = () => 0
    bench.wants(...Array.from({ length: 18 }, () => 4))
    await bench.pass(10)
    expect(launched(bench).map(([, count]) => count)).toEqual([4, 4, 2, 4])
  })

  it('is written down before it is sent', async () => {
    const bench = await startSettled()
    const writing = new Map<string, () => void>()
    bench.disk.append = ({ kind }) => new Promise((resolve) => writing.set(kind, resolve))
    bench.wants(4)
    await bench.pass(10)
    expect([...writing.keys()]).toEqual(['user_data', 'intent'])
    for (const finish of writing.values()) {
      await bench.pass(1)
      expect(launched(bench)).toEqual([])
      finish()
    }
    await bench.pass(1)
    expect(launched(bench)).toEqual([['intent-1', 1]])
  })

  it('is not sent when it cannot be written down, and reports that', async () => {
    const bench = await startSettled()
    const full = () => Promise.reject(new Error('no space left on device'))
    Object.assign(bench.disk, { append: full, rewrite: full })
    bench.wants(4)
    await bench.pass(10)
    expect(launched(bench)).toEqual([])
    expect(codesOf(bench)).toContain('JOURNAL_FAILING')
    expect(problemsOf(bench)).toContain('JOURNAL_FAILING')
  })

  it('is not made while agents cannot join, and the reason is reported', async () => {
    const bench = await startSettled()
    bench.material = { kind: 'refused', problem: problem('LAUNCH_NOT_READY', 'unknown CA') }
    bench.wants(4)
    await bench.pass(60)
    expect(launched(bench)).toEqual([])
    expect(bench.fleet.status().blocked).toMatchObject([
      { code: 'LAUNCH_NOT_READY', problem: { message: 'unknown CA' } },
    ])
  })

  it('shows since when each reason has blocked it without a break', async () => {
    const bench = await startSettled()
    const since = () => bench.fleet.status().blockedSince.get('PAUSED')
    expect(since()).toBeUndefined()
    const before = bench.now()
    await bench.fleet.pause()
    await bench.pass(60)
    expect(since()).toBeGreaterThanOrEqual(before)
    expect(since()).toBeLessThan(before + second)
    await bench.fleet.resume()
    await bench.pass(1)
    expect(since()).toBeUndefined()
  })

  it('is one VM until one has joined, when the master could not be checked', async () => {
    const bench = await startSettled()
    bench.material = { kind: 'ready', userData: userDataOf('first'), version: '1', probe: true }
    bench.wants(4, 4, 4)
    await bench.pass(60)
    expect(launched(bench)).toEqual([['intent-1', 1]])
    expect(codesOf(bench)).toEqual(['PROBE_FIRST'])
    bench.joins(bench.ids()[0]!)
    bench.wants(4, 4, 4)
    await bench.pass(5)
    expect(launched(bench)).toEqual([
      ['intent-1', 1],
      ['intent-2', 2],
    ])
  })

  it('is not repeated because a listing does not show its VM yet', async () => {
    const bench = await startSettled()
    bench.faults.hiddenFor = () => minute
    bench.wants(4)
    await bench.pass(59)
    expect(bench.ids()).toHaveLength(1)
    await bench.pass(30)
    expect(bench.ids()).toHaveLength(1)
  })

  it('continues where the last refusal left off after a restart', async () => {
    const bench = await startSettled()
    bench.faults.stock = () => 0
    bench.wants(4)
    await bench.pass(100)
    expect(bench.calls.launches).toHaveLength(3)
    bench.life.kill()
    bench.restart()
    await bench.pass(100)
    expect(bench.calls.launches).toHaveLength(3)
    expect(codesOf(bench)).toEqual(['OFFERINGS_OUT_OF_CAPACITY'])
  })

  it('is a lasting error after launch_error_retries, which others can read', async () => {
    const bench = await startSettled({}, { launchError: { timeout: 10 * minute, retries: 1 } })
    bench.faults.stock = () => 0
    bench.wants(4)
    await bench.pass(20)
    expect(bench.fleet.launchError()).toBeUndefined()
    await bench.pass(60)
    expect(bench.fleet.launchError()).toMatchObject({ code: 'PROVIDER_CAPACITY' })
    expect(codesOf(bench)).toContain('LAUNCH_ERROR')
  })

  it('that fails is a problem of the pool until one succeeds', async () => {
    const bench = await startSettled()
    const problems = () => bench.fleet.status().problems.map(({ code }) => code)
    bench.faults.stock = () => 0
    bench.wants(4)
    await bench.pass(20)
    expect(problemsOf(bench)).toEqual(['PROVIDER_CAPACITY'])
    expect(problems()).toEqual(['PROVIDER_CAPACITY'])
    bench.faults.stock = () => 10
    await bench.pass(100)
    expect(bench.ids()).toHaveLength(1)
    expect(problems()).toEqual([])
  })

  it('that launches nothing without a reason is not repeated at once', async () => {
    const bench = await startSettled()
    bench.faults.gives = () => 0
    bench.wants(4)
    await bench.pass(20)
    expect(bench.calls.launches).toHaveLength(1)
    expect(codesOf(bench)).toEqual(['OFFERINGS_OUT_OF_CAPACITY'])
  })
})

describe('without a journal', () => {
  it('nothing is launched until two complete listings a minute apart', async () => {
    const bench = await startBench()
    bench.wants(4)
    await bench.pass(55)
    expect(launched(bench)).toEqual([])
    expect(codesOf(bench)).toEqual(['JOURNAL_MISSING'])
    await bench.pass(15)
    expect(launched(bench)).toEqual([['intent-1', 1]])
  })

  it('one listing is enough if listings are always complete', async () => {
    const bench = await startBench({}, { visibility: 0 })
    bench.wants(4)
    await bench.pass(1)
    expect(launched(bench)).toEqual([['intent-1', 1]])
  })

  it('the same holds when the journal is damaged', async () => {
    const bench = await startSettled()
    bench.life.kill()
    bench.restart({ journalDamaged: true })
    bench.wants(4)
    await bench.pass(30)
    expect(codesOf(bench)).toEqual(['JOURNAL_MISSING'])
  })
})
