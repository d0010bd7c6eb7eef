// Progress of a long command: nothing for a short one, lines elsewhere than on a terminal, and nothing on standard out.
import { expect, it } from 'vitest'
import { progressOn, withProgress } from '../../../src/cli/progress.ts'
import type { Terminal } from '../../../src/cli/terminal.ts'

function terminal(interactive: boolean) {
  const said: string[] = []
  const out: unknown[] = []
  const it: Terminal = {
    out: (text) => void out.push(text),
    say: (line) => void said.push(line),
    write: (text) => void said.push(text),
    style: (_, text) => text,
    interactive,
    columns: () => 80,
    rows: () => 24,
  }
  return { it, said, out }
}

it('is silent for two seconds, and then a line every ten seconds', async () => {
  const { it: pipe, said, out } = terminal(false)
  let now = 0
  const progress = await progressOn(pipe, () => now)
  for (; now <= 25_000; now += 100) progress.show(`step at ${now}`)
  progress.close()
  expect(said).toEqual(['step at 2000 (2s)', 'step at 12000 (12s)', 'step at 22000 (22s)'])
  expect(out).toEqual([])
})

it('is redrawn in place on a terminal, and removed at the end', async () => {
  const { it: tty, said, out } = terminal(true)
  let now = 0
  const progress = await progressOn(tty, () => now)
  for (; now <= 3000; now += 100) progress.show(`step at ${now}`)
  const drawn = said.join('')
  expect(drawn).toContain('step at 2000 (2s)')
  expect(drawn).toContain('step at 3000 (3s)')
  progress.close()
  expect(said.join('').slice(drawn.length)).toMatch(/\x1b\[1A\x1b\[2K/)
  expect(out).toEqual([])
})

it('shows nothing for a task that ends soon, and passes on its result and its error', async () => {
  const { it: pipe, said } = terminal(false)
  expect(await withProgress(pipe, 'working', async () => 5)).toBe(5)
  await expect(withProgress(pipe, 'working', () => Promise.reject(new Error('no')))).rejects.toThrow('no')
  expect(said).toEqual([])
})
