// Start orders like those of the built-in master.

import { type Container, fileType } from '../../src/standalone/protocol/container.ts'
import type { AgentMessage } from '../../src/standalone/protocol/messages.ts'

export interface OrderChange {
  id?: string
  Cmd?: string[]
  Env?: string[]
  WorkingDir?: string
  Image?: string
  /** Ids of its devices. */
  devices?: number[]
  /** PEM for tasks. */
  certificate?: string
}

export function container(id: string, devices: number[] = []): Container {
  return {
    id,
    state: 'ASSIGNED',
    devices: devices.map((each) => ({ id: each, brand: '', uuid: '', type: 'cpu' })),
    description: 'a test',
  }
}

/** Bash runs `script`, unless `Cmd` is given. */
export function order(script: string, change: OrderChange = {}): Partial<AgentMessage> {
  const { id = 'c-1', certificate, devices, ...config } = change
  const file = {
    path: '/run/determined/etc/ssl/master.crt',
    type: fileType.file,
    content: Buffer.from(certificate ?? '').toString('base64'),
    mode: 0o644,
    mtime: 0,
    uid: 0,
    gid: 0,
  }
  return {
    StartContainer: {
      Container: container(id, devices),
      Spec: {
        TaskType: 'COMMAND',
        RunSpec: {
          ContainerConfig: {
            Cmd: ['bash', '-c', script],
            Env: [],
            WorkingDir: '',
            Image: '',
            Labels: {},
            ...config,
          },
          Archives: certificate === undefined ? [] : [{ Path: '/', Archive: [file] }],
        },
      },
    },
  }
}
