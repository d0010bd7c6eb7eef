// When a master that does not respond is polled again, and what is logged in the meantime.
import { describe, expect, it } from 'vitest'
import { watchOutage } from '../../../../src/demand/determined/failures.ts'
import { type ProblemCode, ProvisionError, problem } from '../../../../src/problems/index.ts'
import { capturingLogger } from '../../../support/capturing-logger.ts'
import { FakeClock } from '../../../support/fake-clock.ts'

function outage(random = () => 0) {
  const clock = new FakeClock()
  const logger = capturingLogger()
  const signal = new AbortController().signal
  const watched = watchOutage({ clock, random, logger, signal })
  let asked = 0
  const fail = (message = 'gone', code: ProblemCode = 'DETERMINED_UNREACHABLE') =>
    watched
      .attempt(async () => {
        asked++
        throw new ProvisionError(problem(code, message))
      })
      .catch((error: ProvisionError) => error.code)
  return { clock, logger, watched, fail, asked: () => asked }
}

describe('a master that fails', () => {
  it.each<[ProblemCode, number[]]>([
    ['DETERMINED_FAULT', [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]],
    ['DETERMINED_UNREACHABLE', [1_000, 2_000, 4_000, 4_000, 4_000, 4_000, 4_000]],
  ])(
    'is polled again after one second, then after twice as long, up to a limit: %s',
    async (code, expected) => {
      const { clock, watched, fail } = outage()
      const waits: number[] = []
      for (let i = 0; i < 7; i++) {
        await fail('gone', code)
        waits.push(watched.wait())
        await clock.advance(watched.wait())
      }
      expect(waits).toEqual(expected)
    },
  )

  it('is polled up to a quarter later at random, so that provisioners do not poll at the same time', async () => {
    const { watched, fail } = outage(() => 0.999)
    await fail()
    expect(watched.wait()).toBeGreaterThan(1_200)
    expect(watched.wait()).toBeLessThanOrEqual(1_250)
  })

  it('is not polled earlier: the result is the last failure', async () => {
    const { clock, fail, asked } = outage()
    await fail()
    expect(await fail()).toBe('DETERMINED_UNREACHABLE')
    expect(asked()).toBe(1)
    await clock.advance(1_000)
    await fail()
    expect(asked()).toBe(2)
  })

  it('is logged once, again when the failure changes, and when it responds', async () => {
    const { clock, logger, watched, fail } = outage()
    await fail()
    await clock.advance(1_000)
    await fail()
    await clock.advance(2_000)
    await fail('another reason')
    expect(watched.problem()).toMatchObject({ message: 'another reason' })
    await clock.advance(4_000)
    expect(await watched.attempt(async () => 'fine')).toBe('fine')
    expect(watched.problem()).toBeUndefined()
    expect(watched.wait()).toBe(0)
    expect(logger.lines.map((line) => line.split(' {')[0])).toEqual([
      'warn the Determined master cannot be used; launches and terminations are paused',
      'warn the Determined master cannot be used; launches and terminations are paused',
      'info the Determined master responds again',
    ])
    expect(logger.lines.at(-1)).toContain('{"seconds":7}')
  })

  it('starts with the shortest pause again after a response', async () => {
    const { clock, watched, fail } = outage()
    for (let i = 0; i < 4; i++) {
      await fail()
      await clock.advance(watched.wait())
    }
    await watched.attempt(async () => {})
    await fail()
    expect(watched.wait()).toBe(1_000)
  })
})
