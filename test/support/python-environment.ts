// Python packages in a virtual environment of their own, made once for each version of a requirements.txt.
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)
const cache = resolve(import.meta.dirname, '../../node_modules/.cache')

/** The environment's Python. The first time it downloads what `requirements`, a file, names. */
export async function pythonEnvironment(name: string, requirements: string): Promise<string> {
  const version = createHash('sha256').update(readFileSync(requirements)).digest('hex').slice(0, 12)
  const folder = join(cache, `${name}-${version}`)
  const python = join(folder, 'bin/python')
  if (existsSync(python)) return python
  // Under its final name only when it is whole: an installation that was interrupted is not taken for one.
  const growing = `${folder}.${process.pid}`
  mkdirSync(cache, { recursive: true })
  try {
    await run('python3', ['-m', 'venv', growing])
    const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '-r', requirements]
    await run(join(growing, 'bin/python'), pip)
    renameSync(growing, folder)
  } catch (cause) {
    rmSync(growing, { recursive: true, force: true })
    if (existsSync(python)) return python
    const needs = 'it needs python3 (3.10 or newer) with venv, and PyPI'
    throw new Error(`${name} could not be installed; ${needs}`, { cause })
  }
  return python
}
