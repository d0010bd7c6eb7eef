import { describe, expect, it } from 'vitest'
import { limit } from '../../../src/platform/limit.ts'

const turn = () => new Promise((resolve) => setImmediate(resolve))

describe('a limit', () => {
  it('never runs more tasks at once than it allows, and runs them all in order', async () => {
    const limited = limit(2)
    const started: number[] = []
    let running = 0
    let most = 0
    await Promise.all(
      [0, 1, 2, 3, 4].map((n) =>
        limited(async () => {
          started.push(n)
          most = Math.max(most, ++running)
          await turn()
          running--
        }),
      ),
    )
    expect(most).toBe(2)
    expect(started).toEqual([0, 1, 2, 3, 4])
  })

  it('continues after a task that failed', async () => {
    const lock = limit(1)
    const failed = lock(async () => {
      throw new Error('broken')
    })
    const next = lock(async () => 'done')
    await expect(failed).rejects.toThrow('broken')
    await expect(next).resolves.toBe('done')
  })

  it('starts no new task while a slot is passed on', async () => {
    const lock = limit(1)
    const order: string[] = []
    const first = lock(turn).then(() => lock(async () => order.push('newcomer')))
    const second = lock(async () => order.push('waiting'))
    await Promise.all([first, second])
    expect(order).toEqual(['waiting', 'newcomer'])
  })
})
