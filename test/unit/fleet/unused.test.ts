// What launches made besides instances: deleted when no instance needs it, whatever its pool became.
import { describe, expect, it } from 'vitest'
import { startWatch } from '../../support/orphan-bench.ts'
import { hour, minute, second } from '../../support/planner.ts'
import { silentLogger } from '../../support/silent-logger.ts'

describe('what launches made besides instances', () => {
  /** A watch over a cluster in which `left` things are left, and the intents that it counts as used at each call. */
  function tidied(left: () => number, makesMore = false) {
    const calls: { at: number; used: string[] }[] = []
    const intents = ['old us', 'elsewhere them', 'current us', 'never launched']
    const bench = startWatch({
      makesMore: () => makesMore,
      // Orphans are looked for more often.
      isConfigured: () => true,
      wrap: (cluster) => ({
        ...cluster,
        async deleteUnused(isUsed) {
          calls.push({ at: bench.clock.now(), used: intents.filter(isUsed) })
          return left()
        },
      }),
    })
    return { ...bench, calls }
  }

  it('is deleted at the start and every hour, except what an instance of its launch needs', async () => {
    const { pass, calls } = tidied(() => 0)
    await pass(2 * hour + minute)
    expect(calls.length).toBeGreaterThanOrEqual(3)
    expect(calls.length).toBeLessThanOrEqual(6)
    expect(calls[0]!.used).toEqual(['old us', 'elsewhere them', 'current us'])
  })

  it('is needed until the last instance is terminated', async () => {
    const { pass, calls, own, cloud, watch } = tidied(() => 0)
    await pass(minute)
    for (const id of own) cloud.instances.get(id)!.instance.state = 'stopping'
    watch.look()
    await pass(minute)
    expect(calls.at(-1)!.used).toContain('old us')
    for (const id of own) cloud.instances.get(id)!.instance.state = 'terminated'
    watch.look()
    await pass(minute)
    expect(calls.at(-1)!.used).not.toContain('old us')
  })

  it.each([
    ['something is left', () => tidied(() => 1)],
    ['a configured pool makes more', () => tidied(() => 0, true)],
  ])('is looked for every five minutes while %s', async (_, start) => {
    const { pass, calls } = start()
    await pass(hour)
    expect(calls.length).toBeGreaterThanOrEqual(12)
  })

  it('may be refused: the instances are reported all the same', async () => {
    const lines: string[] = []
    const refusing = (makesMore: boolean) =>
      startWatch({
        makesMore: () => makesMore,
        logger: {
          ...silentLogger,
          warn: (message) => lines.push(`warn ${message}`),
          debug: (message) => lines.push(`debug ${message}`),
        },
        wrap: (cluster) => ({ ...cluster, deleteUnused: () => Promise.reject(new Error('not allowed')) }),
      })
    const said = 'what launches made besides instances was not deleted'
    const bench = refusing(false)
    await bench.pass(second)
    expect(bench.watch.status()).toMatchObject({ problems: [], orphans: [{}, {}, {}] })
    expect(lines).toEqual([`debug ${said}`])
    await refusing(true).pass(second)
    expect(lines.at(-1)).toBe(`warn ${said}`)
  })
})
