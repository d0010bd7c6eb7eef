// Python virtual environments for tests, created once for each version of a requirements.txt and kept in node_modules/.cache.
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { root } from './sources.ts'

const run = promisify(execFile)

/** The environment's Python. Needs python3 (3.10 or newer) with venv, and PyPI the first time. */
export async function pythonWith(name: string, requirements: string): Promise<string> {
  const version = createHash('sha256').update(readFileSync(requirements)).digest('hex').slice(0, 12)
  const cache = join(root, 'node_modules/.cache')
  const folder = join(cache, `${name}-${version}`)
  const python = join(folder, 'bin/python')
  if (existsSync(python)) return python
  // Renamed to its final name only when it is complete, so that an interrupted installation is not used.
  const growing = `${folder}.${process.pid}`
  mkdirSync(cache, { recursive: true })
  try {
    await run('python3', ['-m', 'venv', growing])
    const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '-r', requirements]
    await run(join(growing, 'bin/python'), pip)
    renameSync(growing, folder)
  } catch (error) {
    rmSync(growing, { recursive: true, force: true })
    if (existsSync(python)) return python
    throw new Error(`${name} could not be installed; it needs python3 (3.10 or newer) with venv, and PyPI`, {
      cause: error,
    })
  }
  return python
}
