// `npm pack` of the repository, one at a time: it strips the manifest while it runs, so two at once would pack the wrong one.
import { execFile } from 'node:child_process'
import { mkdirSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { promisify } from 'node:util'
import { root } from '../../support/sources.ts'

const lock = join(root, '.cache/pack.lock')
/** Longer than any pack takes: the lock of a test that was killed. */
const staleMs = 120_000

/** Packs into the folder and returns the name of the file. */
export async function packInto(folder: string, env = process.env): Promise<string> {
  mkdirSync(join(root, '.cache'), { recursive: true })
  while (!taken()) await pause(200)
  try {
    const args = ['pack', '--json', '--pack-destination', folder]
    const { stdout } = await promisify(execFile)('npm', args, { cwd: root, env, maxBuffer: 1 << 26 })
    const [{ filename }] = [JSON.parse(stdout.replace(/^[^[{]*/, ''))].flat()
    return filename
  } finally {
    rmSync(lock, { recursive: true, force: true })
  }
}

function taken(): boolean {
  try {
    mkdirSync(lock)
    return true
  } catch {
    const made = statSync(lock, { throwIfNoEntry: false })?.mtimeMs
    if (made !== undefined && Date.now() - made > staleMs) rmSync(lock, { recursive: true, force: true })
    return false
  }
}
