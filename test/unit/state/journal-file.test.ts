import { execFileSync } from 'node:child_process'
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { open as openFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { JournalRecord } from '../../../src/platform/ports.ts'
import type { ProvisionError } from '../../../src/problems/index.ts'
import { journalOwnerOf, openJournalFile } from '../../../src/state/folder/journal-file.ts'
import type { JournalOwner, StoredJournal } from '../../../src/state/store.ts'

let folder: string
let file: string
let open: StoredJournal[] = []

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'journal-'))
  file = join(folder, 'state', 'master.journal')
})
afterEach(async () => {
  for (const journal of open) await journal.close().catch(() => {})
  open = []
  rmSync(folder, { recursive: true, force: true })
})

const now = Date.parse('2026-11-23T12:00:00Z')
const record = (n: number): JournalRecord => ({ at: n, kind: 'test', text: `line\n${n} "ü"` })

async function opened(kind = 'test 1') {
  const result = await openJournalFile({ file, kind, now })
  open.push(result.journal)
  return result
}

async function written(count: number): Promise<void> {
  const { journal } = await opened()
  await Promise.all(Array.from({ length: count }, (_, n) => journal.append(record(n))))
  await journal.close()
}

describe('a journal', () => {
  it('keeps what was appended, in order, for the next start, in a file for its owner only', async () => {
    await written(100)
    const { records, problems } = await opened()
    expect(records).toEqual(Array.from({ length: 100 }, (_, n) => record(n)))
    expect(problems).toEqual([])
    expect(statSync(file).mode & 0o777).toBe(0o600)
  })

  it('can be read while it is written', async () => {
    const { journal } = await opened()
    await journal.append(record(1))
    void journal.append(record(2))
    expect(await journal.read()).toEqual([record(1), record(2)])
  })

  it('is rewritten completely, and continues', async () => {
    await written(50)
    const { journal } = await opened()
    void journal.append(record(50))
    await journal.rewrite([record(7)])
    expect(journal.appended).toBe(0)
    await journal.append(record(8))
    expect(journal.appended).toBe(1)
    await journal.close()
    expect((await opened()).records).toEqual([record(7), record(8)])
  })
})

describe('a crash', () => {
  it('while the journal is rewritten leaves the former one, and no file after the next start', async () => {
    await written(3)
    const others = [`${file}.2.tmp`, `${file}.damaged-2026`, join(dirname(file), 'other.17.k3j.tmp')]
    for (const one of [...others, `${file}.17.k3j9x.tmp`]) writeFileSync(one, 'half')
    const { records } = await opened()
    expect(records).toHaveLength(3)
    expect(readdirSync(dirname(file)).toSorted()).toEqual(
      [file, ...others].map((one) => basename(one)).toSorted(),
    )
  })

  it('at any byte of the last record loses at most that record', async () => {
    await written(3)
    const whole = readFileSync(file)
    const lastStart = whole.lastIndexOf('\n', whole.length - 2) + 1
    for (let size = lastStart; size < whole.length; size++) {
      writeFileSync(file, whole.subarray(0, size))
      const { journal, records } = await opened()
      expect(records.length, `cut at ${size}`).toBe(size >= whole.length - 1 ? 3 : 2)
      await journal.append(record(9))
      await journal.close()
      const after = await openJournalFile({ file, kind: 'test 1', now })
      expect(after.records.at(-1)).toEqual(record(9))
      expect(after.problems).toEqual([])
      await after.journal.close()
    }
  })

  it('keeps the original file beside the repaired one, and reports it', async () => {
    await written(3)
    truncateSync(file, statSync(file).size - 5)
    const before = readFileSync(file)
    const { problems } = await opened()
    expect(problems).toMatchObject([{ code: 'JOURNAL_SET_ASIDE', severity: 'warning' }])
    expect(problems[0]!.message).toContain('1 of 3 records')
    const aside = readdirSync(join(folder, 'state')).find((name) => name.includes('damaged'))!
    expect(problems[0]!.message).toContain(aside)
    expect(readFileSync(join(folder, 'state', aside))).toEqual(before)
  })
})

describe('an altered file', () => {
  it('loses only the altered records', async () => {
    await written(10)
    const pristine = readFileSync(file)
    const begin = pristine.indexOf('\n') + 1
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: begin, max: pristine.length - 1 }),
        fc.nat(255),
        async (at, byte) => {
          const bytes = Buffer.from(pristine)
          bytes[at] = byte
          writeFileSync(file, bytes)
          const { journal, records } = await openJournalFile({ file, kind: 'test 1', now })
          await journal.close()
          expect(records.length).toBeGreaterThanOrEqual(bytes.equals(pristine) ? 10 : 8)
          for (const kept of records) expect(kept).toEqual(record(kept.at))
        },
      ),
      { numRuns: 60 },
    )
  })
})

describe('a file of another kind', () => {
  it.each([
    ['an older version', 'provision journal: test 0\n'],
    ['something else', 'hello\nworld\n'],
    ['binary', Buffer.from([0, 1, 2, 255, 254])],
    ['nothing', ''],
  ])('%s is renamed unchanged, and a new one started', async (_, content) => {
    await written(0)
    writeFileSync(file, content)
    const { journal, records, problems } = await opened()
    expect(records).toEqual([])
    expect(problems).toMatchObject([{ code: 'JOURNAL_SET_ASIDE' }])
    const aside = readdirSync(join(folder, 'state')).find((name) => name.includes('foreign'))!
    expect(readFileSync(join(folder, 'state', aside))).toEqual(Buffer.from(content as string))
    await journal.append(record(1))
    await journal.close()
    expect((await opened()).records).toEqual([record(1)])
  })
})

