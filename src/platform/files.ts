// Atomic file writes: a file is either the old one or the complete new one.

import { createHash } from 'node:crypto'
import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs'
import { open, readdir, rename, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { derivedName } from './derived-id.ts'

/** Writes a temporary file in the same folder, flushes it to the disk, and renames it. Modes: file 0600, folders 0700. */
export function writeFileAtomic(file: string, data: string | Uint8Array, mode = 0o600): void {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
  const temporary = temporaryOf(file)
  try {
    const handle = openSync(temporary, 'wx', mode)
    try {
      const bytes = typeof data === 'string' ? Buffer.from(data) : data
      for (let done = 0; done < bytes.length; ) done += writeSync(handle, bytes, done)
      fsyncSync(handle)
    } finally {
      closeSync(handle)
    }
    renameSync(temporary, file)
  } catch (error) {
    rmSync(temporary, { force: true })
    throw error
  }
}

/** The same for a large file in an existing folder, which is flushed too; other work runs meanwhile. */
export async function replaceFile(file: string, pieces: readonly Uint8Array[], mode = 0o600): Promise<void> {
  const temporary = temporaryOf(file)
  try {
    const handle = await open(temporary, 'wx', mode)
    try {
      for (const piece of pieces) await handle.appendFile(piece)
      await handle.sync()
    } finally {
      await handle.close()
    }
    await rename(temporary, file)
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  }
  const folder = await open(dirname(file), 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

/** What a crash left behind while the file was replaced. Only for a file that no other process writes. */
export async function removeTemporaries(file: string): Promise<void> {
  const [folder, name] = [dirname(file), `${basename(file)}.`]
  for (const found of await readdir(folder))
    if (found.startsWith(name) && /^\d+\.[0-9a-z]+\.tmp$/.test(found.slice(name.length)))
      await rm(join(folder, found), { force: true })
}

function temporaryOf(file: string): string {
  return `${file}.${process.pid}.${Math.random().toString(36).slice(2)}.tmp`
}

// Detects changed files by their contents: mounted secrets change by swapped links, and file dates are not reliable.

/**
 * One string for the contents of all files together, following links. A file that cannot be read contributes the reason,
 * so that a missing file is a state like any other. Never throws.
 */
export function contentsFingerprint(files: readonly string[]): string {
  const hash = createHash('sha256')
  for (const file of files) {
    const contents = read(file)
    // The length separates the files: moving bytes from one to the next changes the hash.
    hash.update(`${contents.length}\n`).update(contents)
  }
  return hash.digest('hex')
}

function read(file: string): Uint8Array {
  try {
    return readFileSync(file)
  } catch (error) {
    return Buffer.from(`unreadable: ${(error as NodeJS.ErrnoException).code ?? String(error)}`)
  }
}

// File and folder names for pools, whose names may contain any character.

/** File systems allow 255 bytes; suffixes and temporary names need some of them. */
const longest = 200
const markLength = 20

/** One path segment of at most 200 ASCII characters, never `.` or `..`; different pools get different ones. */
export function fileNameOf(pool: string): string {
  const name = encodeURIComponent(pool)
  if (/^\.+$/.test(name)) return name.replaceAll('.', '%2E')
  if (name.length <= longest) return name
  return `${name.slice(0, longest - markLength - 1)}~${derivedName(markLength, pool)}`
}
