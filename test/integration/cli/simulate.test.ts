// `provision simulate` as a user runs it: the example, the format for programs, and the errors.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { builtInProviders } from '../../../src/providers/index.ts'
import { simulate } from '../../../src/simulator/simulate.ts'
import { trialFaults } from '../../../src/simulator/trial.ts'
import { loadConfig } from '../../support/config.ts'
import { runCli } from '../../support/run-cli.ts'
import { root } from '../../support/sources.ts'

const example = join(root, 'examples/simulate')
let dir: string
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'simulate-'))
  const pool = (name: string) =>
    `  - pool_name: ${name}\n    provider: {type: local, slots: 2, max_instances: 2}\n`
  writeFileSync(join(dir, 'master.yaml'), `resource_pools:\n${pool('small')}`)
  writeFileSync(join(dir, 'two.yaml'), `resource_pools:\n${pool('one')}${pool('two')}`)
  writeFileSync(join(dir, 'jobs.csv'), 'submit,slots,duration\n0,1,10m\n30s,2,5m\n1m,0,1m\n')
  writeFileSync(join(dir, 'bad.csv'), 'submit,slots,duration\n0,1,10m\n0,x,1m\n')
  writeFileSync(join(dir, 'bytes.csv'), Buffer.from([0xff, 0xfe, 0x00]))
})
afterAll(() => rmSync(dir, { recursive: true, force: true }))

const run = (...args: string[]) => runCli(['simulate', ...args], { cwd: dir, noOutside: true })

/** Names of keys; those of a list are those of its first entry. */
function shapeOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.slice(0, 1).map(shapeOf)
  if (typeof value !== 'object' || value === null) return typeof value
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, shapeOf(inner)]))
}

/** A slow machine shows its progress. */
const withoutProgress = (text: string) => text.replace(/^.* simulated, \d+ of \d+ jobs done \(\d+s\)\n/gm, '')