describe('a failing disk', () => {
  it('makes the append fail, not the process, until a rewrite succeeds', async () => {
    const { journal } = await opened()
    await journal.append(record(1))
    const handle = await openFile(file)
    const broken = vi.spyOn(Object.getPrototypeOf(handle), 'datasync')
    await handle.close()
    broken.mockRejectedValue(new Error('no space left'))
    await expect(journal.append(record(2))).rejects.toThrow('no space left')
    broken.mockRestore()
    await expect(journal.append(record(3))).rejects.toThrow('no space left')
    await journal.rewrite([record(1), record(2), record(3)])
    await journal.append(record(4))
    expect((await journal.read()).map(({ at }) => at)).toEqual([1, 2, 3, 4])
  })

  it('is reported if the file cannot be opened', async () => {
    writeFileSync(join(folder, 'state'), 'a file where the folder should be')
    await expect(opened()).rejects.toMatchObject({ code: 'JOURNAL_UNUSABLE' })
  })
})

describe('the owner of a journal', () => {
  const us = { cluster: 'prod', pool: 'gpu * "ü"', writer: 'w-1' }
  const openAs = async (owner?: JournalOwner, kind = 'test 1') => {
    const result = await openJournalFile({ file, kind, now, owner })
    open.push(result.journal)
    return result
  }

  it('is in its first line, and kept by rewrites', async () => {
    const { journal } = await openAs(us)
    await journal.append(record(1))
    expect(journalOwnerOf(file)).toEqual(us)
    await journal.rewrite([record(2)])
    expect(journalOwnerOf(file)).toEqual(us)
    expect(await journal.read()).toEqual([record(2)])
    expect((await openAs(us)).records).toEqual([record(2)])
  })

  it.each([
    { ...us, cluster: 'test' },
    { ...us, pool: 'cpu' },
    { cluster: 'prod', writer: 'w-1' },
    { ...us, writer: 'w-2' },
  ])('that is another is rejected, and its file unchanged: %j', async (other) => {
    const { journal } = await openAs(other)
    await journal.append(record(1))
    const before = readFileSync(file)
    const error: ProvisionError = await openAs(us).catch((thrown) => thrown)
    expect(error.code).toBe('STATE_FOREIGN')
    expect(error.message).toContain(`${file} belongs to cluster ${other.cluster}`)
    expect(error.message).toContain('this is cluster prod, pool gpu')
    expect(error.problems[0]!.remedy).toContain(`mv ${file} ${file}.foreign`)
    expect(readFileSync(file)).toEqual(before)
    expect(readdirSync(join(folder, 'state'))).toEqual(['master.journal'])
  })

  it('is added by the next rewrite to a journal of a version without owners', async () => {
    const { journal } = await openAs()
    await journal.append(record(1))
    const later = await openAs(us)
    expect([later.records, later.problems]).toEqual([[record(1)], []])
    expect(journalOwnerOf(file)).toBeUndefined()
    await later.journal.rewrite([record(1), record(2)])
    expect(journalOwnerOf(file)).toEqual(us)
    expect((await openAs(us)).records).toEqual([record(1), record(2)])
  })

  it('in an altered first line makes the file invalid, and it is set aside', async () => {
    await openAs(us)
    const text = readFileSync(file, 'utf8')
    for (const altered of [text.replace('prod', 'prof'), text.replace('"}', '"'), text.slice(5)]) {
      writeFileSync(file, altered)
      expect(journalOwnerOf(file)).toBeUndefined()
      const { problems, records } = await openAs(us)
      expect(problems.map(({ code }) => code)).toEqual(['JOURNAL_SET_ASIDE'])
      expect(records).toEqual([])
      expect(journalOwnerOf(file)).toEqual(us)
    }
    const names = readdirSync(join(folder, 'state'))
    expect(names.filter((name) => name.endsWith('.journal'))).toEqual(['master.journal'])
  })

  it('a FIFO at its path is not waited for', async () => {
    mkdirSync(join(folder, 'state'))
    execFileSync('mkfifo', [file])
    await expect(openAs(us)).rejects.toThrow(/JOURNAL_UNUSABLE.*a FIFO/)
  })
})

it('two joined lines are both dropped', async () => {
  await written(1)
  appendFileSync(file, readFileSync(file, 'utf8').split('\n')[1]!.repeat(2))
  expect((await opened()).records).toEqual([record(0)])
})

it('a journal that was closed changes the file no more: it may be open again elsewhere', async () => {
  const { journal: before } = await opened()
  await before.append(record(1))
  const closing = before.close()
  const late = before.rewrite([record(9)])
  await expect(late).rejects.toThrow('closed')
  await closing
  const { journal: after } = await opened()
  await after.append(record(2))
  await expect(before.rewrite([record(9)])).rejects.toThrow('closed')
  await expect(before.append(record(9))).rejects.toThrow()
  await after.append(record(3))
  await after.close()
  expect((await opened()).records).toEqual([record(1), record(2), record(3)])
})
