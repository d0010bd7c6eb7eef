// The record of a local VM, in <root>/vm.json; it remains when the provisioner exits.
import {
  constants,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import type { CapacityType, Instance, InstanceState } from '../../planner/index.ts'
import { writeFileAtomic } from '../../platform/index.ts'
import { ProvisionError, problem } from '../../problems/index.ts'
import { type Ownership, ownerTags } from '../contract.ts'
import { isInstanceId } from './request.ts'

export interface InstanceRecord {
  id: string
  tags: Record<string, string>
  instanceType: string
  zone: string
  capacityType: CapacityType
  /** Milliseconds since the epoch. */
  launchedAt: number
  /** The script's process, which leads the VM's process group. Written before the script may run. */
  process: { pid: number; start: string }
  /** SHA-256 of the secret that it was started with, in hexadecimal; only in pools that require join proofs. */
  joinSecretHash?: string
  /** When its termination was requested. */
  terminateAt?: number
  ended?: { at: number; reason: string }
}

const fileName = 'vm.json'

/** undefined when there is none; throws `LOCAL_RECORD_UNREADABLE` for an invalid record. */
export function readRecord(folder: string): InstanceRecord | undefined {
  const file = join(folder, fileName)
  try {
    const record: unknown = JSON.parse(readFileSync(file, 'utf8'))
    if (!isRecord(record)) throw new TypeError('fields are missing or have the wrong type')
    return record
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw new ProvisionError(
      problem(
        'LOCAL_RECORD_UNREADABLE',
        `${file} is not a valid record of a local instance: ${(cause as Error).message}`,
        {
          cause,
        },
      ),
    )
  }
}

export function writeRecord(folder: string, record: InstanceRecord): void {
  writeFileAtomic(join(folder, fileName), `${JSON.stringify(record, undefined, 2)}\n`)
}

export function isOwnedBy(record: InstanceRecord, owner: Ownership): boolean {
  return record.tags[ownerTags.cluster] === owner.clusterId && record.tags[ownerTags.pool] === owner.pool
}

export function stateOf(record: InstanceRecord): InstanceState {
  if (record.ended) return record.terminateAt === undefined ? 'stopped' : 'terminated'
  return record.terminateAt === undefined ? 'running' : 'stopping'
}

export function instanceOf(record: InstanceRecord): Instance {
  return {
    id: record.id,
    pool: record.tags[ownerTags.pool] ?? '',
    state: stateOf(record),
    launchedAt: record.launchedAt,
    instanceType: record.instanceType,
    zone: record.zone,
    capacityType: record.capacityType,
    intentId: record.tags[ownerTags.intent],
    writerId: record.tags[ownerTags.writer],
    ...(record.ended && { stateReason: record.ended.reason }),
  }
}

function isRecord(value: unknown): value is InstanceRecord {
  const record = value as Partial<InstanceRecord> | null
  return (
    typeof record?.id === 'string' &&
    typeof record.launchedAt === 'number' &&
    typeof record.instanceType === 'string' &&
    typeof record.tags === 'object' &&
    record.tags !== null &&
    Number.isSafeInteger(record.process?.pid) &&
    typeof record.process?.start === 'string' &&
    (record.joinSecretHash === undefined || typeof record.joinSecretHash === 'string') &&
    (record.ended === undefined || typeof record.ended?.reason === 'string')
  )
}

// The folders of a pool's local VMs. Everything is written below one real folder, never through a link.

/** The files of a terminated VM that are kept: its record and its console. */
const kept = new Set(['vm.json', 'console.log'])

export interface PoolFolder {
  /** Real path, without links. */
  readonly path: string
  /** Names with the form of a VM id, in a stable order; they may be links. */
  ids(): string[]
  /** The VM's root directory; throws `LOCAL_OUTSIDE_ROOT` when the id or a link there leads outside. */
  root(id: string): string
  exists(id: string): boolean
  /** Creates the VM's root directory with its script; throws when the folder is not the VM's own. */
  create(id: string, script: string): string
  /** A handle that appends to the VM's console. */
  openConsole(id: string): number
  /** Removes everything but the record and the console. */
  strip(id: string): void
  remove(id: string): void
}

/** Creates the pool's folder if it is missing. `state_dir` itself may be a link, because the user chose it. */
export function openPoolFolder(stateDir: string): PoolFolder {
  mkdirSync(stateDir, { recursive: true, mode: 0o700 })
  const path = realpathSync(stateDir)

  function root(id: string): string {
    if (!isInstanceId(id)) throw outside(`${JSON.stringify(id)} is not the id of a local instance`)
    if (realpathSync(stateDir) !== path) throw outside(`${stateDir} no longer leads to ${path}`)
    return join(path, id)
  }

  function exists(id: string): boolean {
    const stat = lstatSync(root(id), { throwIfNoEntry: false })
    if (stat && !stat.isDirectory()) throw outside(`${root(id)} is a link or a file, not a folder`)
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
