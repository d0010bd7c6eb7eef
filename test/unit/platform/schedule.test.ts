import { describe, expect, it } from 'vitest'
import { createSchedule, windowFault } from '../../../src/platform/schedule.ts'

const hour = 3_600_000
const at = (text: string) => Date.parse(text)

describe('a schedule', () => {
  it('is open from each time of its expression for the duration, in UTC', () => {
    const nights = createSchedule([{ cron: '0 22 * * 1-5', duration: 8 * hour }])
    const states = [
      ['2026-11-23T21:59:59.999Z', false],
      ['2026-11-23T22:00:00.000Z', true],
      ['2026-11-24T05:59:59.999Z', true],
      ['2026-11-24T06:00:00.000Z', false],
      // Friday's window ends on Saturday; Saturday has none.
      ['2026-11-28T05:00:00.000Z', true],
      ['2026-11-28T23:00:00.000Z', false],
    ] as const
    expect(states.map(([time]) => nights.isOpen(at(time)))).toEqual(states.map(([, open]) => open))
    expect(nights.opensAt(at('2026-11-28T12:00:00Z'))).toBe(at('2026-11-30T22:00:00Z'))
    expect(nights.opensAt(at('2026-11-23T22:00:00Z'))).toBe(at('2026-11-24T22:00:00Z'))
  })

  it('is open when any of its windows is', () => {
    const both = createSchedule([
      { cron: '0 2 * * *', duration: hour },
      { cron: '0 12 * * 0', duration: hour },
    ])
    expect(both.isOpen(at('2026-11-29T12:30:00Z'))).toBe(true)
    expect(both.isOpen(at('2026-11-30T12:30:00Z'))).toBe(false)
    expect(both.opensAt(at('2026-11-28T03:00:00Z'))).toBe(at('2026-11-29T02:00:00Z'))
  })

  it('follows a time zone through the change of the clocks', () => {
    const berlin = createSchedule([{ cron: '30 3 * * *', duration: hour, timeZone: 'Europe/Berlin' }])
    expect(berlin.opensAt(at('2026-03-28T12:00:00Z'))).toBe(at('2026-03-29T01:30:00Z'))
    expect(berlin.opensAt(at('2026-03-27T12:00:00Z'))).toBe(at('2026-03-28T02:30:00Z'))
  })

  it('lasts as long as its windows overlap', () => {
    const always = createSchedule([{ cron: '0 * * * *', duration: hour }])
    for (let now = at('2026-11-23T12:00:00Z'); now < at('2026-11-23T16:00:00Z'); now += 7 * 60_000)
      expect(always.isOpen(now)).toBe(true)
  })
})

describe('a window that cannot be', () => {
  it('is reported with the field and the reason', () => {
    expect(windowFault({ cron: '0 22 * * 1-5' })).toBeUndefined()
    expect(windowFault({ cron: '@daily', timeZone: 'Asia/Tokyo' })).toBeUndefined()
    expect(windowFault({ cron: '61 * * * *' })).toMatchObject({ field: 'cron' })
    expect(windowFault({ cron: 'at night' })).toMatchObject({ field: 'cron' })
    expect(windowFault({ cron: '0 0 22 * * *' })).toMatchObject({ field: 'cron' })
    expect(windowFault({ cron: '0 0 30 2 *' })).toEqual({ field: 'cron', why: 'a time that never comes' })
    expect(windowFault({ cron: '@daily', timeZone: 'Europe/Berln' })).toMatchObject({ field: 'timeZone' })
  })
})
