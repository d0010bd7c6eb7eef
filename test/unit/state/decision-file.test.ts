// Decisions are kept, newest last, in a bounded number of bytes, and never with a secret.
import { execFileSync } from 'node:child_process'
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openDecisionFile, readDecisionFile } from '../../../src/state/folder/decision-file.ts'

let folder: string
let file: string
const faults: unknown[] = []
const onFault = (error: unknown) => faults.push(error)

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'decisions-'))
  file = join(folder, 'logs', 'decisions.jsonl')
  faults.length = 0
})
afterEach(() => rmSync(folder, { recursive: true }))

async function keep(records: { at: number; kind: string; [field: string]: unknown }[], maxBytes?: number) {
  const log = openDecisionFile({ file, maxBytes, onFault })
  for (const record of records) log.add(record)
  await log.close()
}

const decided = (at: number, pool = 'gpu') => ({ at, kind: 'decided', pool })

describe('the log of decisions', () => {
  it('is read back in order, by pool, by time, and the newest few', async () => {
    await keep([decided(1), decided(2, 'cpu'), decided(3)])
    await keep([decided(4)])
    expect(readDecisionFile(file).map(({ at }) => at)).toEqual([1, 2, 3, 4])
    expect(readDecisionFile(file, { pool: 'gpu', since: 2 }).map(({ at }) => at)).toEqual([3, 4])
    expect(readDecisionFile(file, { limit: 2 }).map(({ at }) => at)).toEqual([3, 4])
    expect(faults).toEqual([])
  })

  it('is read no further back than requested', async () => {
    await keep([decided(1), decided(100_000), decided(200_000)])
    writeFileSync(file, readFileSync(file, 'utf8').replace('"at":1,', '"at":300000,'))
    const newer = (query: object) => readDecisionFile(file, query).map(({ at }) => at)
    expect(newer({ limit: 1 })).toEqual([200_000])
    expect(newer({ since: 190_000 })).toEqual([200_000])
    expect(newer({ since: 150_000, limit: 0 })).toEqual([])
    expect(newer({})).toEqual([300_000, 100_000, 200_000])
  })

  it('is accessible only to its owner, and empty if the file is missing', async () => {
    expect(readDecisionFile(file)).toEqual([])
    await keep([decided(1)])
    expect(statSync(file).mode & 0o777).toBe(0o600)
  })

  it('keeps the newest in two files, and no more', async () => {
    const log = openDecisionFile({ file, maxBytes: 2_000, onFault })
    for (let at = 1; at <= 300; at++) {
      log.add(decided(at))
      if (at % 10 === 0) await log.close()
    }
    await log.close()
    const kept = readDecisionFile(file)
    expect(kept.at(-1)?.at).toBe(300)
    expect(kept.map(({ at }) => at)).toEqual(Array.from(kept, (_, n) => 301 - kept.length + n))
    expect(statSync(file).size + statSync(`${file}.1`).size).toBeLessThan(6_000)
  })

  it('loses the line that a crash cut off, and no later one', async () => {
    await keep([decided(1)])
    appendFileSync(file, '{"at": 2, "kind": "dec')
    await keep([decided(3)])
    writeFileSync(file, `${readFileSync(file, 'utf8')}no json\n{"at":"4"}\n`)
    expect(readDecisionFile(file).map(({ at }) => at)).toEqual([1, 3])
  })

  it('keeps no secret', async () => {
    await keep([{ at: 1, kind: 'problem', problem: { message: 'Bearer abcdefgh12345678', token: 'x' } }])
    expect(readFileSync(file, 'utf8')).not.toMatch(/abcdefgh|"x"/)
  })

  it('continues when the file it would rename is gone', async () => {
    const log = openDecisionFile({ file, maxBytes: 10, onFault })
    log.add(decided(1))
    await log.close()
    rmSync(file)
    log.add(decided(2))
    await log.close()
    log.add(decided(3))
    await log.close()
    expect(faults).toHaveLength(1)
    expect(readDecisionFile(file).map(({ at }) => at)).toEqual([3])
  })

  it('reports what it cannot write, and continues', async () => {
    const log = openDecisionFile({ file, onFault })
    rmSync(join(folder, 'logs'), { recursive: true })
    log.add(decided(1))
    await log.close()
    expect(faults).toHaveLength(1)
  })
})

it.each(['link', 'FIFO'])('a %s in its place is neither written to nor blocks', async (kind) => {
  mkdirSync(dirname(file))
  const victim = join(folder, 'victim')
  writeFileSync(victim, 'untouched')
  if (kind === 'link') symlinkSync(victim, file)
  else execFileSync('mkfifo', [file])
  await keep([decided(1)])
  expect(faults).toHaveLength(1)
  expect(readFileSync(victim, 'utf8')).toBe('untouched')
})
