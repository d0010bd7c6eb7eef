import { describe, expect, it } from 'vitest'
import { exitStatusOf } from '../../../src/cli/terminal.ts'
import { ProvisionError, placeOf, problem } from '../../../src/problems/index.ts'

describe('a problem', () => {
  it('has severity and remedy of the table of codes', () => {
    const p = problem('USAGE', 'no such command: fly')
    expect(p).toMatchObject({ code: 'USAGE', severity: 'error', remedy: 'Run `provision help`.' })
  })

  it('keeps a more specific remedy', () => {
    expect(problem('USAGE', 'x', { remedy: 'Say y.' }).remedy).toBe('Say y.')
  })

  it('prints the known part of its position', () => {
    expect(placeOf({ file: 'master.yaml', line: 12, column: 7 })).toBe('master.yaml:12:7')
    expect(placeOf({ file: 'master.yaml' })).toBe('master.yaml')
  })
})

describe('an error with problems', () => {
  const cause = new Error('ECONNREFUSED')
  const error = new ProvisionError([problem('INTERNAL', 'it broke', { cause })])

  it('has the code and the cause of its first error', () => {
    expect(error.code).toBe('INTERNAL')
    expect(error.cause).toBe(cause)
    expect(error.message).toBe('INTERNAL: it broke')
  })

  it('determines the exit status', () => {
    expect(exitStatusOf(error.problems)).toBe(1)
    expect(exitStatusOf([problem('USAGE', 'x')])).toBe(2)
    expect(exitStatusOf([])).toBe(0)
  })
})
