// Rooms are imported through their index.ts. A bundle, and a test, imports the file behind it directly, so that a
// command
// loads only what it uses: the index itself would load all files of the room for one name.
import { readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'

const entry = String.raw`'(\.{1,2}/[^']*index\.ts)'`
const fixedImport = new RegExp(String.raw`^(import|export) (type )?\{([^}]*)\} from ${entry}`, 'gm')
const lazyImport = new RegExp(String.raw`\bconst \{([^}]*)\} = await import\(\s*${entry}\s*\)`, 'g')
const lazyMember = new RegExp(String.raw`\(await import\(\s*${entry}\s*\)\)\.(\w+)`, 'g')
const reExport = /^export (type )?\{([^}]*)\} from '(\.\/[^']+)'\n/gm
/** Such as `export * as z from './words.ts'`. */
const namespace = /^export \* as (\w+) from '(\.\/[^']+)'\n/gm

/**
 * The text of a source file, with imports that bypass the entry files of rooms. Throws for an import it cannot parse.
 */
export function straight(path: string, text: string): string {
  const direct = (specifier: string, names: string[]) => behind(join(dirname(path), specifier), names)
  const to = (file: string) => `./${relative(dirname(path), file)}`.replace('./..', '..')
  const result = text
    .replace(fixedImport, (_, keyword: string, type = '', names: string, specifier: string) =>
      [...direct(specifier, listed(names))]
        .map(([file, found]) => `${keyword} ${type}${clause(file, found)} from '${to(file)}'`)
        .join('; '),
    )
    .replace(lazyImport, (_, names: string, specifier: string) => {
      const parts = [...direct(specifier, listed(names))]
      return `const ${parts.map(([file, found]) => `{ ${found.join(', ')} } = await import('${to(file)}')`).join(', ')}`
    })
    .replace(lazyMember, (_, specifier: string, name: string) => {
      const [[file] = ['']] = direct(specifier, [name])
      return `(await import('${to(file)}')).${name}`
    })
  if (/import\(\s*'[^']*index\.ts'/.test(text.replace(lazyImport, '').replace(lazyMember, '')))
    throw new Error(`${path}: take names out of a room as \`const { name } = await import('…/index.ts')\``)
  return isEntry(path) ? result.replace(reExport, '').replace(namespace, '') : result
}

/** Imports of types only must not load the file that declares them. */
function clause(file: string, names: string[]): string {
  if (namespaces.has(file)) return `* as ${names.join()}`
  const types = names.map((name) => /^type (.*)$/.exec(name)?.[1])
  return types.every(Boolean) ? `type { ${types.join(', ')} }` : `{ ${names.join(', ')} }`
}

/** Names by the file that declares them; a name that the entry declares itself stays there. */
function behind(index: string, names: string[]): Map<string, string[]> {
  const files = new Map<string, string[]>()
  const where = reExportsOf(index)
  for (const name of names) {
    const file =
      where.get(
        name
          .replace(/^type /, '')
          .split(/ as |:/)[0]!
          .trim(),
      ) ?? index
    files.set(file, [...(files.get(file) ?? []), name])
  }
  return files
}

const known = new Map<string, Map<string, string>>()
/** Files that an entry exports completely. */
const namespaces = new Set<string>()

function reExportsOf(index: string): Map<string, string> {
  let where = known.get(index)
  if (!where) {
    where = new Map()
    for (const [, , names = '', file = ''] of readFileSync(index, 'utf8').matchAll(reExport))
      for (const name of listed(names)) where.set(name.replace(/^type /, ''), join(dirname(index), file))
    for (const [, name = '', file = ''] of readFileSync(index, 'utf8').matchAll(namespace)) {
      const whole = join(dirname(index), file)
      where.set(name, whole)
      namespaces.add(whole)
    }
    known.set(index, where)
  }
  return where
}

function listed(names: string): string[] {
  return names
    .split(',')
    .map((name) => name.trim())
    .filter(Boolean)
}

/** Except src/testing, which is an entry of the package and is never bypassed. */
function isEntry(path: string): boolean {
  return /\/src\/(?!testing\/)[a-z-]+\/index\.ts$/.test(path.replaceAll('\\', '/'))
}
