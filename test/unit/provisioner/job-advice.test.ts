// What the built-in master tells about waiting jobs.
import { expect, it } from 'vitest'
import { createJobAdvice } from '../../../src/provisioner/job-advice.ts'

it('looks at the pools once for a list of jobs', () => {
  let looks = 0
  const status = () => {
    looks++
    return { pools: [], failed: [] }
  }
  const advice = createJobAdvice({ resource_pools: [] }, { status, now: () => 1000 })
  const whyWaits = advice.whyWaits()
  const codes = Array.from(
    { length: 100 },
    (_, n) => whyWaits({ id: `${n}`, pool: 'a', submittedAt: 0 })?.code,
  )
  expect(new Set(codes)).toEqual(new Set(['NO_PROVIDER']))
  expect(looks).toBe(1)
})
