// What the built-in master reports about waiting jobs, by the status of their pools.
import { describe, expect, it } from 'vitest'
import { problem } from '../../../src/problems/index.ts'
import { createJobAdvice } from '../../../src/provisioner/job-advice.ts'
import type { PoolsStatus } from '../../../src/provisioner/pools.ts'
import { parseConfig } from '../../support/config.ts'
import { codesOf, type PoolBench, startSettled } from '../../support/pool-bench.ts'

const { config } = parseConfig(
  'resource_pools: [{pool_name: default, provider: {type: local, slots: 4}}, {pool_name: bare, agents: any}]',
  '/nowhere/master.yaml',
)

function adviceOf(status: () => PoolsStatus, now = 1000) {
  return createJobAdvice(config!, { status, now: () => now })
}
const ofBench = (bench: PoolBench) =>
  adviceOf(() => ({ pools: [bench.fleet.status()], failed: [], elsewhere: [] }), bench.now())
const job = (id: string, pool = 'default') => ({ id, pool, submittedAt: 0 })

describe('the reason of a waiting job', () => {
  it('has the time when it began, and when it is tried again', async () => {
    const bench = await startSettled()
    const before = bench.now()
    bench.faults.stock = () => 0
    bench.wants(4)
    await bench.pass(12)
    const why = ofBench(bench).whyWaits()(job('work-0'))
    expect(why?.code).toBe('OFFERINGS_OUT_OF_CAPACITY')
    expect(Date.parse(why!.since)).toBeGreaterThanOrEqual(before)
    expect(Date.parse(why!.nextAt)).toBeGreaterThan(bench.now())
    expect(Object.keys(why!.numbers)).not.toContain('retryAt')
  })

  it('has the problem behind it, whose remedy comes first', async () => {
    const bench = await startSettled()
    bench.faults.fate = (call) => (call === 'list' ? 'failed' : 'done')
    bench.wants(4)
    await bench.pass(180)
    const [code] = codesOf(bench)
    const why = ofBench(bench).whyWaits()(job('work-0'))
    expect(why).toMatchObject({ code, problem: { code: 'PROVIDER_TRANSIENT' } })
    expect(why?.remedy).toBe(why?.problem?.remedy)
  })

  it('is another one as soon as the plan has another one', async () => {
    const bench = await startSettled({ maxInstances: 1 })
    bench.wants(4, 4)
    await bench.pass(12)
    const whyWaits = ofBench(bench).whyWaits()
    expect(whyWaits(job('work-0'))).toMatchObject({
      code: 'INSTANCE_STARTING',
      instances: bench.ids(),
      problem: undefined,
    })
    expect(whyWaits(job('work-1'))).toMatchObject({ code: 'MAX_REACHED' })
    expect(whyWaits(job('unknown'))).toMatchObject({ code: 'NOT_PLANNED_YET' })
  })

  it('is the problem of a pool that could not be started, or that the pool has no provider', () => {
    const failed = [{ pool: 'default', problems: [problem('PROVIDER_AUTH', 'no credentials')] }]
    const whyWaits = adviceOf(() => ({ pools: [], failed, elsewhere: [] })).whyWaits()
    expect(whyWaits(job('a'))).toMatchObject({
      code: 'POOL_NOT_RUNNING',
      problem: { code: 'PROVIDER_AUTH', message: 'no credentials' },
    })
    expect(whyWaits(job('a', 'bare'))).toMatchObject({ code: 'NO_PROVIDER' })
  })

  it('takes one status of the pools for a whole list of jobs', () => {
    let reads = 0
    const status = () => {
      reads++
      return { pools: [], failed: [], elsewhere: [] }
    }
    const whyWaits = adviceOf(status).whyWaits()
    for (let n = 0; n < 100; n++) whyWaits(job(`${n}`))
    expect(reads).toBe(1)
  })
})

it('a job that can never run is refused with the limit that it exceeds', async () => {
  const bench = await startSettled({ maxInstances: 2 })
  const { cannotRun } = ofBench(bench)
  expect(cannotRun({ pool: 'default', slots: 8 })).toBeUndefined()
  expect(cannotRun({ pool: 'default', slots: 12 })?.message).toBe(
    'EXCEEDS_MAX: a job of 12 slots needs 3 instances of pool default, and max_instances is 2',
  )
  expect(cannotRun({ pool: 'default', slots: 5 })?.message).toContain('NEVER_FITS: a job of 5 slots fits no')
  expect(cannotRun({ pool: 'bare', slots: 99 })).toBeUndefined()
})
