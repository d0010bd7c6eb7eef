// What is packed has every library inside of dist/, so its manifest names none of them, and nothing for development.
// `npm pack` runs `strip` before it and `restore` after it; the manifest of the repository is kept beside it meanwhile.
import { copyFileSync, existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'

const onlyInRepository = ['dependencies', 'devDependencies', 'scripts', 'allowScripts']

/** The manifest that is packed. */
export function packedManifest(manifest: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(manifest).filter(([key]) => !onlyInRepository.includes(key)))
}

function strip(file: string, kept: string): void {
  // One that is there is of a run that was stopped: it is the true one.
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
