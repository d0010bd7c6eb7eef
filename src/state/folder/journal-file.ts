// A journal file: one line with a checksum for each record, flushed before `append` resolves. A damaged file is set aside.
import { constants, copyFileSync, renameSync } from 'node:fs'
import { type FileHandle, mkdir, open } from 'node:fs/promises'
import { dirname } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { crc32 } from 'node:zlib'
import {
  type JournalRecord,
  readPlainFile,
  removeTemporaries,
  replaceFile,
  syncFolderOf,
  writeFileAtomic,
} from '../../platform/index.ts'
import { ProvisionError, problem } from '../../problems/index.ts'
import {
  describeOwner,
  isSameOwner,
  type JournalOptions,
  type JournalOwner,
  type OpenedJournal,
  type StoredJournal,
} from '../store.ts'
import { checkedValue, checksum, hexOf, jsonPieces, lineOf } from '../stored-json.ts'

/** What the port asks for, in a file. */
export interface JournalFileOptions extends Omit<JournalOptions, 'name'> {
  file: string
  /** Milliseconds since the epoch, for the name of a file that is set aside. */
  now: number
}

interface Waiting {
  line: string
  resolve: () => void
  reject: (error: unknown) => void
}

/**
 * Copies a file with truncated or altered lines, then drops these lines. Throws a ProvisionError:
 * JOURNAL_UNUSABLE when the file cannot be read or written, STATE_FOREIGN when it has another owner.
 */
export async function openJournalFile(options: JournalFileOptions): Promise<OpenedJournal> {
  const { file } = options
  try {
    await mkdir(dirname(file), { recursive: true, mode: 0o700 })
    await removeTemporaries(file)
    const { records, problems, whole, isNew } = readRecords(options)
    if (!whole) writeFileAtomic(file, fileOf(options, records))
    syncFolderOf(file)
    return { journal: createJournal(options, await openToAppend(file)), records, problems, isNew }
  } catch (cause) {
    if (cause instanceof ProvisionError) throw cause
    throw new ProvisionError(problem('JOURNAL_UNUSABLE', `${file}: ${(cause as Error).message}`, { cause }))
  }
}

function openToAppend(file: string): Promise<FileHandle> {
  return open(file, constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NOFOLLOW, 0o600)
}

function createJournal(options: JournalFileOptions, opened: FileHandle): StoredJournal {
  const { file, kind } = options
  let handle = opened
  /** Records for the next flush; undefined if none is due. */
  let waiting: Waiting[] | undefined
  let working: Promise<void> = Promise.resolve()
  let broken: unknown
  let closed = false
  let appended = 0

  /** Steps run one after the other; a failed step does not stop the next. */
  function then(step: () => Promise<void>): Promise<void> {
    const done = working.then(step)
    working = done.catch(() => {})
    return done
  }

  /** Writes all records of the batch to the disk with one flush. */
  async function flush(batch: readonly Waiting[]): Promise<void> {
    if (waiting === batch) waiting = undefined
    try {
      if (broken) throw broken
      await handle.appendFile(batch.map(({ line }) => line).join(''))
      await handle.datasync()
      appended += batch.length
      for (const { resolve } of batch) resolve()
    } catch (error) {
      // It is unknown what was written; no line may follow a truncated one.
      broken = error
      for (const { reject } of batch) reject(error)
    }
  }

  /** The file may be open again in the meantime, and what was appended to it there would be lost. */
  function assertOpen(): void {
    if (closed) throw new Error(`${file} is closed`)
  }

  async function continueWith(next: FileHandle): Promise<void> {
    await handle.close().catch(() => {})
    handle = next
    broken = undefined
    appended = 0
  }

  return {
    place: file,
    append: (record) =>
      new Promise((resolve, reject) => {
        assertOpen()
        const line = lineOf(record)
        if (!waiting) {
          const batch: Waiting[] = []
          waiting = batch
          void then(() => flush(batch))
        }
        waiting.push({ line, resolve, reject })
      }),
    read: async () => {
      await working
      return parse(readPlainFile(file) ?? '', kind).records
    },
    rewrite(records) {
      // What is appended from now on must follow the rewritten records, not precede them and be lost.
      waiting = undefined
      return then(async () => {
        assertOpen()
        await replaceFile(file, await filePiecesOf(options, records))
        await continueWith(await openToAppend(file))
      })
    },
    async setAside() {
      waiting = undefined
      let aside = ''
      await then(async () => {
        assertOpen()
        aside = asideOf(options, 'foreign')
        renameSync(file, aside)
        writeFileAtomic(file, fileOf(options, []))
        syncFolderOf(file)
        await continueWith(await openToAppend(file))
      })
      return aside
    },
    get appended() {
      return appended
    },
    async close() {
      const before = working
      closed = true
      await before
      await handle.close()
    },
  }
}

interface Found extends Omit<OpenedJournal, 'journal'> {
  /** False: the file must be rewritten before a record is appended. */
  whole: boolean
}

