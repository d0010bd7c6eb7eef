// A journal in a database that is out of reach: nothing is launched or terminated until it is back, and then at once.
import { beforeEach, describe, expect, it } from 'vitest'
import { stopsOf } from '../../../src/fleet/holds.ts'
import { emptyMemory } from '../../../src/fleet/memory.ts'
import { type Problem, ProvisionError, problem } from '../../../src/problems/index.ts'
import { codesOf, type PoolBench, problemsOf, startSettled } from '../../support/pool-bench.ts'

const gone = problem('STATE_UNREACHABLE', 'PostgreSQL db:5432, database state: connection refused')
let bench: PoolBench
let fault: Problem | undefined

beforeEach(async () => {
  bench = await startSettled({ maxIdle: 60_000 })
  const { append, rewrite } = bench.disk
  fault = undefined
  const reached =
    <A extends unknown[]>(write: (...args: A) => Promise<void>) =>
    async (...args: A) => {
      if (fault) throw new ProvisionError(fault)
      return write(...args)
    }
  Object.assign(bench.disk, { append: reached(append), rewrite: reached(rewrite), fault: () => fault })
  bench.life.kill()
  bench.restart()
  await bench.pass(10)
})

describe('while the database of the journal is gone', () => {
  it('an idle instance is not terminated, although nothing has been written in vain yet', async () => {
    bench.wants(4)
    await bench.pass(10)
    bench.joins(...bench.ids())
    bench.wants()
    await bench.pass(5)
    fault = gone
    await bench.pass(300)
    expect(bench.calls.terminated).toEqual([])
    expect(codesOf(bench)).toContain('JOURNAL_FAILING')
    expect(problemsOf(bench)).toEqual(['STATE_UNREACHABLE'])
    fault = undefined
    await bench.pass(5)
    expect(codesOf(bench)).not.toContain('JOURNAL_FAILING')
    await bench.pass(10)
    expect(bench.calls.terminated.flat()).toEqual(bench.ids())
  })

  it('not even by an order of a person, which is kept', async () => {
    bench.wants(4)
    await bench.pass(10)
    const [id = ''] = bench.ids()
    bench.joins(id)
    await bench.pass(5)
    fault = gone
    await expect(bench.fleet.remove([id], 'even_if_busy')).rejects.toThrow('connection refused')
    await bench.pass(60)
    expect(bench.calls.terminated).toEqual([])
    fault = undefined
    await bench.pass(10)
    expect(bench.calls.terminated).toEqual([[id]])
  })

  it('is reported before anything was to be written, once', async () => {
    const { append, rewrite } = bench.disk
    let writes = 0
    const counted =
      <A extends unknown[]>(write: (...args: A) => Promise<void>) =>
      (...args: A) => {
        writes++
        return write(...args)
      }
    Object.assign(bench.disk, { append: counted(append), rewrite: counted(rewrite) })
    // Just after a checkpoint.
    await expect
      .poll(async () => {
        await bench.pass(1)
        return writes
      })
      .toBe(1)
    fault = gone
    await bench.pass(1)
    expect(problemsOf(bench)).toEqual([])
    await bench.pass(9)
    expect(problemsOf(bench)).toEqual(['STATE_UNREACHABLE'])
    await bench.pass(100)
    expect(problemsOf(bench)).toEqual(['STATE_UNREACHABLE'])
  })

  it.each([1, 7, 10, 13, 16, 19, 120])(
    'nothing is launched; within 5 s of its return all that is wanted is: %i s',
    async (outage) => {
      fault = gone
      bench.wants(4, 4)
      await bench.pass(outage)
      expect(bench.calls.launches).toEqual([])
      fault = undefined
      await bench.pass(5)
      expect(bench.calls.launches.map(({ intent }) => intent.count)).toEqual([2])
    },
  )
})

it('a disk that was full is used again a few seconds after there is space', async () => {
  const { append, rewrite } = bench.disk
  const full = () => Promise.reject(new Error('no space left on device'))
  Object.assign(bench.disk, { append: full, rewrite: full, fault: undefined })
  bench.wants(4)
  await bench.pass(70)
  expect(bench.calls.launches).toEqual([])
  Object.assign(bench.disk, { append, rewrite })
  await bench.pass(5)
  expect(bench.calls.launches).toHaveLength(1)
})

it.each(['STATE_UNREACHABLE', 'STATE_READ_ONLY', 'STATE_REFUSED', 'STATE_RIGHT_LOST'] as const)(
  '%s stops launches and terminations; a full disk stops launches',
  (code) => {
    const memory = emptyMemory()
    memory.problems.set('journal', problem(code, 'PostgreSQL db:5432'))
    expect(stopsOf(memory)).toEqual([{ code: 'JOURNAL_FAILING', stops: ['launch', 'remove'] }])
    memory.problems.set('journal', problem('JOURNAL_FAILING', 'no space left'))
    expect(stopsOf(memory)).toEqual([])
  },
)
