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
  /** Taken from its ES modules where it has both, because esbuild leaves out what is not used of those only. */
  esModules?: true
}

export interface SharedLibrary extends Library {
  /** The text of its entry module. */
  entry: string
}

const libraries: readonly Library[] = [
  { specifiers: /^@aws-sdk\//, file: './vendor/aws.cjs', form: 'names', esModules: true },
  { specifiers: /^(@google-cloud\/|google-gax$)/, file: './vendor/google.cjs', form: 'names' },
  { specifiers: /^prom-client$/, file: './vendor/prom-client.cjs', form: 'names' },
  { specifiers: /^csv-parse\/sync$/, file: './vendor/csv-parse.cjs', form: 'names' },
  { specifiers: /^croner$/, file: './vendor/croner.cjs', form: 'names' },
  { specifiers: /^pg$/, file: './vendor/pg.cjs', form: 'names' },
  { specifiers: /^ws$/, file: './vendor/ws.cjs', form: 'names' },
  { specifiers: /^handlebars$/, file: './vendor/handlebars.cjs', form: 'default' },
  // The complete list of exports is only known for an ES module.
  { specifiers: /^@peculiar\/x509$/, file: './vendor/x509.cjs', form: 'everything', esModules: true },
  {
    specifiers: /^reflect-metadata$/,
    file: './vendor/reflect-metadata.cjs',
    form: 'everything',
    esModules: true,
  },
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
    const lazy = [
      ...text.matchAll(/\b(?:const (?:(\w+)|\{([^}]*)\}) = |\()?await import\('([@a-z][^':]*)'\)/g),
    ]
    // In another form the names would be missing from the bundle, unnoticed until they are used.
    if (lazy.length < [...text.matchAll(/\bimport\('[@a-z][^':]*'\)/g)].length)
      throw new Error(
        `${path} imports a package on demand in another form than \`const {…} = await import('…')\``,
      )
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

/**
 * Amazon describes all 4,000 structures of EC2, of which 1 in 20 is used. Computed keys keep esbuild from seeing that an
 * unused description can be left out; a call that is marked as pure can be. The whole file needs 65 MiB when it is loaded.
 */
export const withoutUnusedSchemas: Plugin = {
  name: 'without-unused-schemas',
  setup: ({ onLoad }) =>
    onLoad({ filter: /@aws-sdk[/\\].*[/\\]schemas_\d+\.js$/ }, ({ path }) => {
      const text = readFileSync(path, 'utf8')
      const contents = text.replace(
        /^((?:export )?var \w+\$? = )(\[[^;]*\]);$/gm,
        '$1/* @__PURE__ */ (() => $2)();',
      )
      if (contents === text) throw new Error(`${path} has no schemas in the form that is known`)
      return { contents, loader: 'js' }
    }),
}
