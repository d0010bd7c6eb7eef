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

const keptOf = (file: string) => `${file}.repository`

/** Keeps the manifest beside the file, and writes the packed one. */
export function stripManifest(file: string): void {
  const kept = keptOf(file)
  // After an interrupted run the original is the kept one, unless someone has restored the manifest since.
  const manifest = JSON.parse(readFileSync(file, 'utf8'))
  const isStripped = existsSync(kept) && !onlyInRepository.some((key) => key in manifest)
  if (!isStripped) copyFileSync(file, kept)
  const packed = packedManifest(JSON.parse(readFileSync(kept, 'utf8')))
  writeFileSync(file, `${JSON.stringify(packed, null, 2)}\n`)
}

export function restoreManifest(file: string): void {
  renameSync(keptOf(file), file)
}

function main(order: string | undefined): void {
  const file = join(resolve(import.meta.dirname, '..'), 'package.json')
  if (order === 'strip') stripManifest(file)
  else if (order === 'restore') restoreManifest(file)
  else throw new Error('usage: pack-manifest.ts strip | restore')
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) main(process.argv[2])