function readRecords(options: JournalFileOptions): Found {
  const { file, kind, owner: self } = options
  const text = readPlainFile(file)
  if (text === undefined) return { records: [], problems: [], whole: false, isNew: true }
  const { records, bad, ours, owner } = parse(text, kind)
  if (self && owner && !isSameOwner(self, owner)) throw foreign(file, owner, self)
  // A crash can lose only the last line end: no record is lost, but the next one needs a new line.
  if (ours && bad === 0) return { records, problems: [], whole: text.endsWith('\n'), isNew: false }
  const aside = asideOf(options, ours ? 'damaged' : 'foreign')
  if (ours) copyFileSync(file, aside)
  else renameSync(file, aside)
  const what = ours
    ? `${bad} of ${records.length + bad} records in ${file} could not be read; the others are used`
    : `${file} is not a journal of this program's kind (${kind}); a new one was started`
  const kept = problem('JOURNAL_SET_ASIDE', `${what}; the original file is ${aside}`)
  return { records, problems: [kept], whole: false, isNew: false }
}

function asideOf({ file, now }: JournalFileOptions, why: 'damaged' | 'foreign'): string {
  return `${file}.${why}-${new Date(now).toISOString().replaceAll(':', '')}`
}

interface Parsed {
  records: JournalRecord[]
  bad: number
  /** Whether the file is of this kind; its owner is not checked. */
  ours: boolean
  owner?: JournalOwner
}

function parse(text: string, kind: string): Parsed {
  const [header, ...lines] = text.split('\n')
  // A complete file ends with a line end, so the last piece is empty; otherwise it is a truncated line.
  if (lines.at(-1) === '') lines.pop()
  const owner = ownerIn(header)
  const known = owner ? headerOf({ kind, owner }) : headerOf({ kind })
  if (header !== known) return { records: [], bad: lines.length, ours: false }
  const records = lines.map((line) => checkedValue(line) as JournalRecord | undefined)
  const good = records.filter((record) => record !== undefined)
  return { records: good, bad: records.length - good.length, ours: true, owner }
}

function headerOf({ kind, owner }: Pick<JournalFileOptions, 'kind' | 'owner'>): string {
  const begin = `provision journal: ${kind}`
  if (!owner) return begin
  const { cluster, pool, writer } = owner
  const json = JSON.stringify({ cluster, pool, writer })
  return `${begin} ${checksum(json)} ${json}`
}

/** undefined if it has no owner, or was altered. */
function ownerIn(header = ''): JournalOwner | undefined {
  const [, sum, json = ''] = /^provision journal: .*? ([0-9a-f]{8}) (\{.*\})$/.exec(header) ?? []
  if (sum === undefined || sum !== checksum(json)) return undefined
  const { cluster, pool, writer }: Record<string, unknown> = JSON.parse(json)
  if (typeof cluster !== 'string' || typeof writer !== 'string') return undefined
  return { cluster, writer, ...(typeof pool === 'string' && { pool }) }
}

/** The first line of a journal; undefined if it is missing or cannot be read. */
export function journalHeaderOf(file: string): Pick<JournalOptions, 'kind' | 'owner'> | undefined {
  const [line = ''] = readPlainFile(file)?.split('\n', 1) ?? []
  const [, kind] = /^provision journal: (.*?)(?: [0-9a-f]{8} \{.*\})?$/.exec(line) ?? []
  if (kind === undefined) return undefined
  const owner = ownerIn(line)
  return { kind, ...(owner && { owner }) }
}

/** The owner of a journal of any kind. undefined if it has none, is missing or cannot be read. */
export function journalOwnerOf(file: string): JournalOwner | undefined {
  try {
    return ownerIn(readPlainFile(file)?.split('\n', 1)[0])
  } catch {
    return undefined
  }
}

function foreign(file: string, found: JournalOwner, self: JournalOwner): ProvisionError {
  return new ProvisionError(
    problem('STATE_FOREIGN', `${file} belongs to ${describeOwner(found)}; this is ${describeOwner(self)}`, {
      remedy: `Restore \`cluster_id\` in the configuration and the file writer-id in state_dir, or move the file away: mv ${file} ${file}.foreign`,
      details: { file, found, expected: self },
    }),
  )
}

function fileOf(options: JournalFileOptions, records: JournalRecord[]): string {
  return `${headerOf(options)}\n${records.map(lineOf).join('')}`
}

/** The same file, made in pieces: a record of 10,000 instances takes tens of milliseconds. */
async function filePiecesOf(
  options: JournalFileOptions,
  records: readonly JournalRecord[],
): Promise<Buffer[]> {
  const file = [Buffer.from(`${headerOf(options)}\n`)]
  let sincePause = 0
  for (const record of records) {
    const pieces: Buffer[] = []
    let sum = 0
    for (const text of jsonPieces(record)) {
      const piece = Buffer.from(text)
      sum = crc32(piece, sum)
      pieces.push(piece)
      sincePause += piece.byteLength
      if (sincePause < stretch) continue
      sincePause = 0
      await setImmediate()
    }
    file.push(Buffer.concat([Buffer.from(`${hexOf(sum)} `), ...pieces, Buffer.from('\n')]))
  }
  return file
}

/** Bytes of JSON after which other work runs: about a millisecond. */
const stretch = 131_072
