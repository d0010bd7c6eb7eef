// The protocol of several provisioners on one database, checked by spin in every order of its steps; and that each of its
// rules is needed: without it, spin finds a run in which a check fails.
import { execFileSync, spawnSync } from 'node:child_process'
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'

const folder = mkdtempSync(join(tmpdir(), 'leadership-'))
copyFileSync(join(import.meta.dirname, 'leadership.pml'), join(folder, 'leadership.pml'))
afterAll(() => rmSync(folder, { recursive: true }))

/** What the verifier says after a search of all states, or up to the first failed check. */
function verify(without?: string, args: string[] = []): string {
  const options = { cwd: folder, encoding: 'utf8' } as const
  execFileSync('spin', ['-a', ...(without ? [`-D${without}`] : []), 'leadership.pml'], options)
  execFileSync('gcc', ['-O2', '-w', '-DSAFETY', '-DCOLLAPSE', '-o', 'pan', 'pan.c'], options)
  return spawnSync('./pan', ['-m100000', ...args], options).stdout
}

it('holds in every order of steps, stops and arrivals', () => {
  const report = verify()
  expect(report).toMatch(/errors: 0\n/)
  expect(report).not.toMatch(/max search depth too small|out of memory/)
  // All of it was searched: a model that gets stuck at once has no errors either.
  expect(Number(/(\d+) states, stored/.exec(report)?.[1])).toBeGreaterThan(1_000_000)
})

it.each([
  ['NO_FENCE', /assertion violated \(\(epoch==my\[p\]\)&&\(holder==p\)\)/],
  ['NO_INTENT', /assertion violated committed/],
  // It gets stuck, too; -E looks past that.
  ['NO_REPLAY', /assertion violated \(\(\(live\[0\]\+live\[1\]\)\+live\[2\]\)<=1\)/, ['-E']],
  ['NO_CONDEMN', /assertion violated {1,2}!\(\(live\[\d\]&&busy\[\d\]\)\)/],
  ['NO_REDISABLE', /assertion violated {1,2}!\(\(live\[\d\]&&busy\[\d\]\)\)/],
  ['FORGET_DRAIN', /invalid end state/],
  ['LATE_ENABLE', /assertion violated {1,2}!\(\(live\[\d\]&&busy\[\d\]\)\)/],
] as const)('fails with %s', (fault, check, args: readonly string[] = []) => {
  expect(verify(fault, [...args])).toMatch(check)
})