describe('provision simulate', () => {
  it('does what the README of its example says, as docs/simulate.md shows it', () => {
    const [, words = ''] =
      /provision (simulate .*)/.exec(readFileSync(join(example, 'README.md'), 'utf8')) ?? []
    const { status, stdout, stderr } = runCli(words.split(' '), { cwd: root, noOutside: true })
    expect({ status, stderr: withoutProgress(stderr) }).toEqual({ status: 0, stderr: '' })
    const labels = stdout.split('\n').map((line) => line.split('  ')[0]!)
    for (const label of [
      'jobs finished',
      'wait, p50',
      'wait, p95',
      'instances launched',
      'instance-hours',
      'cost',
    ])
      expect(labels).toContain(label)
    expect(stdout).toMatch(
      /^Compared with Determined's provisioner: .*instance-hours .*\$.*95 % of the jobs/m,
    )
    expect(stdout).toContain('Never fits (NEVER_FITS): 1 job of 6 slots: odd')
    // The page shows real output: the same lines, with possibly different numbers.
    const shown = readFileSync(join(root, 'docs/simulate.md'), 'utf8').split('\n')
    expect(
      labels.filter((label) => /^[a-zA-Z, -]+$/.test(label) && !shown.some((s) => s.startsWith(label))),
    ).toEqual([])
  })

  it('prints JSON in the documented format, and the same again', () => {
    const args = ['-c', join(example, 'master.yaml'), '--jobs', join(example, 'jobs.csv'), '--format', 'json']
    const { status, stdout, stderr } = run(...args)
    expect({ status, stderr: withoutProgress(stderr) }).toEqual({ status: 0, stderr: '' })
    expect(run(...args).stdout).toBe(stdout)
    const [, documented = ''] =
      /```json\n(.*?)```/s.exec(readFileSync(join(root, 'docs/simulate.md'), 'utf8')) ?? []
    const [made, shown] = [JSON.parse(stdout), JSON.parse(documented)]
    // The set of reasons is not part of the format.
    for (const report of [made, shown]) report.blockedSeconds = {}
    expect(shapeOf(made)).toEqual(shapeOf(shown))
    expect(made.trace).toMatchObject({ jobs: 203, beginsAt: null })
  })

  it('uses the only pool, with its own limits, and the trace from standard input', () => {
    const input = readFileSync(join(dir, 'jobs.csv'))
    const { status, stdout, stderr } = runCli(['simulate', '--jobs', '-'], { cwd: dir, input })
    expect({ status, stderr: withoutProgress(stderr) }).toEqual({ status: 0, stderr: '' })
    expect(stdout).toMatch(/^Pool small of master.yaml, 3 jobs of standard input submitted within 1m\n/)
    expect(stdout).toMatch(/jobs finished +3 of 3 +3 of 3/)
    expect(stdout).toContain('Pool: 0 to 2 instances of local (2)')
    expect(stdout).toContain('No cost: `prices`')
  })

  it('prints an example that it can read, and needs no configuration for it', () => {
    const { status, stdout } = runCli(['simulate', '--example'], { cwd: tmpdir() })
    expect(status).toBe(0)
    expect(stdout).toBe(readFileSync(join(example, 'jobs.csv'), 'utf8'))
  })

  it('reports guarantees that failed under faults', () => {
    const { stdout } = run('--jobs', 'jobs.csv', '--faults', 'master_down, crash', '--seed', 'x')
    expect(stdout).toContain('Promises broken by this provisioner: none.')
    expect(stdout).toContain('every hour has a period of master_down, crash; seed x.')
  })

  it('has documented names of faults', () => {
    const page = readFileSync(join(root, 'docs/simulate.md'), 'utf8')
    expect(trialFaults.filter((kind) => !page.includes(`\`${kind}\``))).toEqual([])
  })

  it.each([
    ['no trace', [], 2, /USAGE --jobs is missing\n.*--example/],
    [
      'a trace that is not there',
      ['--jobs', 'no.csv'],
      2,
      /no\.csv TRACE_UNREADABLE file not found: \/.*no\.csv/,
    ],
    ['a folder', ['--jobs', '.'], 2, /\. TRACE_UNREADABLE .*EISDIR/],
    ['bytes', ['--jobs', 'bytes.csv'], 2, /bytes\.csv TRACE_NOT_CSV the file is not UTF-8 text/],
    [
      'a wrong field',
      ['--jobs', 'bad.csv'],
      2,
      /bad\.csv:3:3 TRACE_VALUE slots "x" .*\n.*\n> 3 \| 0,x,1m\n +\| {3}\^\n.*remedy/,
    ],
    ['a configuration that is not there', ['-c', 'no.yaml', '--jobs', 'jobs.csv'], 3, /CONFIG_FILE_MISSING/],
    ['no pool of that name', ['--jobs', 'jobs.csv', '--pool', 'x'], 2, /has no pool x\n.*small/],
    [
      'several pools',
      ['-c', 'two.yaml', '--jobs', 'jobs.csv'],
      2,
      /two\.yaml has 2 pools to choose from\n.*--pool one or --pool two/,
    ],
    ['a misspelt fault', ['--jobs', 'jobs.csv', '--faults', 'stockout'], 2, /Did you mean stock_out\?/],
    ['a boot time in words', ['--jobs', 'jobs.csv', '--boot', 'long'], 2, /--boot "long" is not a duration/],
    [
      'a range from high to low',
      ['--jobs', 'jobs.csv', '--boot', '3m-1m'],
      2,
      /--boot "3m-1m" is not a duration/,
    ],
    ['a negative time', ['--jobs', 'jobs.csv', '--placement=-1s'], 2, /--placement "-1s" is not a duration/],
    [
      'a range where one time is meant',
      ['--jobs', 'jobs.csv', '--placement', '1s-2s'],
      2,
      /takes one duration/,
    ],
    ['a boot that is too slow', ['--jobs', 'jobs.csv', '--boot', '1h'], 2, /do not join within boot_timeout/],
  ])('reports what is wrong with %s', (_, args, expected, words) => {
    const { status, stdout, stderr } = run(...args)
    expect(stderr).toMatch(words)
    expect({ status, stdout }).toEqual({ status: expected, stdout: '' })
  })
})

describe('a simulation', () => {
  it('reports its progress, and stops when it is interrupted', async () => {
    const { config } = loadConfig(join(dir, 'master.yaml'))
    const interrupt = new AbortController()
    const told: number[] = []
    const ending = simulate({
      config: config!,
      providers: builtInProviders,
      trace: { text: 'submit,slots,duration\n0,1,100h\n', name: 'jobs' },
      boot: { least: 60_000, most: 60_000 },
      placesWithin: 0,
      faults: [],
      seed: '1',
      onProgress(policy, { elapsed, finished, submitted }) {
        expect({ policy, finished, submitted }).toEqual({ policy: 'provisioner', finished: 0, submitted: 1 })
        if (told.push(elapsed) === 3) interrupt.abort()
      },
      signal: interrupt.signal,
    })
    await expect(ending).rejects.toMatchObject({ name: 'AbortError' })
    expect(told).toHaveLength(3)
    expect(told[2]).toBeLessThan(10 * 3_600_000)
  })
})
