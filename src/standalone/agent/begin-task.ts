// Brings one task to life: its folder, its files, its environment, its process; in this order, and whole or not at all.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { GatedProcess } from '../../platform/processes.ts'
import type { MasterInfo, StartContainer } from '../protocol/agent-message.ts'
import type { Device } from '../protocol/device.ts'
import { caBundle } from './ca-bundle.ts'
import { placeFiles } from './files.ts'
import { taskEnvironment } from './task-environment.ts'
import { startTask } from './task-process.ts'
import { type TaskRecord, writeTask } from './task-record.ts'
import type { TasksContext } from './tasks.ts'

export interface BegunTask {
  record: TaskRecord
  /** Resolves when its process ends. */
  ended: Promise<unknown>
}

/** Throws for people: why it does not run. */
export async function beginTask(
  order: StartContainer,
  master: MasterInfo,
  context: Pick<TasksContext, 'options' | 'env' | 'devices' | 'folder'>,
): Promise<BegunTask> {
  const { Container: container, Spec: spec } = order
  const { Cmd: command, Env: given, WorkingDir: cwd } = spec.RunSpec.ContainerConfig
  const refusal = refusalOf(order, await context.devices())
  if (refusal) throw new Error(refusal)
  const folder = context.folder.make(container.id)
  let process: GatedProcess | undefined
  try {
    const files = placeFiles(spec.RunSpec.Archives, join(folder, 'files'))
    const bundle = (certificate: string) => caBundle(certificate, context.folder.path)
    const env = taskEnvironment({ ...context, master, container, given, files, bundle })
    process = await startTask(folder, command, cwd || folder, env)
    const { pid, start } = process
    const record = { container, clusterId: master.cluster_id, process: { pid, start } }
    writeTask(folder, record)
    process.release()
    return { record, ended: process.ended }
  } catch (error) {
    process?.abandon()
    context.folder.remove(container.id)
    throw error
  }
}

function refusalOf(
  { Container: { devices }, Spec: { RunSpec } }: StartContainer,
  own: Device[],
): string | undefined {
  const { Cmd, Image, WorkingDir } = RunSpec.ContainerConfig
  // A Determined master always names an image; ours has none to name.
  if (Image) return `this agent runs commands, not containers: image ${Image} needs the Determined agent`
  if (!Cmd[0]) return 'the order names no command'
  if (WorkingDir && !existsSync(WorkingDir)) return `the working directory ${WorkingDir} does not exist`
  const foreign = devices.find((device) => !own.some(({ id }) => id === device.id))
  return foreign && `device ${foreign.id} is not one of this agent's`
}
