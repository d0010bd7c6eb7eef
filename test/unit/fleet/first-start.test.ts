// The very first start: there can be no instances, so it does not wait a minute for listings.
import { describe, expect, it } from 'vitest'
import { simulatedProvider } from '../../../src/simulator/provider.ts'
import { codesOf, owner, type PoolBench, startBench } from '../../support/pool-bench.ts'

type Changes = Parameters<PoolBench['restart']>[0]

/** Seconds from the start until the first launch for a job. */
async function secondsToLaunch(bench: PoolBench, changes: Changes): Promise<number> {
  bench.life.kill()
  bench.disk.erase()
  bench.restart(changes)
  bench.wants(4)
  const before = bench.calls.launches.length
  for (let seconds = 0; seconds < 120; seconds++) {
    if (bench.calls.launches.length > before) return seconds
    await bench.pass(1)
  }
  return Number.POSITIVE_INFINITY
}

describe('without a journal', () => {
  it('a first start with nothing of the cluster in the cloud waits ten seconds, and reports until when', async () => {
    const bench = await startBench()
    bench.life.kill()
    bench.disk.erase()
    bench.restart({ isFirstStart: true })
    bench.wants(4)
    await bench.pass(3)
    const [hold] = bench.fleet.status().blocked
    expect(hold!.code).toBe('JOURNAL_MISSING')
    expect(hold!.numbers.retryAt! - bench.now()).toBeLessThanOrEqual(10_000)
    expect(await secondsToLaunch(bench, { isFirstStart: true })).toBeLessThanOrEqual(16)
  })

  it('any other start waits a minute', async () => {
    const bench = await startBench()
    expect(await secondsToLaunch(bench, {})).toBeGreaterThanOrEqual(60)
  })

  it('an instance of the cluster, even a terminated one, is evidence of an earlier run', async () => {
    const bench = await startBench()
    bench.faults.lingersFor = () => 3_600_000
    await secondsToLaunch(bench, {})
    void bench.fleet.clear(10_000)
    await bench.pass(10)
    expect(await secondsToLaunch(bench, { isFirstStart: true })).toBeGreaterThanOrEqual(60)
  })

  it('so is one of another pool, and a cloud that does not respond', async () => {
    const bench = await startBench()
    const provider = simulatedProvider(bench.cloud, owner)
    for (const hasTraces of [
      async () => true,
      async () => Promise.reject(new Error('not allowed')),
      undefined,
    ]) {
      const { hasTraces: _, ...rest } = provider
      const changed = hasTraces ? { ...rest, hasTraces } : rest
      bench.life.kill()
      bench.restart({ provider: changed, isFirstStart: true })
      await bench.pass(30)
      expect(codesOf(bench)).toContain('JOURNAL_MISSING')
      bench.disk.erase()
    }
  })

  it.each(['a stop', 'a crash'])(
    '%s begins no new journal before the cloud was listed for a minute',
    async (end) => {
      const bench = await startBench()
      bench.life.kill()
      bench.disk.erase()
      // No listing is complete: every minute the journal would be compacted.
      const provider = simulatedProvider(bench.cloud, owner)
      const list = async () => ({ instances: [], complete: false, problems: [] })
      bench.restart({ provider: { ...provider, list } })
      await bench.pass(150)
      if (end === 'a stop') {
        void bench.fleet.stop()
        await bench.pass(20)
      }
      bench.life.kill()
      bench.restart()
      bench.wants(4)
      await bench.pass(30)
      expect(codesOf(bench)).toContain('JOURNAL_MISSING')
      expect(bench.calls.launches).toEqual([])
    },
  )
})
