// The rate of join requests: for each address, for all together, and in bounded memory.
import { describe, expect, it } from 'vitest'
import type { JoinLimits } from '../../../src/join/index.ts'
import { createLimiter, defaultLimits, networkOf } from '../../../src/join/limits.ts'
import { FakeClock } from '../../support/fake-clock.ts'

const limits: Omit<JoinLimits, 'atOnce' | 'refusalAfter'> = {
  perAddress: { burst: 5, perSecond: 2 },
  overall: { burst: 20, perSecond: 10 },
  rare: { burst: 3, perSecond: 0.1 },
  kept: { burst: 8, perSecond: 1 },
  addresses: 50,
}
const grants = (take: (address: string) => number | undefined, count: number, address: string) =>
  Array.from({ length: count }, () => take(address)).filter((wait) => wait === undefined).length

describe('requests', () => {
  it('of one address are limited to a burst and a rate, others are not', async () => {
    const clock = new FakeClock()
    const { take } = createLimiter(clock, limits)
    expect(grants(take, 50, '10.0.0.1')).toBe(5)
    expect(take('10.0.0.1')).toBe(1)
    expect(grants(take, 5, '10.0.0.2')).toBe(5)
    await clock.advance(3_000)
    expect(grants(take, 50, '10.0.0.1')).toBe(5)
    await clock.advance(1_000)
    expect(grants(take, 50, '10.0.0.1')).toBe(2)
  })

  it('of all addresses are limited together', async () => {
    const clock = new FakeClock()
    const { take } = createLimiter(clock, limits)
    const each = Array.from({ length: 100 }, (_, n) => `10.0.1.${n}`)
    expect(each.filter((address) => take(address) === undefined)).toHaveLength(28)
    await clock.advance(1_000)
    expect(each.filter((address) => take(address) === undefined)).toHaveLength(11)
  })

  it('of who asks rarely are answered, however much a few others ask', async () => {
    const clock = new FakeClock()
    const { take } = createLimiter(clock, defaultLimits)
    const flood = Array.from({ length: 8 }, (_, n) => `10.0.0.${n}`)
    let [refused, answered] = [0, 0]
    for (let tenth = 0; tenth < 3_000; tenth++) {
      for (const address of flood) answered += grants(take, 20, address)
      // A challenge and a join each second, each time from another instance, and after its restart again.
      if (tenth % 10 === 5)
        for (let n = 0; n < 2; n++) if (take(`10.1.${(tenth / 10) & 127}.1`) !== undefined) refused++
      await clock.advance(100)
    }
    expect(refused).toBe(0)
    // In five minutes; of the reserve they get what one who asks rarely would.
    const { burst, perSecond } = defaultLimits.overall
    expect(answered).toBeLessThan(
      burst + 300 * perSecond + 8 * (defaultLimits.rare.burst + 300 * defaultLimits.rare.perSecond),
    )
  })

  it('that are refused take nothing: the wait is the time until the next one is granted', async () => {
    const clock = new FakeClock()
    const { take } = createLimiter(clock, { ...limits, perAddress: { burst: 1, perSecond: 0.2 } })
    expect(take('a')).toBeUndefined()
    for (let n = 0; n < 30; n++) expect(take('a')).toBe(5)
    await clock.advance(4_000)
    expect(take('a')).toBe(1)
    await clock.advance(1_000)
    expect(take('a')).toBeUndefined()
  })

  it('of more addresses than are remembered need no more memory', async () => {
    const clock = new FakeClock()
    const overall = { burst: 1e6, perSecond: 1e6 }
    const limiter = createLimiter(clock, { ...limits, overall })
    for (let n = 0; n < 5_000; n++) limiter.take(`10.${n >> 8}.${n & 255}.1`)
    expect(limiter.size).toBe(50)
    await clock.advance(60_000)
    limiter.take('10.0.0.1')
    expect(limiter.size).toBe(1)
  })

  it('of a thousand instances behind one gateway are answered within a minute', async () => {
    const clock = new FakeClock()
    const { take } = createLimiter(clock, defaultLimits)
    let granted = 0
    for (let second = 0; second < 60; second++) {
      granted += grants(take, 200, '10.0.0.1')
      await clock.advance(1_000)
    }
    expect(granted).toBeGreaterThan(2_000)
  })
})

describe('an address', () => {
  it.each([
    ['10.0.0.1', '10.0.0.1'],
    ['::ffff:10.0.0.1', '10.0.0.1'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2'],
    ['2001:DB8:0001:2::9', '2001:db8:1:2'],
    ['2001:db8::1', '2001:db8:0:0'],
    ['::1', '0:0:0:0'],
    ['fe80::1%eth0', 'fe80:0:0:0'],
    ['', ''],
  ])('%s is of the network %s', (address, network) => {
    expect(networkOf(address)).toBe(network)
  })
})
