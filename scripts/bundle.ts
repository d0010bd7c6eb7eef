// The command line and the library as small ES module bundles.
import { execFileSync } from 'node:child_process'
import { chmodSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { build } from 'esbuild'

const root = resolve(import.meta.dirname, '..')

/** Loaded from node_modules when first needed: too large, or never needed by a dry run. */
const external = /^(@aws-sdk\/.*|@google-cloud\/.*|@peculiar\/x509|reflect-metadata|ws|handlebars)$/

/** Node before 22.12 must get a sentence, not a syntax error: this file has nothing newer than ES2020. */
const launcher = `#!/usr/bin/env node
const [major, minor] = process.versions.node.split('.').map(Number)
if (major < 22 || (major === 22 && minor < 12)) {
  console.error('provision needs Node.js 22.12 or newer; this is ' + process.versions.node)
  process.exit(2)
}
const { enableCompileCache } = await import('node:module')
enableCompileCache()
await import('./cli/main.js')
`

/** Compiles the templates, bundles into the folder, and returns the source files that went in. */
export async function bundle(folder: string): Promise<string[]> {
  execFileSync(process.execPath, [join(root, 'scripts/compile-templates.ts')], { stdio: 'inherit' })
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: { 'cli/main': 'src/cli/main.ts', index: 'src/index.ts' },
    outdir: folder,
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node22.12',
    minifySyntax: true,
    minifyWhitespace: true,
    legalComments: 'none',
    plugins: [
      {
        name: 'external',
        setup: ({ onResolve }) => onResolve({ filter: external }, ({ path }) => ({ path, external: true })),
      },
    ],
    // The same API without the scan of a CommonJS build: 12 ms less at every start.
    alias: { yaml: join(root, 'node_modules/yaml/browser/index.js') },
    metafile: true,
    logLevel: 'warning',
  })
  writeFileSync(join(folder, 'cli.js'), launcher)
  chmodSync(join(folder, 'cli.js'), 0o755)
  return Object.keys(metafile.inputs)
}
