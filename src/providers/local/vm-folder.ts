// The folders of a pool's local VMs. Everything is written below one real folder, never through a link.
import {
  constants,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { ProvisionError, problem } from '../../problems/problem.ts'
import { isInstanceId } from './names.ts'

/** What stays of a VM that is gone: what it was, and what it said. */
const kept = new Set(['vm.json', 'console.log'])

export interface PoolFolder {
  /** Real path, without links. */
  readonly path: string
  /** Names that look like VMs, in a stable order; they may turn out to be links. */
  ids(): string[]
  /** The VM's root directory; throws `LOCAL_OUTSIDE_ROOT` when the id or what lies there leads elsewhere. */
  root(id: string): string
  exists(id: string): boolean
  /** Makes the VM's root directory with its script, new; throws when the folder is not the VM's own. */
  create(id: string, script: string): string
  /** A handle that appends to the VM's console. */
  openConsole(id: string): number
  /** Removes everything but the record and the console. */
  strip(id: string): void
  remove(id: string): void
}

/** Makes the pool's folder when it is missing. `state_dir` itself may be a link: that is the user's choice. */
export function openPoolFolder(stateDir: string): PoolFolder {
  mkdirSync(stateDir, { recursive: true, mode: 0o700 })
  const path = realpathSync(stateDir)

  function root(id: string): string {
    if (!isInstanceId(id)) throw outside(`${JSON.stringify(id)} is not the id of a local VM`)
    if (realpathSync(stateDir) !== path) throw outside(`${stateDir} no longer leads to ${path}`)
    return join(path, id)
  }

  function exists(id: string): boolean {
    const stat = lstatSync(root(id), { throwIfNoEntry: false })
    if (stat && !stat.isDirectory())
      throw outside(`${root(id)} is not a folder of its own but a link or a file`)
    return stat !== undefined
  }

  function strip(id: string): void {
    if (!exists(id)) return
    for (const name of readdirSync(root(id)))
      if (!kept.has(name)) rmSync(join(root(id), name), { recursive: true, force: true })
  }

  return {
    path,
    root,
    exists,
    strip,
    ids: () => readdirSync(path).filter(isInstanceId).sort(),
    create(id, script) {
      if (exists(id)) rmSync(root(id), { recursive: true })
      mkdirSync(root(id), { mode: 0o700 })
      writeFileSync(join(root(id), 'script'), script, { flag: 'wx', mode: 0o600 })
      return root(id)
    },
    openConsole(id) {
      const { O_APPEND, O_CREAT, O_NOFOLLOW, O_WRONLY } = constants
      return openSync(join(root(id), 'console.log'), O_APPEND | O_CREAT | O_NOFOLLOW | O_WRONLY, 0o600)
    },
    remove(id) {
      if (exists(id)) rmSync(root(id), { recursive: true, force: true })
    },
  }
}

function outside(message: string): ProvisionError {
  return new ProvisionError(problem('LOCAL_OUTSIDE_ROOT', message))
}
