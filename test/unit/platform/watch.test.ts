// Hot reload: which contents are applied, reported or ignored. The contents here are two files of one version.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { contentsFingerprint } from '../../../src/platform/files.ts'
import { type Loaded, type WatchOptions, watchFiles } from '../../../src/platform/watch.ts'
import { type Problem, ProvisionError, problem } from '../../../src/problems/index.ts'
import { FakeClock } from '../../support/fake-clock.ts'

let clock: FakeClock
let directory: string
let cert: string
let key: string
let events: string[]
let stop: () => void

beforeEach(() => {
  clock = new FakeClock()
  directory = mkdtempSync(join(tmpdir(), 'watch-'))
  cert = join(directory, 'cert')
  key = join(directory, 'key')
  events = []
  stop = () => {}
  write('1', '1')
})
afterEach(() => {
  stop()
  rmSync(directory, { recursive: true, force: true })
})

function write(newCert: string, newKey: string): void {
  writeFileSync(cert, newCert)
  writeFileSync(key, newKey)
}

/** `soon` is valid from a minute after noon; a pair must have one version; `weak` is valid with a warning. */
function load(): Loaded<string> {
  const [a, b] = [cert, key].map((file) => readFileSync(file, 'utf8'))
  if (a !== b) return { problems: [problem('TLS_KEY_MISMATCH', `${a} against ${b}`)] }
  if (a === 'soon' && clock.now() < Date.parse('2026-11-23T12:01:00Z'))
    return { problems: [problem('TLS_NOT_YET_VALID', 'soon')] }
  return { contents: a, problems: a === 'weak' ? [problem('TLS_EXPIRES_SOON', 'tomorrow')] : [] }
}

function watch(more: Partial<WatchOptions<string>> = {}): void {
  const codes = (problems: Problem[]) => problems.map((p) => ` ${p.code}`).join('')
  stop = watchFiles({
    files: [cert, key],
    load,
    clock,
    intervalMs: 5000,
    graceMs: 30_000,
    onChange: (contents, warnings) => events.push(`took ${contents}${codes(warnings)}`),
    onProblem: (problems) => events.push(`problem${codes(problems)}`),
    onRecovery: () => events.push('recovered'),
    ...more,
  })
}

describe('a renewal', () => {
  test('is applied at the next poll, once', async () => {
    watch()
    await clock.advance(20_000)
    write('2', '2')
    await clock.advance(5000)
    expect(events).toEqual(['took 2'])
    await clock.advance(60_000)
    expect(events).toEqual(['took 2'])
  })

  test('reports its warnings', async () => {
    watch()
    write('weak', 'weak')
    await clock.advance(5000)
    expect(events).toEqual(['took weak TLS_EXPIRES_SOON'])
  })

  test('between the first load and the watch is not lost', async () => {
    const since = contentsFingerprint([cert, key])
    write('2', '2')
    watch({ since })
    await clock.advance(5000)
    expect(events).toEqual(['took 2'])
  })

  test('that is written file by file is no problem', async () => {
    watch()
    writeFileSync(cert, '2')
    await clock.advance(25_000)
    writeFileSync(key, '2')
    await clock.advance(5000)
    expect(events).toEqual(['took 2'])
  })

  test('with a file missing for a moment is none either', async () => {
    watch({ load: () => ({ contents: readFileSync(cert, 'utf8'), problems: [] }) })
    rmSync(cert)
    await clock.advance(10_000)
    writeFileSync(cert, '2')
    await clock.advance(5000)
    expect(events).toEqual(['took 2'])
  })

  test('that is not valid yet is applied when it is, without another change', async () => {
    watch()
    write('soon', 'soon')
    await clock.advance(55_000)
    expect(events).toEqual(['problem TLS_NOT_YET_VALID'])
    await clock.advance(5000)
    expect(events).toEqual(['problem TLS_NOT_YET_VALID', 'took soon', 'recovered'])
  })
})

describe('a fault', () => {
  test('is reported after the grace period, once, and so is its end', async () => {
    watch()
    writeFileSync(cert, '2')
    await clock.advance(30_000)
    expect(events).toEqual([])
    await clock.advance(5000)
    expect(events).toEqual(['problem TLS_KEY_MISMATCH'])
    await clock.advance(600_000)
    expect(events).toEqual(['problem TLS_KEY_MISMATCH'])
    writeFileSync(key, '2')
    await clock.advance(5000)
    expect(events).toEqual(['problem TLS_KEY_MISMATCH', 'took 2', 'recovered'])
  })

  test('of another kind is reported separately, after its own grace period', async () => {
    watch()
    writeFileSync(cert, '2')
    await clock.advance(35_000)
    writeFileSync(cert, '3')
    await clock.advance(30_000)
    expect(events).toEqual(['problem TLS_KEY_MISMATCH'])
    await clock.advance(5000)
    expect(events).toEqual(['problem TLS_KEY_MISMATCH', 'problem TLS_KEY_MISMATCH'])
  })

  test('ends for the contents when the old contents are restored', async () => {
    watch()
    writeFileSync(cert, '2')
    await clock.advance(40_000)
    writeFileSync(cert, '1')
    await clock.advance(5000)
    expect(events).toEqual(['problem TLS_KEY_MISMATCH', 'recovered'])
  })

  test('that recurs after it ended is reported again', async () => {
    watch()
    for (const contents of ['2', '1', '2']) {
      writeFileSync(cert, contents)
      await clock.advance(40_000)
    }
    expect(events).toEqual(['problem TLS_KEY_MISMATCH', 'recovered', 'problem TLS_KEY_MISMATCH'])
  })

  test('is also an error of onChange: the old contents stay, and it is retried', async () => {
    const refusals = [new Error('no'), new ProvisionError(problem('TLS_WEAK_KEY', 'too small'))]
    watch({
      graceMs: 0,
      onChange: (contents) => {
        const refusal = refusals.shift()
        if (refusal) throw refusal
        events.push(`took ${contents}`)
      },
    })
    write('2', '2')
    await clock.advance(15_000)
    expect(events).toEqual(['problem INTERNAL', 'problem TLS_WEAK_KEY', 'took 2', 'recovered'])
  })

  test('is also a load without contents or reason', async () => {
    watch({ graceMs: 0, load: () => ({ problems: [] }) })
    write('2', '2')
    await clock.advance(5000)
    expect(events).toEqual(['problem INTERNAL'])
  })
})

test('contents that change while they are read are checked at the next poll', async () => {
  const waiting = ['halfway', 'done']
  watch({
    graceMs: 0,
    load: () => {
      const next = waiting.shift()
      const loaded = load()
      if (next) writeFileSync(cert, next)
      if (next === 'done') writeFileSync(key, next)
      return loaded
    },
  })
  writeFileSync(cert, 'begun')
  await clock.advance(10_000)
  expect(events).toEqual([])
  await clock.advance(5000)
  expect(events).toEqual(['took done'])
})

test('after stop there are no more polls', async () => {
  watch()
  stop()
  write('2', '2')
  await clock.advance(60_000)
  expect(events).toEqual([])
})
