// The command line as one CommonJS file, the library as ES modules.
import { execFileSync } from 'node:child_process'
import { chmodSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { type BuildOptions, build } from 'esbuild'
import { straight } from './straight.ts'

const root = resolve(import.meta.dirname, '..')

/** Loaded from node_modules when first needed: too large, never needed by a dry run, or (vitest) the user's own. */
const external =
  /^(@aws-sdk\/.*|@google-cloud\/.*|google-gax|@peculiar\/x509|prom-client|reflect-metadata|ws|handlebars|vitest)$/

/** Node before 22.12 must get a sentence, not a syntax error: this file has nothing newer than ES2020. */
const launcher = `#!/usr/bin/env node
const [major, minor] = process.versions.node.split('.').map(Number)
if (major < 22 || (major === 22 && minor < 12)) {
  console.error('provision needs Node.js 22.12 or newer; this is ' + process.versions.node)
  process.exit(2)
}
require('node:module').enableCompileCache()
require('./main.cjs')
`

const common = {
  absWorkingDir: root,
  bundle: true,
  platform: 'node',
  target: 'node22.12',
  // No further minifying: a stack trace is for people.
  minifySyntax: true,
  legalComments: 'none',
  plugins: [
    {
      name: 'external',
      setup: ({ onResolve }) => onResolve({ filter: external }, ({ path }) => ({ path, external: true })),
    },
    {
      name: 'straight',
      setup: ({ onLoad }) =>
        onLoad({ filter: /[/\\]src[/\\].*\.ts$/ }, ({ path }) => ({
          contents: straight(path, readFileSync(path, 'utf8')),
          loader: 'ts',
        })),
    },
  ],
  // The same API without the scan of a CommonJS build.
  alias: { yaml: join(root, 'node_modules/yaml/browser/index.js') },
  metafile: true,
  logLevel: 'warning',
} as const satisfies BuildOptions

/** Compiles the templates, bundles into the folder, and returns the source files that went in. */
export async function bundle(folder: string): Promise<string[]> {
  execFileSync(process.execPath, [join(root, 'scripts/compile-templates.ts')], { stdio: 'inherit' })
  // One CommonJS file whose modules run when they are first needed: half the start-up time of ES module chunks.
  const cli = await build({
    ...common,
    entryPoints: ['src/cli/main.ts'],
    outfile: join(folder, 'main.cjs'),
    format: 'cjs',
  })
  const library = await build({
    ...common,
    entryPoints: { index: 'src/index.ts', testing: 'src/testing/index.ts' },
    outdir: folder,
    format: 'esm',
    splitting: true,
  })
  writeFileSync(join(folder, 'cli.cjs'), launcher)
  chmodSync(join(folder, 'cli.cjs'), 0o755)
  return [...Object.keys(cli.metafile.inputs), ...Object.keys(library.metafile.inputs)]
}
