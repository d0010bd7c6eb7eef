// The packed files contain every library, so the packed manifest has no dependencies, and nothing for development.
// `npm pack` runs `strip` before and `restore` after packing; meanwhile the repository's manifest is kept beside it.
import { copyFileSync, existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'

const onlyInRepository = ['dependencies', 'devDependencies', 'scripts', 'allowScripts']

/** The manifest that is packed. */
export function packedManifest(manifest: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(manifest).filter(([key]) => !onlyInRepository.includes(key)))
}

function strip(file: string, kept: string): void {
  // An existing one is left over from an interrupted run: it is the original.
  if (!existsSync(kept)) copyFileSync(file, kept)
  const packed = packedManifest(JSON.parse(readFileSync(kept, 'utf8')))
  writeFileSync(file, `${JSON.stringify(packed, null, 2)}\n`)
}

function main(order: string | undefined): void {
  const file = join(resolve(import.meta.dirname, '..'), 'package.json')
  const kept = `${file}.repository`
  if (order === 'strip') strip(file, kept)
  else if (order === 'restore') renameSync(kept, file)
  else throw new Error('usage: pack-manifest.ts strip | restore')
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) main(process.argv[2])
