// What is written down about a local VM, in <root>/vm.json: it survives the provisioner.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { CapacityType, Instance, InstanceState } from '../../planner/instance.ts'
import { writeFileAtomic } from '../../platform/files.ts'
import { ProvisionError, problem } from '../../problems/problem.ts'
import { type Ownership, ownerTags } from '../ownership.ts'

export interface VmRecord {
  id: string
  tags: Record<string, string>
  instanceType: string
  zone: string
  capacityType: CapacityType
  /** Milliseconds since the epoch. */
  launchedAt: number
  /** Of the script, which leads the VM's process group. Written before the script may run. */
  process: { pid: number; start: string }
  /** When it was asked to end. */
  terminateAt?: number
  ended?: { at: number; reason: string }
}

const fileName = 'vm.json'

/** undefined when there is none; throws `LOCAL_RECORD_UNREADABLE` for one that cannot be understood. */
export function readRecord(folder: string): VmRecord | undefined {
  const file = join(folder, fileName)
  try {
    const record: unknown = JSON.parse(readFileSync(file, 'utf8'))
    if (!isRecord(record)) throw new TypeError('members are missing or of the wrong type')
    return record
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw new ProvisionError(
      problem('LOCAL_RECORD_UNREADABLE', `${file} is no record of a local VM: ${(cause as Error).message}`, {
        cause,
      }),
    )
  }
}

export function writeRecord(folder: string, record: VmRecord): void {
  writeFileAtomic(join(folder, fileName), `${JSON.stringify(record, undefined, 2)}\n`)
}

export function isOwnedBy(record: VmRecord, owner: Ownership): boolean {
  return record.tags[ownerTags.cluster] === owner.clusterId && record.tags[ownerTags.pool] === owner.pool
}

export function stateOf(record: VmRecord): InstanceState {
  if (record.ended) return record.terminateAt === undefined ? 'stopped' : 'terminated'
  return record.terminateAt === undefined ? 'running' : 'stopping'
}

export function instanceOf(record: VmRecord): Instance {
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

function isRecord(value: unknown): value is VmRecord {
  const record = value as Partial<VmRecord> | null
  return (
    typeof record?.id === 'string' &&
    typeof record.launchedAt === 'number' &&
    typeof record.instanceType === 'string' &&
    typeof record.tags === 'object' &&
    record.tags !== null &&
    Number.isSafeInteger(record.process?.pid) &&
    typeof record.process?.start === 'string' &&
    (record.ended === undefined || typeof record.ended?.reason === 'string')
  )
}
