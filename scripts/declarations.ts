// The type declarations of the package: those that the entries import, and the declarations of libraries that they name,
// so that a compiler needs no package that is not installed.
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, relative } from 'node:path'

/** Not copied: they belong to Node itself, or to the vitest that runs a contract suite. */
const ownedByUser = /^(node:|vitest$)/
/** A line that needs `@types/node`: an import of Node's, or a global. Comment lines are no such lines. */
const needsNode = /^(?!\s*(?:\/?\*|\/\/)).*(?:['"]node:|\bBuffer\b|\bNodeJS\.)/
const importOf = /((?:from|import\()\s*)(['"])([^'"]+)\2/g

/**
 * @param types the folder that `tsc` has written; its files that no entry imports are removed
 * @param entries paths below it
 * @returns the files of packages that were copied to `vendor/` below it, for their licences
 */
export function closeDeclarations(types: string, entries: string[]): string[] {
  const written = new Map<string, string>()
  const copied = new Set<string>()
  const visit = (file: string, target: string): void => {
    if (written.has(target)) return
    written.set(target, '')
    const text = readFileSync(file, 'utf8').replace(importOf, (all, before, quote, specifier) => {
      if (ownedByUser.test(specifier)) return all
      const source = declarationOf(specifier, file)
      const place = inVendor(source, types) ?? source
      if (place !== source) copied.add(source)
      visit(source, place)
      const path = relative(dirname(target), place).replace(/\.d\.(c|m)?ts$/, '.$1js')
      return `${before}${quote}${path.startsWith('.') ? path : `./${path}`}${quote}`
    })
    written.set(target, text)
  }
  for (const entry of entries) visit(join(types, entry), join(types, entry))
  rmSync(types, { recursive: true })
  for (const [file, text] of written) {
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, withoutNodeTypes(text))
  }
  return [...copied]
}

/**
 * Lets a compiler accept the text without `@types/node`, which the package does not install: the types of Node are then
 * `any`. With `@types/node` they are Node's.
 */
export function withoutNodeTypes(text: string): string {
  return text
    .split('\n')
    .flatMap((line) => (needsNode.test(line) ? ['// @ts-ignore: needs @types/node', line] : [line]))
    .join('\n')
}

function declarationOf(specifier: string, from: string): string {
  if (specifier.startsWith('.')) {
    const path = join(dirname(from), specifier)
    const found = [
      path.replace(/\.(c|m)?(ts|js)$/, '.d.$1ts'),
      `${path}.d.ts`,
      join(path, 'index.d.ts'),
    ].find((file) => existsSync(file))
    if (found) return found
    throw new Error(`${from} imports ${specifier}, which has no declarations`)
  }
  return typesOf(specifier, from)
}

/** The declarations of a package are in `types` of its `exports`, or in `types` of its manifest. */
function typesOf(specifier: string, from: string): string {
  const name = specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/')
  const folder = createRequire(from)
    .resolve.paths(name)
    ?.map((path) => join(path, name))
    .find((path) => existsSync(path))
  if (!folder) throw new Error(`${from} names ${specifier}, which is not installed`)
  const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
  const exported = manifest.exports?.[`.${specifier.slice(name.length)}`]
  const types = exported?.import?.types ?? exported?.types ?? exported?.node?.types ?? manifest.types
  if (!types) throw new Error(`${name} has no declarations for ${specifier}`)
  return join(folder, types)
}

function inVendor(source: string, types: string): string | undefined {
  const [, inPackage] = /.*node_modules\/(.*)/.exec(source) ?? []
  return inPackage === undefined ? undefined : join(types, 'vendor', inPackage)
}
