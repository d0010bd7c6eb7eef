// The log of what happens to pools: each of a few pools has a line; many that report the same are collected.
import { describe, expect, it } from 'vitest'
import type { FleetEvent } from '../../../src/fleet/index.ts'
import { problem } from '../../../src/problems/index.ts'
import { createEventLog } from '../../../src/provisioner/event-log.ts'
import { capturingLogger } from '../../support/capturing-logger.ts'
import { FakeClock } from '../../support/fake-clock.ts'

function openLog() {
  const [logger, clock] = [capturingLogger(), new FakeClock()]
  return { ...createEventLog({ logger, clock }), clock, lines: logger.lines }
}

const failedOf = (n: number): FleetEvent => ({
  at: 0,
  kind: 'problem',
  pool: `pool-${n}`,
  problem: problem('PROVIDER_TRANSIENT', 'the cloud did not respond'),
})
const blockedOf = (n: number, retryAt: number): FleetEvent => ({
  at: 0,
  kind: 'blocked',
  pool: `pool-${n}`,
  reasons: [{ code: 'LISTING_MISSING', numbers: { retryAt } }],
})

describe('the log of events', () => {
  it('has one line for the fourth and all further pools that report the same problem', async () => {
    const { add, clock, lines } = openLog()
    for (let n = 1; n <= 100; n++) add(failedOf(n))
    expect(lines.map((line) => /pool-\d+/.exec(line)![0])).toEqual(['pool-1', 'pool-2', 'pool-3'])
    await clock.advance(2_000)
    expect(lines).toHaveLength(4)
    expect(lines[3]).toContain('"pools":"pool-4,pool-5,')
    expect(lines[3]).toContain('and 77 more","count":97,"code":"PROVIDER_TRANSIENT"')
  })

  it('collects the reasons why pools are blocked, and their end', async () => {
    const { add, clock, lines } = openLog()
    for (let n = 1; n <= 5; n++) add(blockedOf(n, 1_800_000_000_000))
    await clock.advance(2_000)
    for (let n = 1; n <= 5; n++) add({ at: 0, kind: 'blocked', pool: `pool-${n}`, reasons: [] })
    await clock.advance(2_000)
    expect(lines.filter((line) => line.includes('"pools":"pool-4,pool-5","count":2'))).toEqual([
      'info blocked {"pools":"pool-4,pool-5","count":2,"code":"LISTING_MISSING","retryAt":"2027-01-15T08:00:00.000Z"}',
      'info no longer blocked {"pools":"pool-4,pool-5","count":2}',
    ])
  })

  it('has a line of its own for what differs, for what happens later, and for the same pool again', async () => {
    const { add, clock, lines } = openLog()
    for (let n = 1; n <= 4; n++) add(blockedOf(n, n))
    expect(lines).toHaveLength(4)
    for (let n = 1; n <= 3; n++) add(failedOf(n))
    add(failedOf(3))
    expect(lines).toHaveLength(8)
    await clock.advance(2_000)
    add(failedOf(4))
    expect(lines).toHaveLength(9)
  })

  it('loses nothing when it is closed', () => {
    const { add, close, lines } = openLog()
    for (let n = 1; n <= 4; n++) add(failedOf(n))
    close()
    expect(lines.at(-1)).toContain('"pools":"pool-4","count":1')
  })

  it('logs a launch that gave nothing as refused', () => {
    const { add, lines } = openLog()
    add({ at: 0, kind: 'launched', pool: 'gpu', intentId: 'intent', ids: [], missing: 2 })
    add({ at: 0, kind: 'launched', pool: 'gpu', intentId: 'intent', ids: ['i-1'], missing: 1 })
    expect(lines).toEqual([
      'info launch refused {"pool":"gpu","missing":2}',
      'info launched {"pool":"gpu","ids":"i-1","count":1,"missing":1}',
    ])
  })
})
