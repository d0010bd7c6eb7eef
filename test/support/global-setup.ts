// Bundles the program before the tests, so that changed templates and commands are tested.
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
  // Inside the repository, so that node_modules is found; not in dist, which may be in use.
  const folder = mkdtempSync(join(cache, 'test-'))
  await bundle(folder)
  project.provide('cli', join(folder, 'cli.cjs'))
  return () => rmSync(folder, { recursive: true, force: true })
}
