// A start while the database is not there yet.
import { describe, expect, it } from 'vitest'
import { type ProblemCode, ProvisionError, problem } from '../../../src/problems/index.ts'
import { onceThere } from '../../../src/provisioner/daemon.ts'
import { capturingLogger } from '../../support/capturing-logger.ts'
import { FakeClock } from '../../support/fake-clock.ts'

function world(...refusals: ProblemCode[]) {
  const [clock, logger, stop] = [new FakeClock(), capturingLogger(), new AbortController()]
  let attempts = 0
  const hold = async () => {
    const code = refusals[attempts++]
    if (code) throw new ProvisionError(problem(code, `no: ${code}`))
    return 'held'
  }
  const begin = () => {
    let outcome = 'waits'
    onceThere(hold, { clock, logger, random: () => 0, signal: stop.signal }).then(
      (held) => (outcome = held),
      (error: ProvisionError) => (outcome = String(error.code)),
    )
    return () => outcome
  }
  return { clock, logger, stop, begin, attempts: () => attempts }
}

describe('a start', () => {
  it('waits for a database that cannot be reached or written yet, and logs each reason once', async () => {
    const many = Array.from({ length: 20 }, (): ProblemCode => 'STATE_UNREACHABLE')
    const { clock, logger, begin, attempts } = world(...many, 'STATE_READ_ONLY', 'STATE_READ_ONLY')
    const outcome = begin()
    await clock.advance(60_000)
    expect([outcome(), attempts() > 10]).toEqual(['waits', true])
    await clock.advance(60_000)
    expect(outcome()).toBe('held')
    expect(logger.lines.map((line) => line.replace(/ \{.*/, ''))).toEqual([
      'warn waiting for the state: nothing is started until it can be used',
      'warn waiting for the state: nothing is started until it can be used',
      'info the state can be used; the start continues',
    ])
    expect(logger.lines.join()).toContain('Start the database')
  })

  it('fails at once for what a person must correct, even after a wait', async () => {
    const { clock, begin } = world('STATE_UNREACHABLE', 'STATE_REFUSED')
    const outcome = begin()
    await clock.advance(5_000)
    expect(outcome()).toBe('STATE_REFUSED')
  })

  it('stops waiting when it is told to', async () => {
    const { clock, stop, begin } = world('STATE_UNREACHABLE', 'STATE_UNREACHABLE', 'STATE_UNREACHABLE')
    const outcome = begin()
    await clock.advance(100)
    stop.abort()
    await clock.advance(1)
    expect(outcome()).toBe('STATE_UNREACHABLE')
  })
})
