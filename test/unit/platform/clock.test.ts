// The machine's clock may be set at any time. The steady time does not change; only a suspend makes it jump.
import { describe, expect, it } from 'vitest'
import { bootMark } from '../../../src/platform/boot.ts'
import { steadyNow, systemClock, wallTime } from '../../../src/platform/clock.ts'

function machine(wall: number, ticks: number, uptime?: number) {
  const state = { wall, ticks, uptime }
  const pass = (ms: number) => {
    state.wall += ms
    state.ticks += ms
    if (state.uptime !== undefined) state.uptime += ms
  }
  return {
    state,
    pass,
    now: steadyNow({ wall: () => state.wall, ticks: () => state.ticks, uptime: () => state.uptime }),
  }
}

describe('time', () => {
  it('is the time of day, in whole milliseconds', () => {
    const { pass, now } = machine(1_000_000, 12.345)
    expect(now()).toBe(1_000_000)
    pass(1500.6)
    expect(now()).toBe(1_001_500)
    expect(Math.abs(systemClock.now() - Date.now())).toBeLessThan(2_000)
  })

  it('advances while the clock is set back', () => {
    const { state, pass, now } = machine(10_000_000, 0)
    now()
    state.wall -= 3_600_000
    pass(5_000)
    expect(now()).toBe(10_005_000)
    pass(5_000)
    expect(now()).toBe(10_010_000)
  })

  it('advances while the clock is set forward, by a little or by much', () => {
    const { state, pass, now } = machine(10_000_000, 0, 77)
    expect(now()).toBe(10_000_000)
    for (const step of [999, 1_001, 3_600_000, 7 * 86_400_000]) state.wall += step
    pass(1_000)
    expect(now()).toBe(10_001_000)
    pass(10_000)
    expect(now()).toBe(10_011_000)
  })

  it('counts the time of a suspend, whatever the clock shows afterwards', () => {
    const { state, pass, now } = machine(10_000_000, 0, 500_000)
    expect(now()).toBe(10_000_000)
    state.uptime = 500_000 + 3_600_000
    state.wall -= 5_000
    pass(1_000)
    expect(now()).toBe(13_601_000)
    pass(1_000)
    expect(now()).toBe(13_602_000)
  })

  it('reads the uptime at most once a second, and works without it', () => {
    let reads = 0
    let ticks = 0
    const uptime = () => {
      reads++
      return reads > 2 ? undefined : ticks
    }
    const now = steadyNow({ wall: () => 1000, ticks: () => ticks, uptime })
    for (ticks = 0; ticks < 5_000; ticks += 10) expect(now()).toBe(1000 + ticks)
    expect(reads).toBeLessThan(8)
  })

  it('never goes back, whatever the clock does', () => {
    const { state, pass, now } = machine(10_000_000, 0)
    let last = now()
    for (const step of [700, -700, 999, -5_000, 2_000_000, -3_000_000, 1_500, -10]) {
      state.wall += step
      pass(1)
      expect(now()).toBeGreaterThanOrEqual(last)
      last = now()
    }
  })
})

it('marks a moment of this boot of the machine', () => {
  const [first, second] = [bootMark(), bootMark()]
  if (process.platform !== 'linux') return
  expect(first?.boot).toMatch(/^[0-9a-f-]{36}$/)
  expect(second?.boot).toBe(first?.boot)
  expect(second!.uptime).toBeGreaterThanOrEqual(first!.uptime)
  expect(first!.uptime).toBeGreaterThan(1000)
})

it('the time of day is that of the clock if it has one', () => {
  expect(wallTime({ ...systemClock, wall: () => 7 })).toBe(7)
  expect(wallTime({ now: () => 8, sleep: async () => {} })).toBe(8)
})
