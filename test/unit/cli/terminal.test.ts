// Questions to the user, and problems on the terminal.
import { describe, expect, it } from 'vitest'
import { confirm, sayProblems, type Terminal } from '../../../src/cli/terminal.ts'
import { problem } from '../../../src/problems/index.ts'

function terminal(...answers: (string | undefined)[]) {
  const said: string[] = []
  const asked: string[] = []
  const it: Terminal = {
    out() {},
    say: (line) => void said.push(line),
    write() {},
    style: (_, text) => text,
    interactive: true,
    columns: () => 80,
    rows: () => 24,
    ask: async (question) => {
      asked.push(question)
      return answers.shift()
    },
  }
  return { it, said, asked }
}

describe('a confirmation', () => {
  it.each([
    ['y', true],
    ['YES', true],
    ['n', false],
    [undefined, false],
  ])('takes %s for %s', async (answer, result) => {
    const { it: one, said } = terminal(answer)
    expect(await confirm('End i-1?', undefined, one)).toBe(result)
    expect(said).toEqual(result ? [] : ['Nothing was done.'])
  })

  it('asks again until the answer is valid', async () => {
    const { it: one, asked } = terminal('', 'maybe', 'y')
    expect(await confirm('End i-1?', undefined, one)).toBe(true)
    expect(asked).toEqual(Array(3).fill('End i-1? [y/n] '))
  })

  it('does not ask with --yes', async () => {
    const { it: one, asked } = terminal()
    expect(await confirm('End i-1?', true, one)).toBe(true)
    expect(asked).toEqual([])
  })

  it('is refused without a terminal', async () => {
    const { ask: _, ...deaf } = terminal().it
    await expect(confirm('End i-1?', undefined, deaf)).rejects.toMatchObject({ code: 'CONFIRMATION_NEEDED' })
  })
})

describe('very many problems', () => {
  it('are cut after 100, errors first, and the rest is counted', () => {
    const { it: one, said } = terminal()
    const warnings = Array.from({ length: 150 }, (_, i) => problem('CONFIG_SUSPECT_KEY', `warning ${i}`))
    sayProblems(one, [...warnings, problem('CONFIG_UNKNOWN_KEY', 'the error')])
    expect(said[0]).toContain('the error')
    expect(said.at(-1)).toContain('and 51 more')
    expect(said.filter((line) => line.includes('remedy:'))).toHaveLength(100)
  })
})
