// The newest image is asked for only where it is wanted, and a failure of the cloud changes nothing.
import { expect, it } from 'vitest'
import { watchNewestImage } from '../../../src/rollout/newest-image.ts'
import { capturingLogger } from '../../support/capturing-logger.ts'
import { FakeClock } from '../../support/fake-clock.ts'

const minute = 60_000

function watched() {
  const clock = new FakeClock()
  const logger = capturingLogger()
  const cloud = { image: 'ami-1' as string | undefined, isDown: false, asked: 0, isWanted: true }
  const watch = watchNewestImage({
    pool: 'gpu',
    provider: {
      async newestImage() {
        cloud.asked++
        if (cloud.isDown) throw new Error('no answer')
        return cloud.image
      },
    },
    isWanted: () => cloud.isWanted,
    clock,
    logger,
  })
  return { clock, logger, cloud, watch }
}

it('is asked for at the start, and again after ten minutes', async () => {
  const { clock, cloud, watch } = watched()
  await clock.advance(minute)
  expect(watch.current()).toBe('ami-1')
  cloud.image = 'ami-2'
  await clock.advance(8 * minute)
  expect([watch.current(), cloud.asked]).toEqual(['ami-1', 1])
  await clock.advance(2 * minute)
  expect([watch.current(), cloud.asked]).toEqual(['ami-2', 2])
  watch.stop()
  await clock.advance(60 * minute)
  expect(cloud.asked).toBe(2)
})

it('is not asked for while images are pinned, and a minute after a reload that wants it at the latest', async () => {
  const { clock, cloud, watch } = watched()
  cloud.isWanted = false
  // The first question was sent at once.
  await clock.advance(30 * minute)
  expect([watch.current(), cloud.asked]).toEqual([undefined, 1])
  cloud.isWanted = true
  cloud.image = 'ami-2'
  await clock.advance(minute)
  expect([watch.current(), cloud.asked]).toEqual(['ami-2', 2])
})

it('keeps the last answer while the cloud has none, and says so once', async () => {
  const { clock, logger, cloud, watch } = watched()
  await clock.advance(minute)
  cloud.isDown = true
  await clock.advance(30 * minute)
  expect(watch.current()).toBe('ami-1')
  expect(cloud.asked).toBeGreaterThan(10)
  expect(logger.lines.filter((line) => line.startsWith('warn'))).toEqual([
    expect.stringContaining('no answer'),
  ])
  cloud.isDown = false
  cloud.image = 'ami-2'
  await clock.advance(minute)
  expect(watch.current()).toBe('ami-2')
})
