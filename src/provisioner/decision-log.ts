// What was decided and what became of it, kept in a file that does not grow for ever: `provision logs` reads it.
import { appendFile, closeSync, constants, lstatSync, mkdirSync, renameSync } from 'node:fs'
import { dirname } from 'node:path'
import { promisify } from 'node:util'
import { type JournalRecord, openPlainFile, readPlainFile, redact } from '../platform/index.ts'

export interface DecisionLog {
  /** Returns at once. What cannot be written is told to `onFault`, and lost: it is not worth stopping for. */
  add(record: JournalRecord): void
  /** Waits for what is under way. */
  close(): Promise<void>
}

export interface DecisionLogOptions {
  file: string
  /** A file that has grown beyond it is put aside under `.1`, whose place it takes: twice as much is kept at most. */
  maxBytes?: number
  onFault: (error: unknown) => void
}

export const defaultMaxBytes = 4 * 2 ** 20

export function openDecisionLog({
  file,
  maxBytes = defaultMaxBytes,
  onFault,
}: DecisionLogOptions): DecisionLog {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
  let size = lstatSync(file, { throwIfNoEntry: false })?.size ?? 0
  // What a crash has torn off must not take the next record with it.
  let waiting = size > 0 ? '\n' : ''
  let working: Promise<void> | undefined

  async function write(): Promise<void> {
    // Not before `working` is set: what fails at once would end without being forgotten.
    await null
    while (waiting !== '') {
      const text = waiting
      waiting = ''
      try {
        if (size > maxBytes) {
          // First: a file that cannot be put aside, or is gone, is written to all the same the next time.
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

/** Never to what a link leads to, or to a FIFO that nobody may read. */
async function append(file: string, text: string): Promise<void> {
  const handle = openPlainFile(file, constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT)
  try {
    await promisify(appendFile)(handle, text)
  } finally {
    closeSync(handle)
  }
}

export interface DecisionQuery {
  pool?: string
  /** Milliseconds since the epoch; nothing older. */
  since?: number
  /** The newest so many. */
  limit?: number
}

/** Oldest first. A line that a crash has torn is left out. */
export function readDecisionLog(
  file: string,
  { pool, since = 0, limit = Number.POSITIVE_INFINITY }: DecisionQuery = {},
): JournalRecord[] {
  const found: JournalRecord[] = []
  for (const line of newestFirst([file, `${file}.1`])) {
    if (found.length >= limit) break
    const [record] = parsed(line)
    if (!record) continue
    // Clocks are set back now and then, by less.
    if (record.at < since - 60_000) break
    if (record.at >= since && (pool === undefined || record['pool'] === pool)) found.push(record)
  }
  return found.reverse()
}

/** The last few lines are asked for again and again by a process that has other things to do: no more is looked at. */
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
