// The project's source files and their imports.
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, posix, relative, resolve } from 'node:path'
import { straight } from '../../scripts/straight.ts'

export const root = resolve(import.meta.dirname, '../..')

export interface SourceFile {
  /** Path from the repository's root, with `/`. */
  path: string
  text: string
  imports: { specifier: string; dynamic: boolean; typeOnly: boolean }[]
}

const importPattern =
  /(?:^|[\n;])\s*(?:import|export)\s+(type\s+)?(?:[^'";]*?\sfrom\s+)?'([^']+)'|\bimport\(\s*'([^']+)'\s*\)/g

/** Every TypeScript file below a folder of the repository, without generated files. */
export function sourcesBelow(folder: string): SourceFile[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts') && !name.endsWith('.generated.ts'))
    .map((name) => readSource(join(root, folder, name)))
}

function readSource(file: string): SourceFile {
  const text = readFileSync(file, 'utf8')
  return { path: relative(root, file).replaceAll('\\', '/'), text, imports: importsOf(text) }
}

/** As bundled: imports skip the entry files of rooms. */
export function asBundled(file: SourceFile): SourceFile {
  const text = straight(join(root, file.path), file.text)
  return { ...file, text, imports: importsOf(text) }
}

function importsOf(text: string): SourceFile['imports'] {
  return [...text.matchAll(importPattern)].map(([, typeOnly, fixed, dynamic]) => ({
    specifier: (fixed ?? dynamic)!,
    dynamic: dynamic !== undefined,
    typeOnly: typeOnly !== undefined,
  }))
}

/** The file a relative specifier names, from the repository's root; undefined for packages. */
export function target(from: SourceFile, specifier: string): string | undefined {
  return specifier.startsWith('.') ? posix.normalize(posix.join(dirname(from.path), specifier)) : undefined
}
