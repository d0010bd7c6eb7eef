// The output of jobs in a folder: two files for each allocation at most, with one line for each line, and heads in between.
import {
  appendFile,
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  readdirSync,
  readFile,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs'
import { basename, join } from 'node:path'
import { promisify } from 'node:util'
import { fileNameOf, openPlainFile, replaceFile } from '../../platform/index.ts'
import {
  joinOutput,
  type KeptOutput,
  mostOutput,
  noOutput,
  type OutputChunk,
  type OutputHead,
  type OutputLine,
  type OutputStore,
  type Positions,
} from '../output.ts'
import { checkedValue, lineOf } from '../stored-json.ts'

export interface OutputFilesOptions {
  /** Created at the first write. */
  folder: string
  /** Bytes of all files together. */
  most?: number
}

const suffix = '.lines'
/** Added to the name of the file that came before the present one. */
const before = '.1'
/** Bytes below which a file is not followed by another one. */
const smallest = 65_536

/** `n`: its number. */
type StoredLine = OutputLine & { n: number }
interface StoredHead {
  allocation: string
  count: number
  positions: Positions
}

/** What is known of the files of one allocation. */
interface Files {
  size: number
  sizeBefore: number
  /** Number of the first line in the present file; undefined while that is not known. */
  first?: number | undefined
  /** Milliseconds since the epoch: last written. */
  at: number
}

export function outputFiles({ folder, most = mostOutput }: OutputFilesOptions): OutputStore {
  const fileOf = (allocation: string) => join(folder, `${fileNameOf(allocation)}${suffix}`)
  /** By path. */
  let known: Map<string, Files> | undefined
  let working: Promise<unknown> = Promise.resolve()

  /** One step after the other. */
  function then<T>(step: () => Promise<T>): Promise<T> {
    const done = working.then(step)
    working = done.catch(() => {})
    return done
  }

  function files(): Map<string, Files> {
    if (known) return known
    known = new Map()
    for (const name of namesIn(folder)) if (name.endsWith('.tmp')) rmSync(join(folder, name), { force: true })
    for (const file of present(folder)) known.set(file, filesAt(file))
    return known
  }

  async function write(chunk: OutputChunk): Promise<void> {
    const file = fileOf(chunk.allocation)
    const found = files().get(file) ?? { size: 0, sizeBefore: 0, at: 0 }
    files().set(file, found)
    if (found.size > smallest) {
      found.first ??= (await readFiles([file])).numbered[0]?.[0] ?? 0
      // The present file has everything that is needed, so the one before goes.
      if (found.first <= chunk.kept) {
        renameSync(file, `${file}${before}`)
        Object.assign(found, { size: 0, sizeBefore: found.size, first: undefined })
      }
    }
    const head = {
      allocation: chunk.allocation,
      count: chunk.first + chunk.lines.length,
      positions: chunk.positions,
    }
    const lines = chunk.lines.map((line, at) => lineOf({ n: chunk.first + at, ...line } satisfies StoredLine))
    // A head follows the lines that it counts, so that a crash in between does not count what is missing.
    const isFirst = found.size === 0 || chunk.lines.length === 0
    // A line that was cut by a crash must not spoil the next.
    const text = `\n${lines.join('')}${isFirst ? lineOf(head satisfies StoredHead) : ''}`
    if (found.size === 0) found.first = chunk.first
    try {
      await append(file, text)
    } finally {
      Object.assign(found, { size: sizeOf(file), at: Date.now() })
    }
  }

  /** Reduces those that were written to least recently to their heads. */
  async function makeRoom(): Promise<void> {
    const all = [...files()].map(([file, { at, size, sizeBefore }]) => ({
      file,
      at,
      size: size + sizeBefore,
    }))
    let total = all.reduce((sum, { size }) => sum + size, 0)
    if (total <= most) return
    for (const { file, size } of all.sort((a, b) => a.at - b.at)) {
      if (total <= 0.9 * most) return
      // What cannot be removed must not keep new lines from being stored.
      await reduce(file).catch(() => {})
      const left = filesAt(file)
      files().set(file, { ...left, at: files().get(file)!.at })
      total -= size - left.size - left.sizeBefore
    }
  }

  async function reduce(file: string): Promise<void> {
    const { allocation, numbered, ...found } = await readFiles([`${file}${before}`, file])
    const { count, positions } = joinOutput(numbered, found)
    if (allocation === undefined) rmSync(file, { force: true })
    else await replaceFile(file, [Buffer.from(lineOf({ allocation, count, positions } satisfies StoredHead))])
    rmSync(`${file}${before}`, { force: true })
  }

  async function read(allocation: string): Promise<KeptOutput> {
    const file = fileOf(allocation)
    const { numbered, count, positions } = await readFiles([`${file}${before}`, file])
    return joinOutput(numbered, { count, positions })
  }

  return {
    allocations: () => then(() => allocationsIn(folder)),
    heads: (allocations) =>
      then(async () => {
        const heads = new Map<string, OutputHead>()
        for (const allocation of allocations) {
          if (!existsSync(fileOf(allocation)) && !existsSync(`${fileOf(allocation)}${before}`)) continue
          // A file that cannot be read must not keep the master from its work; writes to it will tell.
          const { count, positions } = await read(allocation).catch(() => noOutput)
          if (count > 0) heads.set(allocation, { count, positions })
        }
        return heads
      }),
    read: (allocation) => then(() => read(allocation)),
    append: (chunks) =>
      then(async () => {
        mkdirSync(folder, { recursive: true, mode: 0o700 })
        for (const chunk of chunks) await write(chunk)
        await makeRoom()
      }),
    forget: (allocations) =>
      then(async () => {
        for (const allocation of allocations) {
          const file = fileOf(allocation)
          for (const each of [file, `${file}${before}`]) rmSync(each, { force: true })
          known?.delete(file)
        }
      }),
  }
}

function namesIn(folder: string): string[] {
  return existsSync(folder) ? readdirSync(folder) : []
}

/** The paths of present files, also where only the one before is there. */
function present(folder: string): Set<string> {
  return new Set(
    namesIn(folder).flatMap((name) => {
      const base = name.endsWith(before) ? name.slice(0, -before.length) : name
      return base.endsWith(suffix) ? [join(folder, base)] : []
    }),
  )
}

function filesAt(file: string): Files {
  const [now, then] = [file, `${file}${before}`].map((each) => statSync(each, { throwIfNoEntry: false }))
  return { size: now?.size ?? 0, sizeBefore: then?.size ?? 0, at: (now ?? then)?.mtimeMs ?? 0 }
}

function sizeOf(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.size ?? 0
}

async function allocationsIn(folder: string): Promise<string[]> {
  const found: string[] = []
  for (const file of present(folder)) {
    const name = basename(file).slice(0, -suffix.length)
    // The name of a long id has only its beginning.
    const allocation = name.includes('~') ? await allocationIn(file) : decodeURIComponent(name)
    if (allocation !== undefined) found.push(allocation)
  }
  return found
}

async function allocationIn(file: string): Promise<string | undefined> {
  const read = await readFiles([`${file}${before}`, file]).catch(() => undefined)
  return read?.allocation
}

interface Read extends OutputHead {
  allocation?: string
  /** As stored: a number may be there twice. */
  numbered: [number, OutputLine][]
}

/** Oldest first. A file that does not exist has no lines. */
async function readFiles(all: readonly string[]): Promise<Read> {
  const found: Read = { numbered: [], count: 0, positions: {} }
  for (const file of all)
    for (const line of (await textOf(file)).split('\n')) {
      const value = line === '' ? undefined : (checkedValue(line) as StoredLine | StoredHead | undefined)
      if (value === undefined) continue
      if ('n' in value) {
        const { n, ...stored } = value
        found.numbered.push([n, stored])
      } else Object.assign(found, value)
    }
  return found
}

async function textOf(file: string): Promise<string> {
  if (!existsSync(file)) return ''
  const handle = openPlainFile(file, constants.O_RDONLY)
  try {
    return await promisify(readFile)(handle, 'utf8')
  } finally {
    closeSync(handle)
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
