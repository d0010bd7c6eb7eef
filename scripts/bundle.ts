// The command line as one CommonJS file, the library as ES modules, and separate files for large libraries, which both
// load on demand. Everything is bundled: the installed package has no dependencies.
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chmodSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { type BuildOptions, build, type Plugin } from 'esbuild'
import { withBuiltinsOnDemand } from './lazy-builtins.ts'
import { straight } from './straight.ts'
import {
  fileFor,
  type SharedLibrary,
  sharedLibraries,
  withoutUnusedCalls,
  withoutUnusedSchemas,
} from './vendor.ts'

const root = resolve(import.meta.dirname, '..')

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
  // Names are not minified, so that stack traces stay readable.
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
      // A third less to read at each start. Names stay, and lines are short enough for a stack trace.
      minifyWhitespace: true,
      lineLimit: 160,
      // The launcher runs it as a script of node:vm, where `import()` prints a warning; everything on demand is CommonJS.
      supported: { 'dynamic-import': false },
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
  // esbuild escapes strings, and leaves regular expressions. All in ASCII, the launcher reads a byte as a character.
  const program = withBuiltinsOnDemand(readFileSync(join(folder, 'main.cjs'), 'utf8')).replaceAll(
    /[^\0-\x7f]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
  writeFileSync(join(folder, 'main.cjs'), program)
  const hash = createHash('sha256').update(program).digest('hex').slice(0, 16)
  const launcher = readFileSync(join(root, 'src/cli/launcher.cjs'), 'utf8').replace("'BUILD'", `'${hash}'`)
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
