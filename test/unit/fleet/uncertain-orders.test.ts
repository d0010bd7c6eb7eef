// Orders whose record is not confirmed: each is carried out, or refused and never carried out, or reported as uncertain.
import { describe, expect, it } from 'vitest'
import { ProvisionError, problem } from '../../../src/problems/index.ts'
import { type PoolBench, startSettled } from '../../support/pool-bench.ts'

const failing = (code: 'STATE_UNREACHABLE' | 'STATE_RIGHT_LOST') =>
  new ProvisionError(problem(code, 'PostgreSQL db:5432: no answer within 5 s'))

/** An idle instance, and what happens to records from now on. */
async function bench() {
  const found = await startSettled({ minInstances: 1, maxInstances: 9 })
  await found.pass(30)
  const [id] = found.ids()
  found.joins(id!)
  await found.pass(10)
  return { found, id: id! }
}

function failAppends({ disk }: PoolBench, error: Error): () => void {
  const { append, rewrite } = disk
  disk.append = () => Promise.reject(error)
  disk.rewrite = () => Promise.reject(error)
  return () => Object.assign(disk, { append, rewrite })
}

const orders: [string, (bench: PoolBench, id: string) => Promise<unknown>][] = [
  ['pause', ({ fleet }) => fleet.pause()],
  ['terminate', ({ fleet }, id) => fleet.remove([id], 'even_if_busy')],
  ['drain', ({ fleet }, id) => fleet.remove([id], 'when_idle')],
  ['launch', async ({ fleet }) => fleet.launchWritten(fleet.launch(1))],
]

describe.each(orders)('%s', (_, order) => {
  it('is reported as uncertain when it is not known whether it was written down', async () => {
    const { found, id } = await bench()
    failAppends(found, failing('STATE_UNREACHABLE'))
    await expect(order(found, id)).rejects.toMatchObject({ code: 'ORDER_UNCERTAIN' })
  })

  it('is refused and not carried out later when it was certainly not written down', async () => {
    const { found, id } = await bench()
    const calls = found.calls.launches.length
    const mend = failAppends(found, failing('STATE_RIGHT_LOST'))
    await expect(order(found, id)).rejects.toMatchObject({ code: 'STATE_RIGHT_LOST' })
    mend()
    await found.pass(60)
    expect(found.fleet.status()).toMatchObject({ paused: false })
    expect([found.calls.launches.length, found.calls.terminated]).toEqual([calls, []])
  })

  it('is refused at once while the database is known to be out of reach, and not carried out later', async () => {
    const { found, id } = await bench()
    const calls = found.calls.launches.length
    const { problems } = failing('STATE_UNREACHABLE')
    found.disk.fault = () => problems[0]
    await expect(Promise.resolve().then(() => order(found, id))).rejects.toMatchObject({
      code: 'STATE_UNREACHABLE',
    })
    delete found.disk.fault
    await found.pass(60)
    expect(found.fleet.status()).toMatchObject({ paused: false })
    expect([found.calls.launches.length, found.calls.terminated]).toEqual([calls, []])
  })
})

it('an order about instances of other pools writes nothing here', async () => {
  const { found } = await bench()
  const before = found.disk.lines.length
  expect(await found.fleet.remove(['i-other'], 'when_idle')).toEqual([])
  expect(await found.fleet.keep(['i-other'])).toEqual([])
  expect(found.disk.lines.length).toBe(before)
})

it('a journal that failed is repaired at once when the store is back', async () => {
  const { found } = await bench()
  const mend = failAppends(found, failing('STATE_UNREACHABLE'))
  const calls = found.calls.launches.length
  found.wants(4, 4)
  await found.pass(20.7)
  expect(found.calls.launches.length).toBe(calls)
  mend()
  found.fleet.repair()
  await found.pass(0.2)
  expect(found.calls.launches.length).toBeGreaterThan(calls)
})
