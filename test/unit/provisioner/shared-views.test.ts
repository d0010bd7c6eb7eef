// What others have published, while the store answers, is slow, fails, or does not answer at all.
import { describe, expect, it } from 'vitest'
import { ProvisionError, problem } from '../../../src/problems/index.ts'
import { createSharedViews } from '../../../src/provisioner/shared-views.ts'
import type { StoredBody, StoredView } from '../../../src/state/exchange/port.ts'
import { FakeClock } from '../../support/fake-clock.ts'

type Mood = 'answers' | 'slow' | 'fails' | 'hangs'

function world() {
  const clock = new FakeClock()
  const self = { mood: 'answers' as Mood, reads: 0 }
  async function answered<Found>(found: Found): Promise<Found> {
    self.reads++
    const { mood } = self
    if (mood === 'hangs') return new Promise(() => {})
    if (mood === 'slow') await clock.sleep(3_000)
    if (mood === 'fails') throw new ProvisionError(problem('STATE_READ_ONLY', 'a standby'))
    return found
  }
  const view: StoredView = { name: 'pool/gpu', epoch: { number: 1, nonce: 'n' }, summary: '{}', age: 500 }
  const body: StoredBody = { name: 'pool/gpu', body: new Uint8Array([1]), age: 700 }
  const views = createSharedViews({
    exchange: { views: () => answered([view]), bodies: () => answered([body]) },
    clock,
  })
  /** The answer, and after how many milliseconds it came. */
  async function timed<Answer>(asked: Promise<Answer>) {
    const begun = clock.now()
    let took: number | undefined
    const done = asked.then((answer) => {
      took = clock.now() - begun
      return answer
    })
    for (let ms = 0; ms < 20_000 && took === undefined; ms += 50) await clock.advance(50)
    return { ...(await done), took: took! }
  }
  return { clock, self, views, timed }
}

const [view, body] = [{ name: 'pool/gpu' }, { name: 'pool/gpu' }]

describe('what others have published', () => {
  it('is read when it is asked for', async () => {
    const { views, timed } = world()
    expect(await timed(views.views())).toMatchObject({
      found: [{ ...view, age: 500 }],
      fault: undefined,
      took: 0,
    })
    expect(await timed(views.bodies(['pool/gpu']))).toMatchObject({ found: [{ ...body, age: 700 }], took: 0 })
    expect(await timed(views.bodies([]))).toMatchObject({ found: [], fault: undefined })
  })

  it.each(['hangs', 'fails'] as const)(
    'is what was read before, older, with the reason, where the store %s',
    async (mood) => {
      const { clock, self, views, timed } = world()
      await timed(views.views())
      await timed(views.bodies(['pool/gpu']))
      self.mood = mood
      await clock.advance(60_000)
      for (const asked of [views.views(), views.bodies(['pool/gpu'])]) {
        const { found, fault, took } = await timed<{ found: { age: number }[]; fault: unknown }>(asked)
        expect(found[0]!.age).toBeGreaterThanOrEqual(60_500)
        expect(fault).toMatchObject({ code: mood === 'hangs' ? 'STATE_UNREACHABLE' : 'STATE_READ_ONLY' })
        expect(took).toBeLessThan(1_000)
      }
      self.mood = 'answers'
      expect((await timed(views.bodies(['pool/gpu']))).fault).toBeUndefined()
    },
  )

  it('is nothing, with the reason, where nothing was ever read', async () => {
    const { self, views, timed } = world()
    self.mood = 'hangs'
    expect(await timed(views.views())).toMatchObject({ found: [], fault: { code: 'STATE_UNREACHABLE' } })
    expect(await timed(views.bodies(['pool/gpu']))).toMatchObject({ found: [] })
  })

  it('is what was read a moment ago where the store is slow, without a fault', async () => {
    const { clock, self, views, timed } = world()
    await timed(views.views())
    self.mood = 'slow'
    for (let n = 0; n < 5; n++) {
      const { found, fault, took } = await timed(views.views())
      expect([found.length, fault, took < 1_000]).toEqual([1, undefined, true])
      await clock.advance(4_000)
    }
  })

  it('is read now and then while nobody asks, once at a time', async () => {
    const { clock, self, views } = world()
    views.start()
    await clock.advance(35_000)
    expect(self.reads).toBe(4)
    self.mood = 'hangs'
    await clock.advance(60_000)
    expect(self.reads).toBe(5)
    const { found, fault } = await (async () => {
      const asked = views.views()
      await clock.advance(1_000)
      return asked
    })()
    expect(found[0]!.age).toBeGreaterThan(60_000)
    expect(fault?.code).toBe('STATE_UNREACHABLE')
    await views.stop()
  })
})
