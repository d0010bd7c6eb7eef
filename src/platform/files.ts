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
import { dirname } from 'node:path'
import { derivedName } from './derived-id.ts'

/** Writes a temporary file in the same folder, flushes it to the disk, and renames it. Modes: file 0600, folders 0700. */
export function writeFileAtomic(file: string, data: string | Uint8Array, mode = 0o600): void {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
  const temporary = `${file}.${process.pid}.${Math.random().toString(36).slice(2)}.tmp`
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
