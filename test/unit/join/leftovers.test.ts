// Which bindings are dropped because their instances have ended: never one whose instance may be there still.
import { describe, expect, it } from 'vitest'
import { createLeftovers } from '../../../src/join/leftovers.ts'
import type { Binding } from '../../../src/state/join.ts'
import { FakeClock } from '../../support/fake-clock.ts'
import { silentLogger } from '../../support/silent-logger.ts'

const minute = 60_000
const day = 24 * 60 * minute
const hash = 'a'.repeat(64)

/** Bindings of instances of the pools `gpu`, which runs here, `far`, which runs elsewhere, and `old`, which is not configured. */
function world() {
  const clock = new FakeClock()
  const start = clock.now()
  const asked: [pool: string, id: string, knownAt: number][] = []
  const removed: string[] = []
  const here = new Set<string>()
  const state = { listedAt: undefined as number | undefined, bindings: [] as Binding[] }
  const drop = createLeftovers({
    store: {
      async removeBindings(ids) {
        removed.push(...ids)
        state.bindings = state.bindings.filter(({ instance }) => !ids.includes(instance))
      },
    },
    unlistedAt(pool, id, knownAt) {
      asked.push([pool, id, knownAt])
      return pool === 'gpu' && !here.has(id) ? state.listedAt : undefined
    },
    isConfigured: (pool) => pool !== 'old',
    lifetime: 7 * day,
    clock,
    logger: silentLogger,
  })
  const bind = (instance: string, pool: string, expiresAt = start + 7 * day) =>
    state.bindings.push({ instance, pool, key: hash, boundAt: start - 5, issuer: hash, expiresAt })
  /** After so many minutes; `listed`: the newest complete listing began then. */
  async function look(after: number, listed = true): Promise<string[]> {
    await clock.advance(after * minute)
    if (listed) state.listedAt = clock.now()
    await drop(state.bindings)
    return removed.splice(0)
  }
  return { bind, look, here, asked, start, state }
}

describe('a binding', () => {
  it('is dropped when two complete listings, ten minutes apart, lack its instance', async () => {
    const { bind, look, asked, start } = world()
    bind('i-1', 'gpu')
    expect(await look(0)).toEqual([])
    expect(await look(9)).toEqual([])
    expect(await look(1)).toEqual(['i-1'])
    expect(asked[0]).toEqual(['gpu', 'i-1', start - 5])
  })

  it('is not dropped because time passes without a complete listing', async () => {
    const { bind, look } = world()
    bind('i-1', 'gpu')
    expect(await look(0, false)).toEqual([])
    expect(await look(60, false)).toEqual([])
    expect(await look(0)).toEqual([])
    for (let n = 0; n < 10; n++) expect(await look(60, false)).toEqual([])
    expect(await look(0)).toEqual(['i-1'])
  })

  it('is not dropped when its instance was there in between, however shortly', async () => {
    const { bind, look, here } = world()
    bind('i-1', 'gpu')
    await look(0)
    await look(9)
    here.add('i-1')
    expect(await look(5)).toEqual([])
    here.clear()
    expect(await look(5)).toEqual([])
    expect(await look(9)).toEqual([])
    expect(await look(1)).toEqual(['i-1'])
  })

  it('of a pool that is led elsewhere is not dropped', async () => {
    const { bind, look } = world()
    bind('i-1', 'far', 0)
    for (let n = 0; n < 5; n++) expect(await look(60)).toEqual([])
  })

  it('of a pool that is not configured is dropped one lifetime after its certificate expired', async () => {
    const { bind, look, start } = world()
    bind('i-1', 'old', start - 7 * day + 10 * minute)
    bind('i-2', 'far', start - 70 * day)
    expect(await look(9)).toEqual([])
    expect(await look(1)).toEqual(['i-1'])
  })

  it('is dropped at the next time if it could not be removed', async () => {
    const { bind, look, state } = world()
    bind('i-1', 'gpu')
    await look(0)
    const { bindings } = state
    await look(10)
    state.bindings = bindings
    expect(await look(1)).toEqual(['i-1'])
  })
})
