// The order that starts one container of a command, with the variables and files for connecting to the master (Determined:
// master/pkg/tasks/task.go). The agent adds its own values. Without an image the built-in agent runs it as a process; with one
// Determined's agent passes the rest to docker.

import { type ArchiveFile, type ContainerSpec, fileType } from '../protocol/container.ts'
import type { StartContainer } from '../protocol/messages.ts'
import type { Allocation, CommandWork, Placed } from './allocation.ts'
import { outputFiles, outputVariable, withOutput } from './container-script.ts'

export const taskCertificatePath = '/run/determined/etc/ssl/master.crt'
/** Where the files of a command are, and where it then runs. */
export const workFolder = '/run/determined/workdir'

export interface TaskEnvironment {
  clusterId: string
  /** PEM chain with which tasks verify the master; undefined when the master serves plain text or a proxy terminates its TLS. */
  certificate: () => string | undefined
}

export function startOrder(
  allocation: Allocation,
  container: Placed,
  cluster: TaskEnvironment,
): StartContainer {
  const { work } = allocation
  if (work.kind !== 'command') throw new Error(`${allocation.id} is not a command`)
  const { argv, files = [] } = work
  const certificate = cluster.certificate()
  const { id, state, devices, description } = container
  const ownFolder = files.length > 0 || work.container ? workFolder : ''
  const atRoot = [
    ...(ownFolder ? [folder(workFolder)] : []),
    ...(certificate === undefined ? [] : [file(taskCertificatePath, certificate, 0o644)]),
    ...(work.container ? outputFiles() : []),
  ]
  return {
    Container: { id, state, devices, description },
    Spec: {
      TaskType: 'COMMAND',
      ...(work.container && { PullSpec: { ForcePull: work.container.forcePull ?? false } }),
      RunSpec: {
        ContainerConfig: {
          Cmd: work.container ? withOutput(argv) : argv,
          Env: variables(allocation, container, work, cluster.clusterId, certificate !== undefined),
          WorkingDir: work.workingDirectory || ownFolder,
          Image: work.container?.image ?? '',
          Labels: {},
          ...(work.container && { User: '0:0' }),
        },
        ...(work.container && { HostConfig: hostConfig(work.container, devices) }),
        Archives: [
          ...(atRoot.length > 0 ? [{ Path: '/', Archive: atRoot }] : []),
          ...(files.length > 0 ? [{ Path: workFolder, Archive: files }] : []),
        ],
      },
    },
  }
}

function variables(
  allocation: Allocation,
  container: Placed,
  { env }: CommandWork,
  clusterId: string,
  usesTls: boolean,
): string[] {
  const given: Record<string, string> = {
    DET_CLUSTER_ID: clusterId,
    DET_TASK_ID: allocation.task,
    DET_ALLOCATION_ID: allocation.id,
    DET_RESOURCES_ID: container.id,
    DET_TASK_TYPE: 'COMMAND',
    DET_CONTAINER_RANK: String(allocation.containers.findIndex(({ id }) => id === container.id)),
    DET_CONTAINER_COUNT: String(allocation.containers.length),
    DET_USE_TLS: String(usesTls),
    ...(usesTls && { DET_MASTER_CERT_FILE: taskCertificatePath }),
    ...(allocation.outputToken !== undefined && { [outputVariable]: allocation.outputToken }),
    ...env,
  }
  return Object.entries(given).map(([name, value]) => `${name}=${value}`)
}

/** As in Determined's `task_container_defaults` (master/pkg/model/task_container_defaults.go). */
const sharedMemory = 4 * 1024 ** 3

/** Docker's HostConfig; the agent adds devices, labels and the removal of the container. */
function hostConfig(
  { shmSize = sharedMemory, mounts = [] }: NonNullable<CommandWork['container']>,
  devices: Placed['devices'],
): ContainerSpec['RunSpec']['HostConfig'] {
  return {
    NetworkMode: 'bridge',
    ShmSize: shmSize,
    // GPUs need the runtime that the instance's docker has as its default.
    ...(!devices.some(({ type }) => type === 'cuda' || type === 'rocm') && { Runtime: 'runc' }),
    Mounts: mounts.map(({ source, target, readOnly = false, propagation = 'rprivate' }) => ({
      ...{ Type: 'bind', Source: source, Target: target, ReadOnly: readOnly },
      BindOptions: { Propagation: propagation },
    })),
  }
}

function file(path: string, text: string, mode: number): ArchiveFile {
  const content = Buffer.from(text).toString('base64')
  return { path, type: fileType.file, content, mode, mtime: 0, uid: 0, gid: 0 }
}

function folder(path: string): ArchiveFile {
  return { path, type: fileType.directory, content: '', mode: 0o700, mtime: 0, uid: 0, gid: 0 }
}
