// The command line as one CommonJS file, the library as ES modules, and separate files for large libraries, which both
// load
// on demand. Everything is bundled: the installed package has no dependencies.
import { execFileSync } from 'node:child_process'
import { chmodSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { type BuildOptions, build, type Plugin } from 'esbuild'
import { straight } from './straight.ts'
import {
  fileFor,
  type SharedLibrary,
  sharedLibraries,
  withoutUnusedCalls,
  withoutUnusedSchemas,
} from './vendor.ts'

const root = resolve(import.meta.dirname, '..')

/**
 * With Node before 22.12 a message must appear instead of a syntax error: this file uses nothing newer than ES2020.
 *
 * Without a command it is the daemon that starts. V8 lets the space for new objects grow to 32 MiB and more, and hardly gives
 * it back; answers of a cloud fill it: 10,000 instances need twice the memory. Of V8's options for it the maximum is read at
 * the start only, the factor each time. Other commands are short, and 9 % faster with the space that grows.
 */
const launcher = `#!/usr/bin/env node
const [major, minor] = process.versions.node.split('.').map(Number)
if (major < 22 || (major === 22 && minor < 12)) {
  console.error('provision needs Node.js 22.12 or newer; this is ' + process.versions.node)
  process.exit(2)
}
const [first = '-'] = process.argv.slice(2)
if (first.startsWith('-') && !process.argv.includes('--dry-run'))
  require('node:v8').setFlagsFromString('--semi-space-growth-factor=1')
require('node:module').enableCompileCache()
require('./main.cjs')
`

const straightImports: Plugin = {
  name: 'straight',
  setup: ({ onLoad }) =>
    onLoad({ filter: /[/\\]src[/\\].*\.ts$/ }, ({ path }) => ({
      contents: straight(path, readFileSync(path, 'utf8')),
      loader: 'ts',
    })),
}

/** Packages that are not part of a bundle: each is replaced by a file below dist; vitest is the user's own. */
const outside: Plugin = {
  name: 'outside',
  setup: ({ onResolve }) =>
    onResolve({ filter: /^[@a-z]/ }, ({ path, kind }) => {
      if (kind === 'entry-point') return undefined
      const file = path === 'vitest' ? path : fileFor(path)
      return file === undefined ? undefined : { path: file, external: true }
    }),
}

const common = {
  absWorkingDir: root,
  bundle: true,
  platform: 'node',
  target: 'node22.12',
  // No further minifying, so that stack traces stay readable.
  minifySyntax: true,
  legalComments: 'none',
  // The same API without the scan of a CommonJS build.
  alias: { yaml: join(root, 'node_modules/yaml/browser/index.js') },
  metafile: true,
  logLevel: 'warning',
} as const satisfies BuildOptions

/** Compiles the templates, bundles into the folder, and returns the bundled source files. */
export async function bundle(folder: string): Promise<string[]> {
  execFileSync(process.execPath, [join(root, 'scripts/compile-templates.ts')], { stdio: 'inherit' })
  const [cli, library, ...shared] = await Promise.all([
    // One CommonJS file whose modules run on first use: it starts in half the time of ES module chunks.
    build({
      ...common,
      entryPoints: ['src/cli/main.ts'],
      outfile: join(folder, 'main.cjs'),
      format: 'cjs',
      sourcemap: 'external',
      plugins: [outside, straightImports],
    }),
    build({
      ...common,
      entryPoints: { index: 'src/index.ts', testing: 'src/testing/index.ts' },
      outdir: folder,
      format: 'esm',
      splitting: true,
      sourcemap: 'external',
      plugins: [outside, straightImports],
    }),
    ...sharedLibraries(root).map((library) => bundleShared(library, folder)),
  ])
  writeFileSync(join(folder, 'cli.cjs'), launcher)
  chmodSync(join(folder, 'cli.cjs'), 0o755)
  return [cli, library, ...shared].flatMap(({ metafile }) => Object.keys(metafile.inputs))
}

/**
 * These are not read by people: they are minified, in lines short enough for a stack trace. Names are kept: Google's client
 * recognises numbers by the name of their class.
 */
function bundleShared({ file, entry, esModules }: SharedLibrary, folder: string) {
  return build({
    ...common,
    minifyWhitespace: true,
    lineLimit: 160,
    ...(esModules && { mainFields: ['module', 'main'] }),
    stdin: { contents: entry, resolveDir: root, sourcefile: `entry of ${file}` },
    outfile: join(folder, file),
    format: 'cjs',
    plugins: [withoutUnusedCalls, withoutUnusedSchemas],
  })
}
