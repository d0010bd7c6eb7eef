// One broken pool, credential or cloud never stops another, and no call delays what does not need it.
import { describe, expect, it } from 'vitest'
import { createRun } from '../../../src/fleet/run.ts'
import { withDeadline } from '../../../src/platform/limit.ts'
import type { LaunchOrder } from '../../../src/providers/contract.ts'
import { simulatedProvider } from '../../../src/simulator/provider.ts'
import { createVirtualClock } from '../../../src/simulator/virtual-clock.ts'
import { capturingLogger } from '../../support/capturing-logger.ts'
import { minute } from '../../support/planner.ts'
import { codesOf, owner, type PoolBench, startBench, startSettled } from '../../support/pool-bench.ts'

/** The codes of all reported blocks. */
function blockedBy({ events }: PoolBench): string[] {
  return events.flatMap((event) => (event.kind === 'blocked' ? event.reasons.map(({ code }) => code) : []))
}

describe('a pool', () => {
  it('logs a task that fails with its name, and continues', async () => {
    const bench = await startSettled()
    const logger = capturingLogger()
    const run = createRun({ ...bench.deps, logger }, bench.settings, () => {})
    run.background(() => Promise.reject(new Error('not foreseen')))
    await Promise.all(run.tasks)
    expect(logger.lines).toEqual([
      'error a task of the pool failed {"pool":"default","error":"not foreseen"}',
    ])
    expect(run.tasks.size).toBe(0)
  })

  it('reacts to demand while a listing hangs', async () => {
    const bench = await startSettled()
    const lists = bench.calls.lists
    bench.faults.fate = (call) => (call === 'list' ? 'silent' : 'done')
    bench.faults.clientTimeout = 60 * minute
    await bench.pass(10)
    expect(bench.calls.lists).toBeGreaterThan(lists)
    bench.wants(4)
    await bench.pass(0.05)
    expect(bench.calls.launches).toHaveLength(1)
  })

  it.each([0, 1_000])(
    'reports no block while the first reads of a start last, the master %d ms',
    async (ms) => {
      const bench = await startBench()
      bench.life.kill()
      bench.disk.erase()
      bench.events.length = 0
      const { source } = bench
      const demand = {
        ...source,
        async read(pool: string) {
          if (ms > 0) await bench.clock.sleep(ms)
          return source.read(pool)
        },
      }
      bench.restart({ isFirstStart: true, demand })
      await bench.pass(30)
      expect(bench.fleet.status().blocked).toEqual([])
      expect(blockedBy(bench)).not.toContain('DEMAND_MISSING')
      expect(blockedBy(bench)).not.toContain('LISTING_MISSING')
    },
  )

  it('reports that it is blocked at a start without a master', async () => {
    const bench = await startBench()
    bench.life.kill()
    bench.master.down = true
    bench.restart({})
    await bench.pass(5)
    expect(codesOf(bench)).toContain('DEMAND_MISSING')
    expect(blockedBy(bench)).toContain('DEMAND_MISSING')
  })

  it('reports once why the master cannot be read, and shows it as the problem behind what that blocks', async () => {
    const bench = await startSettled()
    bench.master.down = true
    await bench.pass(5 * 60)
    const message = 'the master could not be read: the master is down'
    const reported = bench.events.flatMap((event) => (event.kind === 'problem' ? [event.problem] : []))
    expect(reported.map((problem) => problem.message)).toEqual([message])
    expect(bench.fleet.status().blocked).toMatchObject([{ code: 'DEMAND_MISSING', problem: { message } }])
    bench.master.down = false
    await bench.pass(60)
    expect(bench.fleet.status().problems).toEqual([])
  })

  it('gives up a listing without a response, and lists again', async () => {
    const bench = await startSettled()
    bench.faults.fate = (call) => (call === 'list' ? 'silent' : 'done')
    bench.faults.clientTimeout = 60 * minute
    await bench.pass(3 * 60)
    bench.wants(4)
    await bench.pass(10)
    expect(codesOf(bench)).toEqual(['LISTING_MISSING'])
    bench.faults.fate = () => 'done'
    await bench.pass(2 * 60)
    expect(codesOf(bench)).toEqual([])
    expect(bench.ids()).toHaveLength(1)
  })

  it.each([40, 100, 400])('removes what is idle though each listing takes %i s', async (seconds) => {
    const bench = await startSettled()
    bench.faults.listingTakes = () => seconds * 1000
    bench.wants(4)
    await bench.pass(5)
    const [id = ''] = bench.ids()
    bench.joins(id)
    bench.wants()
    await bench.pass(4 * seconds)
    expect(bench.cloud.instances.get(id)?.instance.state).toBe('running')
    await bench.pass(20 * 60 + 4 * seconds)
    expect(bench.cloud.instances.get(id)?.endedAt).toBeDefined()
    expect(bench.ids()).toEqual([id])
    // A listing that began before the termination does not show that it failed.
    expect(bench.calls.terminated).toEqual([[id]])
  })

  it('lists less often while nothing changes, and less and less while listings fail', async () => {
    const bench = await startSettled()
    await bench.pass(2 * 60)
    const quiet = bench.calls.lists
    await bench.pass(10 * 60)
    expect(bench.calls.lists - quiet).toBeLessThanOrEqual(60)
    bench.faults.fate = (call) => (call === 'list' ? 'failed' : 'done')
    await bench.pass(10 * 60)
    const failing = bench.calls.lists
    await bench.pass(10 * 60)
    expect(bench.calls.lists - failing).toBeLessThanOrEqual(10)
  })

  it('aborts a launch that outlasts the stop, so that it does not continue beside the next loop', async () => {
    const bench = await startSettled()
    bench.life.kill()
    let given: AbortSignal | undefined
    const launch = (_: LaunchOrder, signal?: AbortSignal) => {
      given = signal
      return new Promise<never>(() => {})
    }
    bench.restart({ provider: { ...simulatedProvider(bench.cloud, owner), launch } })
    await bench.pass(5)
    bench.wants(4)
    await bench.pass(1)
    void bench.fleet.stop()
    await bench.pass(5)
    expect(given?.aborted).toBe(false)
    await bench.pass(10)
    expect(given?.aborted).toBe(true)
    bench.restart()
    await bench.pass(60)
    expect(bench.calls.launches.map(({ intent }) => intent.id)).toEqual(['intent-1'])
    expect(bench.ids()).toHaveLength(1)
  })

  it('survives an internal error', async () => {
    const bench = await startSettled()
    const logger = capturingLogger()
    bench.life.kill()
    bench.restart({
      logger,
      onEvent: () => {
        throw new Error('the listener failed')
      },
    })
    await bench.pass(10)
    bench.wants(4)
    await bench.pass(10)
    expect(bench.ids()).toHaveLength(1)
    expect(logger.lines).toContain(
      'error an event listener of the pool failed {"pool":"default","error":"the listener failed"}',
    )
  })

  it('reports it when the user data for a launch cannot be prepared', async () => {
    const bench = await startSettled()
    bench.life.kill()
    bench.restart({
      launchInputs: () => {
        throw new Error('no template')
      },
    })
    bench.wants(4)
    await bench.pass(10)
    expect(bench.fleet.status().blocked).toMatchObject([
      { code: 'LAUNCH_NOT_READY', problem: { message: expect.stringContaining('no template') } },
    ])
  })

  it('starts once its journal can be read, and logs until then why it cannot', async () => {
    const bench = await startSettled()
    bench.life.kill()
    const read = bench.disk.read
    bench.disk.read = () => Promise.reject(new Error('input/output error'))
    const logger = capturingLogger()
    bench.restart({ logger })
    bench.wants(4)
    await bench.pass(30)
    expect(bench.calls.launches).toEqual([])
    expect(new Set(logger.lines)).toEqual(
      new Set([
        'error the journal of the pool cannot be read {"pool":"default","error":"input/output error"}',
      ]),
    )
    bench.disk.read = read
    await bench.pass(20)
    expect(bench.calls.launches).toHaveLength(1)
  })
})

describe('a deadline', () => {
  it('ends the wait and the call, whether the task reacts or not', async () => {
    const clock = createVirtualClock(0)
    let aborted = false
    const call = withDeadline(clock, 1000, 'the call', (signal) => {
      signal.addEventListener('abort', () => {
        aborted = true
      })
      return new Promise(() => {})
    })
    const outcome = expect(call).rejects.toMatchObject({ code: 'CALL_TIMED_OUT' })
    await clock.run(() => false)
    await outcome
    expect(aborted).toBe(true)
    expect(clock.now()).toBe(1000)
  })

  it('leaves no timer behind when the call is over in time', async () => {
    const clock = createVirtualClock(0)
    expect(await withDeadline(clock, 1000, 'the call', async () => 'done')).toBe('done')
    await clock.run(() => false)
    expect(clock.now()).toBe(0)
  })
})
