// Libraries that are too large, or too rarely needed, for the command line's one file: each is a separate file below
// dist/vendor, with only what the sources import of it.
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Plugin } from 'esbuild'
import { calls, pruneDescriptors } from '../src/providers/gcp/compute-package.ts'

/** What is imported of a package: some names, its default, or all of it. */
type Form = 'names' | 'default' | 'everything'

interface Library {
  /** The import specifiers it replaces. */
  specifiers: RegExp
  /** Below dist. */
  file: string
  form: Form
}

export interface SharedLibrary extends Library {
  /** The text of its entry module. */
  entry: string
}

const libraries: readonly Library[] = [
  { specifiers: /^@aws-sdk\//, file: './vendor/aws.cjs', form: 'names' },
  { specifiers: /^(@google-cloud\/|google-gax$)/, file: './vendor/google.cjs', form: 'names' },
  { specifiers: /^prom-client$/, file: './vendor/prom-client.cjs', form: 'names' },
  { specifiers: /^csv-parse\/sync$/, file: './vendor/csv-parse.cjs', form: 'names' },
  { specifiers: /^ws$/, file: './vendor/ws.cjs', form: 'names' },
  { specifiers: /^handlebars$/, file: './vendor/handlebars.cjs', form: 'default' },
  { specifiers: /^handlebars\/runtime\.js$/, file: './vendor/handlebars-runtime.cjs', form: 'default' },
  { specifiers: /^@peculiar\/x509$/, file: './vendor/x509.cjs', form: 'everything' },
  { specifiers: /^reflect-metadata$/, file: './vendor/reflect-metadata.cjs', form: 'everything' },
]

/** The file that replaces a package; undefined when it is part of the bundle itself. */
export function fileFor(specifier: string): string | undefined {
  return libraries.find(({ specifiers }) => specifiers.test(specifier))?.file
}

/** Throws for a library that no source file imports. */
export function sharedLibraries(root: string): SharedLibrary[] {
  const imported = importsOf(root)
  return libraries.map((library) => {
    const lines = [...imported]
      .filter(([specifier]) => library.specifiers.test(specifier))
      .map(([specifier, names]) => entryLine(library.form, specifier, [...names]))
    if (lines.length === 0) throw new Error(`no source file imports anything of ${library.file}`)
    return { ...library, entry: lines.join('\n') }
  })
}

/**
 * ES modules find the names of a CommonJS file when they are written as exports, and its default in `module.exports`.
 */
function entryLine(form: Form, specifier: string, names: string[]): string {
  if (form === 'default') return `module.exports = require('${specifier}')`
  return `export ${form === 'names' ? `{ ${names.join(', ')} }` : '*'} from '${specifier}'`
}

/** The values, not the types, that source files import from each package. */
function importsOf(root: string): Map<string, Set<string>> {
  const found = new Map<string, Set<string>>()
  for (const path of globSync('src/**/*.ts', { cwd: root })) {
    const text = readFileSync(join(root, path), 'utf8')
    const fixed = text.matchAll(/^import (?!type )(?:(\w+)|\{([^}]*)\}) from '([@a-z][^':]*)'/gm)
    const lazy = text.matchAll(/\b(?:const (?:(\w+)|\{([^}]*)\}) = |\()?await import\('([@a-z][^':]*)'\)/g)
    for (const [, , listed = '', specifier = ''] of [...fixed, ...lazy]) {
      const names = found.get(specifier) ?? new Set()
      found.set(specifier, names)
      for (const item of listed.split(',')) {
        const name = item.split(/ as |:/)[0]!.trim()
        if (name && !name.startsWith('type ')) names.add(name)
      }
    }
  }
  return found
}

/** Google's description of all of Compute Engine is 3 MB, of which only a few calls are used. */
export const withoutUnusedCalls: Plugin = {
  name: 'without-unused-calls',
  setup: ({ onLoad }) =>
    onLoad({ filter: /@google-cloud[/\\]compute[/\\]build[/\\]protos[/\\]protos\.json$/ }, ({ path }) => ({
      contents: JSON.stringify(pruneDescriptors(JSON.parse(readFileSync(path, 'utf8')), calls)),
      loader: 'json',
    })),
}
