// `provision submit` and `provision jobs` before any request: usage errors, and the choice of the master.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runCli } from '../../support/run-cli.ts'

// Nothing listens on ports 1 to 4: each represents a master.
const config = (port: number) =>
  `port: ${port}\nresource_pools:\n  - pool_name: default\n    provider: {type: local}\n`

let dir: string
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'submit-'))
  writeFileSync(join(dir, 'master.yaml'), config(1))
  writeFileSync(join(dir, 'other.yaml'), config(2))
})
afterAll(() => rmSync(dir, { recursive: true, force: true }))

const submit = (...args: string[]) => runCli(['submit', ...args], { cwd: dir })

describe('provision submit', () => {
  it.each([
    ['neither a command nor a duration', [], /either --duration or a command after --/],
    ['both', ['--duration', '1m', '--', 'true'], /either --duration or a command after --/],
    [
      'slots in words',
      ['--slots', 'two', '--', 'true'],
      /--slots must be an integer without a sign, not "two"/,
    ],
    [
      'half a priority',
      ['--priority', '1.5', '--', 'true'],
      /--priority must be an integer without a sign, not "1.5"/,
    ],
    ['slots for auxiliary work', ['--aux', '--slots', '1', '--', 'true'], /--aux.*--slots/],
    ['an image for no command', ['--duration', '1m', '--image', 'a'], /--image need a command/],
    ['variables for no command', ['--duration', '1m', '--env', 'A=b'], /--duration runs none/],
  ])('reports what is wrong with %s', (_, args, words) => {
    const { status, stdout, stderr } = submit(...args)
    expect(stderr).toMatch(words)
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' })
  })

  it('does not print a value that it took for a variable', () => {
    const { status, stderr } = submit('--env', 'hunter2', '--', 'true')
    expect(stderr).toContain('--env needs KEY=VALUE')
    expect(stderr).not.toContain('hunter2')
    expect(status).toBe(2)
  })

  it('reports that the master does not run', () => {
    const { status, stderr } = runCli(['work'], { cwd: dir })
    expect(stderr).toMatch(/CLIENT_UNREACHABLE http:\/\/127\.0\.0\.1:1: connection refused\n.*provision/)
    expect(status).toBe(1)
  })

  it('names the missing configuration', () => {
    const { status, stderr } = runCli(['work', '-c', 'no.yaml'], { cwd: dir })
    expect(stderr).toMatch(/no\.yaml CONFIG_FILE_MISSING/)
    expect(status).toBe(3)
  })
})

describe('the selected master', () => {
  const toward = (args: string[], env: Record<string, string> = {}) =>
    /http:\/\/127\.0\.0\.1:(\d)/.exec(runCli(args, { cwd: dir, env }).stderr)?.[1]
  const variable = { DET_MASTER: 'http://127.0.0.1:3' }
  const flag = ['-m', 'http://127.0.0.1:4']

  it.each([
    ['that of master.yaml', '1', ['work'], {}],
    ['that of -c', '2', ['work', '-c', 'other.yaml'], {}],
    ['that of -c, said before the command', '2', ['-c', 'other.yaml', 'work'], {}],
    ['that of DET_CONFIG_FILE', '2', ['work'], { DET_CONFIG_FILE: 'other.yaml' }],
    ['DET_MASTER before any file by default', '3', ['work'], { ...variable, DET_CONFIG_FILE: 'other.yaml' }],
    ['-c before DET_MASTER', '2', ['work', '-c', 'other.yaml'], variable],
    ['-m before all', '4', ['work', ...flag, '-c', 'other.yaml'], variable],
  ] as const)('is %s', (_, port, args, env) => {
    expect(toward([...args], env)).toBe(port)
  })
})

describe('provision jobs', () => {
  it('is also called work', () => {
    const usage = (name: string) => runCli([name, '--help'], { cwd: dir }).stdout
    expect(usage('jobs')).toContain('Usage: provision jobs|work')
    expect(usage('work')).toBe(usage('jobs'))
  })

  it.each([
    ['--kill', ['--kill'], /--kill needs the id/],
    ['--logs', ['--logs'], /--logs needs the id/],
    ['both', ['x', '--logs', '--kill'], /cannot be combined/],
  ])('needs the id of one job for %s', (_, args, words) => {
    const { status, stderr } = runCli(['jobs', ...args], { cwd: dir })
    expect(stderr).toMatch(words)
    expect(status).toBe(2)
  })
})
