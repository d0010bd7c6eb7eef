// Where an agent keeps its tasks. Made when the first task comes; only the agent's user may look into it.

import { createHash } from 'node:crypto'
import { existsSync, lstatSync, mkdirSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ProvisionError, problem } from '../../problems/problem.ts'

export interface WorkFolder {
  readonly path: string
  /** Ids of tasks from before a restart of the agent. */
  ids(): string[]
  /** Throws `AGENT_WORK_FOLDER` for an id that is no name of a folder. */
  task(id: string): string
  make(id: string): string
  remove(id: string): void
}

/** Container ids are UUIDs; whatever else comes must not lead anywhere. */
const safeId = /^[A-Za-z0-9][\w.-]{0,127}$/

/** Below the VM's own root for local agents; each agent of a machine has a folder of its own. */
export function workFolder(agentId: string, env: Readonly<Record<string, string | undefined>>): WorkFolder {
  const own = createHash('sha256').update(agentId).digest('hex').slice(0, 12)
  const root = env['PROVISION_ROOT']
  const path = root
    ? join(root, 'var/lib/determined-agent', own)
    : join(tmpdir(), `determined-agent-${process.getuid?.() ?? 0}-${own}`)

  function task(id: string): string {
    if (!safeId.test(id)) throw unusable(`${JSON.stringify(id.slice(0, 80))} cannot be the name of a folder`)
    return join(path, id)
  }

  return {
    path,
    task,
    ids: () => (existsSync(path) && isOurs(path) ? readdirSync(path).filter((id) => safeId.test(id)) : []),
    make(id) {
      mkdirSync(path, { recursive: true, mode: 0o700 })
      // The folder for temporary files is everybody's: another user may have been there first.
      if (!isOurs(path)) throw unusable(`${path} is not a folder of this agent's user`)
      mkdirSync(task(id), { mode: 0o700 })
      return task(id)
    },
    remove: (id) => rmSync(task(id), { recursive: true, force: true }),
  }
}

function isOurs(path: string): boolean {
  const stat = lstatSync(path)
  return stat.isDirectory() && stat.uid === (process.getuid?.() ?? stat.uid)
}

function unusable(message: string): ProvisionError {
  return new ProvisionError(problem('AGENT_WORK_FOLDER', message))
}
