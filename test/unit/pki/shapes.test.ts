// Our verdict on every certificate shape in the table.
import { expect, test } from 'vitest'
import { certificateShapes, judge } from '../../support/certificate-shapes.ts'
import { masterName } from '../../support/x509-profiles.ts'

test.each(certificateShapes)('$name → $codes', (shape) => {
  const { plan, problems } = judge(shape)
  expect(problems.map((problem) => problem.code).sort()).toEqual([...shape.codes].sort())

  const refused = problems.some((problem) => problem.severity === 'error')
  expect(plan === undefined).toBe(refused)
  if (!plan) return
  const { mode = 'embed', certificateName = masterName, chain = 3 } = shape.plan ?? {}
  expect(plan).toMatchObject({ mode })
  expect(plan.certificateName ?? null).toBe(certificateName)
  expect(plan.chain).toHaveLength(chain)
})

test('no message contains a private key from any file', () => {
  for (const shape of certificateShapes) {
    const files = shape.make()
    const { plan, problems } = judge(shape, files)
    const output = JSON.stringify([plan, problems])
    const secret = files.key?.split('\n')[1] ?? 'PRIVATE'
    expect(output).not.toContain(secret)
    expect(output).not.toContain('BEGIN PRIVATE')
  }
})

test('the table has at least 40 distinct shapes', () => {
  const names = certificateShapes.map((shape) => shape.name)
  expect(new Set(names).size).toBe(names.length)
  expect(names.length).toBeGreaterThanOrEqual(40)
})
