// What the search for orphans has noted, and reads of others: it drains and terminates nothing without that.
import { describe, expect, it } from 'vitest'
import { startWatch } from '../../support/orphan-bench.ts'
import { hour, minute } from '../../support/planner.ts'

/** Notes of drains, which can fail to be stored. */
function keptDrains() {
  const kept = {
    ids: new Set<string>(),
    isBroken: false,
    drained: () => kept.ids,
    async addDrained(ids: readonly string[]) {
      if (kept.isBroken) throw new Error('the database is gone')
      for (const id of ids) kept.ids.add(id)
    },
    async removeDrained(ids: readonly string[]) {
      if (kept.isBroken) throw new Error('the database is gone')
      for (const id of ids) kept.ids.delete(id)
    },
  }
  return kept
}

describe('agents that an earlier process drained as orphans', () => {
  it('are undrained when their pool is configured again', async () => {
    const kept = keptDrains()
    const bench = startWatch({ isConfigured: () => true, drained: kept })
    kept.ids.add(bench.own[0]!)
    await bench.pass(minute)
    expect(bench.state.undrains).toEqual([bench.own[0]])
    expect([...kept.ids]).toEqual([])
  })

  it('are remembered as long as they are drained', async () => {
    const kept = keptDrains()
    const bench = startWatch({ drained: kept, rules: () => ({ terminateAfter: 0, terminateUnknown: false }) })
    bench.joins(bench.own[0]!, true)
    await bench.pass(5 * minute)
    expect([...kept.ids]).toEqual([bench.own[0]])
    void bench.watch.stop()
    await bench.pass(minute)
    expect([...kept.ids]).toEqual([])
  })

  it('are not drained while that cannot be noted', async () => {
    const kept = keptDrains()
    const bench = startWatch({ drained: kept, rules: () => ({ terminateAfter: 0, terminateUnknown: false }) })
    bench.joins(bench.own[0]!, true)
    kept.isBroken = true
    await bench.pass(5 * minute)
    expect(bench.state.drains).toEqual([])
    kept.isBroken = false
    await bench.pass(5 * minute)
    expect(bench.state.drains).toEqual([bench.own[0]])
  })

  it('do not end the search when they cannot be forgotten', async () => {
    const kept = keptDrains()
    const bench = startWatch({ isConfigured: () => true, drained: kept })
    kept.ids.add(bench.own[0]!)
    kept.isBroken = true
    await bench.pass(minute)
    expect(bench.state.undrains).toEqual([bench.own[0]])
    expect(bench.watch.status()).toMatchObject({ problems: [], at: expect.any(Number) })
  })

  it('are forgotten when their instance was terminated', async () => {
    const kept = keptDrains()
    const bench = startWatch({ drained: kept, rules: () => ({ terminateAfter: 0, terminateUnknown: false }) })
    for (const id of bench.own) bench.joins(id)
    await bench.pass(5 * minute)
    for (const id of bench.own) expect(bench.live()).not.toContain(id)
    expect([...kept.ids]).toEqual([])
  })
})

describe('what other provisioners have noted', () => {
  it('is read before each search; while it cannot be, nothing is terminated, and the search is tried again soon', async () => {
    let reads = 0
    let isBroken = true
    const bench = startWatch({
      async refresh() {
        reads++
        if (isBroken) throw new Error('the database is gone')
      },
      rules: () => ({ terminateAfter: 0, terminateUnknown: true }),
    })
    await bench.pass(hour)
    expect(reads).toBeGreaterThanOrEqual(10)
    expect(bench.live()).toEqual(expect.arrayContaining(bench.own))
    expect(bench.watch.status().at).toBeUndefined()
    isBroken = false
    await bench.pass(10 * minute)
    for (const id of bench.own) expect(bench.live()).not.toContain(id)
  })

  it('must contain the account before its instances are judged', async () => {
    let isBroken = true
    const bench = startWatch({
      wrap: (cluster) => ({
        ...cluster,
        list: async (signal) => ({ ...(await cluster.list(signal)), account: '123456789012' }),
      }),
      async onAccount() {
        if (isBroken) throw new Error('the database is gone')
      },
      rules: () => ({ terminateAfter: 0, terminateUnknown: true }),
    })
    await bench.pass(20 * minute)
    expect(bench.live()).toEqual(expect.arrayContaining(bench.own))
    expect(bench.watch.status().problems[0]!.message).toContain('the database is gone')
    isBroken = false
    await bench.pass(20 * minute)
    for (const id of bench.own) expect(bench.live()).not.toContain(id)
  })
})
