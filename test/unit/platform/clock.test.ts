// The machine's clock is set now and then. Time as the loops see it never goes back, and soon catches up when it was behind.
import { describe, expect, it } from 'vitest'
import { steadyNow, systemClock } from '../../../src/platform/clock.ts'

function machine(wall: number, ticks: number) {
  const state = { wall, ticks }
  const pass = (ms: number) => {
    state.wall += ms
    state.ticks += ms
  }
  return {
    state,
    pass,
    now: steadyNow(
      () => state.wall,
      () => state.ticks,
    ),
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

  it('goes on while the clock is set back', () => {
    const { state, pass, now } = machine(10_000_000, 0)
    state.wall -= 3_600_000
    pass(5_000)
    expect(now()).toBe(10_005_000)
    pass(5_000)
    expect(now()).toBe(10_010_000)
  })

  it('follows when the clock is set forward, or the machine has slept', () => {
    const { state, pass, now } = machine(10_000_000, 0)
    state.wall += 3_600_000
    pass(1_000)
    expect(now()).toBe(13_601_000)
    pass(1_000)
    expect(now()).toBe(13_602_000)
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
