// The decision log: decisions and their outcomes, in a file of bounded size. `provision logs` reads it.
import { appendFile, closeSync, constants, lstatSync, mkdirSync, renameSync } from 'node:fs'
import { dirname } from 'node:path'
import { promisify } from 'node:util'
import { type JournalRecord, openPlainFile, readPlainFile, redact } from '../../platform/index.ts'
import type { DecisionLog, DecisionQuery } from '../store.ts'

export interface DecisionFileOptions {
  file: string
  /** A larger file is renamed to `.1` and replaces the previous one: at most twice this size is kept. */
  maxBytes?: number
  onFault: (error: unknown) => void
}

export const defaultMaxBytes = 4 * 2 ** 20

export function openDecisionFile({
  file,
  maxBytes = defaultMaxBytes,
  onFault,
}: DecisionFileOptions): DecisionLog {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
  let size = lstatSync(file, { throwIfNoEntry: false })?.size ?? 0
  // A line cut off by a crash must not damage the next record.
  let waiting = size > 0 ? '\n' : ''
  let working: Promise<void> | undefined

  async function write(): Promise<void> {
    // Not before `working` is set; otherwise a task that fails at once would never be removed.
    await null
    while (waiting !== '') {
      const text = waiting
      waiting = ''
      try {
        if (size > maxBytes) {
          // First, so that a file that cannot be renamed, or is gone, is still written to next time.
          size = 0
          renameSync(file, `${file}.1`)
        }
        await append(file, text)
        size += Buffer.byteLength(text)
      } catch (error) {
        onFault(error)
      }
    }
    working = undefined
  }

  return {
    add(record) {
      waiting += `${JSON.stringify(redact(record))}\n`
      working ??= write()
    },
    async close() {
      await working
    },
  }
}

/** Never writes through a link, or to a FIFO without a reader. */
async function append(file: string, text: string): Promise<void> {
  const handle = openPlainFile(file, constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT)
  try {
    await promisify(appendFile)(handle, text)
  } finally {
    closeSync(handle)
  }
}

/** Oldest first. A line cut off by a crash is left out. */
export function readDecisionFile(
  file: string,
  { pool, since = 0, limit = Number.POSITIVE_INFINITY }: DecisionQuery = {},
): JournalRecord[] {
  const found: JournalRecord[] = []
  for (const line of newestFirst([file, `${file}.1`])) {
    if (found.length >= limit) break
    const [record] = parsed(line)
    if (!record) continue
    // Clocks are sometimes set back, but by less than this.
    if (record.at < since - 60_000) break
    if (record.at >= since && (pool === undefined || record['pool'] === pool)) found.push(record)
  }
  return found.reverse()
}

/** The last few lines are requested often, and the process is busy: no more than those are read. */
function* newestFirst(files: readonly string[]): Generator<string> {
  for (const name of files) {
    const text = readPlainFile(name) ?? ''
    for (let end = text.length; end > 0; ) {
      const before = text.lastIndexOf('\n', end - 1)
      yield text.slice(before + 1, end)
      end = before
    }
  }
}

function parsed(line: string): JournalRecord[] {
  try {
    const record = JSON.parse(line)
    return typeof record?.at === 'number' && typeof record.kind === 'string' ? [record] : []
  } catch {
    return []
  }
}
