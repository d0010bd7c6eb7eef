// The order that starts one container of a command on an agent of ours, with what a task needs to reach the master
// (origin: master/pkg/tasks/task.go; the agent adds what only it knows).
import type { StartContainer } from '../protocol/agent-message.ts'
import { fileType, type RunArchive } from '../protocol/spec.ts'
import type { Allocation, Placed } from './allocation.ts'

export const taskCertificatePath = '/run/determined/etc/ssl/master.crt'

export interface TaskEnvironment {
  clusterId: string
  /** PEM chain tasks trust the master by; undefined when the master serves plain text or a proxy ends its TLS. */
  certificate: () => string | undefined
}

export function startOrder(
  allocation: Allocation,
  container: Placed,
  cluster: TaskEnvironment,
): StartContainer {
  if (allocation.work.kind !== 'command') throw new Error(`${allocation.id} is not a command`)
  const { argv, env, workingDirectory } = allocation.work
  const certificate = cluster.certificate()
  const given: Record<string, string> = {
    DET_CLUSTER_ID: cluster.clusterId,
    DET_TASK_ID: allocation.task,
    DET_ALLOCATION_ID: allocation.id,
    DET_RESOURCES_ID: container.id,
    DET_TASK_TYPE: 'COMMAND',
    DET_CONTAINER_RANK: String(allocation.containers.findIndex(({ id }) => id === container.id)),
    DET_CONTAINER_COUNT: String(allocation.containers.length),
    DET_USE_TLS: String(certificate !== undefined),
    ...(certificate !== undefined && { DET_MASTER_CERT_FILE: taskCertificatePath }),
    ...env,
  }
  const { id, state, devices, description } = container
  return {
    Container: { id, state, devices, description },
    Spec: {
      TaskType: 'COMMAND',
      RunSpec: {
        ContainerConfig: {
          Cmd: argv,
          Env: Object.entries(given).map(([name, value]) => `${name}=${value}`),
          WorkingDir: workingDirectory,
          Image: '',
          Labels: {},
        },
        Archives: certificate === undefined ? [] : [certificateArchive(certificate)],
      },
    },
  }
}

function certificateArchive(pem: string): RunArchive {
  const file = {
    path: taskCertificatePath,
    type: fileType.file,
    content: Buffer.from(pem).toString('base64'),
    mode: 0o644,
    mtime: 0,
    uid: 0,
    gid: 0,
  }
  return { Path: '/', Archive: [file] }
}
