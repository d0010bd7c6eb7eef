// The files a container brings along, put below the task's own folder instead of the machine's root.
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { fileType, type RunArchive } from '../protocol/spec.ts'

/** Where each path of the archives really is. Throws the errno error of the file that could not be written. */
export function placeFiles(archives: RunArchive[], root: string): Map<string, string> {
  const placed = new Map<string, string>()
  for (const { Path, Archive } of archives)
    for (const { path, type, content, mode } of Archive) {
      // A leading slash makes `..` end at the root, so nothing leads out of it.
      const inside = normalize(join('/', Path, path))
      const real = join(root, inside)
      if (type === fileType.directory) mkdirSync(real, { recursive: true })
      else if (type === fileType.file) {
        mkdirSync(dirname(real), { recursive: true })
        writeFileSync(real, Buffer.from(content, 'base64'))
        chmodSync(real, mode & 0o777)
      } else continue
      placed.set(inside, real)
    }
  return placed
}
