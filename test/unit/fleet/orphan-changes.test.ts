// What the search for orphans does between its intervals, and what it logs.
import { describe, expect, it } from 'vitest'
import { capturingLogger } from '../../support/capturing-logger.ts'
import { startWatch } from '../../support/orphan-bench.ts'
import { minute, second } from '../../support/planner.ts'

describe('a change that the master reports', () => {
  it('in the pool of our own orphan, which was busy, starts a search at once; one in another pool does not', async () => {
    const bench = startWatch({ rules: () => ({ terminateAfter: 0, terminateUnknown: false }) })
    const [id] = bench.own as [string]
    bench.joins(id, true)
    await bench.pass(5 * minute)
    expect(bench.nextOf(id)).toEqual({ kind: 'keep', why: 'busy' })
    const lookedAt = () => bench.watch.status().at!
    // Right after one of the usual searches, with which those of a change must not be mixed up.
    const usual = lookedAt()
    while (lookedAt() === usual) await bench.pass(second)
    await bench.pass(10 * second)
    const before = lookedAt()
    bench.changes('current')
    bench.changes('elsewhere')
    await bench.pass(second)
    expect(lookedAt()).toBe(before)
    Object.assign(bench.agents.get(id)!, { busy: false, freeSlots: 4 })
    bench.changes('old')
    await bench.pass(second)
    expect(lookedAt()).toBeGreaterThan(before)
    expect(bench.live()).not.toContain(id)
  })
})

describe('a termination of orphans', () => {
  it('is logged with their ids, as a warning', async () => {
    const logger = capturingLogger()
    const bench = startWatch({ logger, rules: () => ({ terminateAfter: 0, terminateUnknown: true }) })
    await bench.pass(minute)
    for (const id of bench.own) expect(bench.live()).not.toContain(id)
    expect(logger.lines).toEqual([
      `warn terminating instances that belong to no configured pool {"ids":"${bench.own.join()}","provider":"simulated"}`,
    ])
  })
})
