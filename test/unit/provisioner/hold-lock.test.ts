// A lock that cannot be kept fresh for a while is not one that nobody looks after any more.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { holdLock } from '../../../src/provisioner/state.ts'
import { capturingLogger } from '../../support/capturing-logger.ts'
import { FakeClock } from '../../support/fake-clock.ts'

it('tells that it could not be kept fresh, and still notices when another process takes the folder over', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'lock-'))
  const clock = new FakeClock()
  const logger = capturingLogger()
  let broken = false
  const failing = {
    sleep: clock.sleep.bind(clock),
    now(): number {
      if (broken) throw new Error('the disk does not answer')
      return clock.now()
    },
  }
  let lost = 0
  const release = holdLock(folder, failing, logger, () => lost++)
  broken = true
  await clock.advance(20_000)
  broken = false
  expect(logger.lines.join()).toContain('could not be kept fresh')
  writeFileSync(join(folder, 'lock'), JSON.stringify({ nonce: 'of another', pid: 1, host: 'elsewhere' }))
  await clock.advance(20_000)
  expect(lost).toBe(1)
  release()
  rmSync(folder, { recursive: true })
})
