// Bundles the program before any test, so that neither an edited template nor an edited command is tested in its old form.
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { TestProject } from 'vitest/node'
import { bundle } from '../../scripts/bundle.ts'

declare module 'vitest' {
  interface ProvidedContext {
    /** The launcher of the bundled command line. */
    cli: string
  }
}

const cache = resolve(import.meta.dirname, '../../.cache')

export async function setup(project: TestProject): Promise<() => void> {
  mkdirSync(cache, { recursive: true })
  // Below the repository, where node_modules is found; not in dist, which people may be using.
  const folder = mkdtempSync(join(cache, 'test-'))
  await bundle(folder)
  project.provide('cli', join(folder, 'cli.cjs'))
  return () => rmSync(folder, { recursive: true, force: true })
}
