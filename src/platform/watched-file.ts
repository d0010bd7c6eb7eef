// Whether files have changed, by what is in them: mounted secrets change by swapped links, and dates lie.
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'

/**
 * One text for the contents of all files together, following links. A file that cannot be read counts by its reason, so
 * that a missing file is a state like any other. Never throws.
 */
export function contentsFingerprint(files: readonly string[]): string {
  const hash = createHash('sha256')
  for (const file of files) {
    const contents = read(file)
    // The length keeps what moved from one file to the next apart.
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
