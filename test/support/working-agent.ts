// A built-in agent at protocol level: it keeps its containers over reconnects and handles them as the test wants.

import { ownAgentVersion } from '../../src/standalone/protocol/accept.ts'
import {
  type Container,
  type ContainerState,
  type Device,
  failureTypes,
} from '../../src/standalone/protocol/container.ts'
import type {
  AgentMessage,
  ContainerReattachAck,
  StartContainer,
} from '../../src/standalone/protocol/messages.ts'
import { gpu, type TestAgent, type TestMaster } from './master.ts'
import { until } from './server.ts'

export interface WorkingAgentOptions {
  pool?: string
  devices?: Device[]
  /** Called for each start order; the default 'run' answers RUNNING at once. */
  onStart?: (order: StartContainer) => 'run' | 'ignore'
}

export interface WorkingAgent {
  id: string
  started: StartContainer[]
  signals: { ContainerID: string; Signal: number }[]
  containers: Map<string, Container>
  /** Ends a container, or all of them. */
  finish(exitCode: number, containerId?: string): void
  print(containerId: string, text: string): void
  /** Closes the socket; containers keep running. */
  drop(): void
  /** Dials again and sends AgentStarted. */
  reconnect(to?: TestMaster): Promise<void>
}

export async function workingAgent(
  m: TestMaster,
  id: string,
  options: WorkingAgentOptions = {},
): Promise<WorkingAgent> {
  const devices = options.devices ?? [gpu(0)]
  const started: StartContainer[] = []
  const signals: WorkingAgent['signals'] = []
  const containers = new Map<string, Container>()
  const endings = new Map<string, number>()
  let current: TestAgent

  function report(containerId: string, state: ContainerState, exitCode = 0): void {
    const container = { ...containers.get(containerId)!, state }
    containers.set(containerId, container)
    const ErrMsg = `container exited with code ${exitCode}`
    const Failure = exitCode
      ? { FailureType: failureTypes.containerFailed, ErrMsg, ExitCode: exitCode }
      : null
    current.connection.send({
      ContainerStateChanged: {
        Container: container,
        ContainerStarted: null,
        ContainerStopped: state === 'TERMINATED' ? { Failure } : null,
      },
    })
  }

  function finish(exitCode: number, containerId?: string): void {
    for (const one of containerId ? [containerId] : containers.keys()) {
      endings.set(one, exitCode)
      report(one, 'TERMINATED', exitCode)
    }
  }

  function onMessage(message: AgentMessage): void {
    if (message.StartContainer) {
      started.push(message.StartContainer)
      if (options.onStart?.(message.StartContainer) === 'ignore') return
      const { Container } = message.StartContainer
      containers.set(Container.id, Container)
      report(Container.id, 'RUNNING')
    } else if (message.SignalContainer) {
      signals.push(message.SignalContainer)
      if (containers.has(message.SignalContainer.ContainerID))
        finish(137, message.SignalContainer.ContainerID)
    } else if (message.MasterSetAgentOptions) {
      const acks = message.MasterSetAgentOptions.ContainersToReattach.map(({ Container }) =>
        ack(Container.id),
      )
      current.connection.send({
        AgentStarted: {
          Version: '0.1.0',
          Devices: devices,
          ContainersReattached: acks,
          ResourcePoolName: options.pool ?? 'default',
        },
      })
    }
  }

  function ack(containerId: string): ContainerReattachAck {
    const known = containers.get(containerId)
    const exitCode = endings.get(containerId)
    const unknown = { FailureType: failureTypes.restoreError, ErrMsg: 'container is unknown', ExitCode: null }
    const failed = { FailureType: failureTypes.containerFailed, ErrMsg: 'it failed', ExitCode: exitCode ?? 0 }
    return {
      Container: known ?? { id: containerId, state: '', devices: [], description: '' },
      Failure: known ? (exitCode ? failed : null) : unknown,
    }
  }

  async function dial(to: TestMaster, reconnect: boolean): Promise<void> {
    const inbox: AgentMessage[] = []
    let ready = false
    const join = {
      id,
      version: ownAgentVersion('0.1.0'),
      resourcePool: options.pool ?? 'default',
      reconnect,
      hostname: 'h',
    }
    current = await to.dial(id, {
      pool: options.pool ?? 'default',
      dial: { join, onMessage: (message) => (ready ? onMessage(message) : inbox.push(message)) },
    })
    ready = true
    for (const message of inbox) onMessage(message)
    await until(
      () => to.master.agents().some((agent) => agent.id === id && agent.phase === 'joined'),
      `${id} to join`,
    )
  }

  await dial(m, false)
  return {
    id,
    started,
    signals,
    containers,
    finish,
    print: (ContainerID, Value) =>
      void current.connection.send({
        ContainerLog: {
          ContainerID,
          Timestamp: '2026-11-23T12:00:00Z',
          Level: null,
          PullMessage: null,
          RunMessage: { Value, StdType: 2 },
          AuxMessage: null,
        },
      }),
    drop: () => current.connection.terminate(),
    reconnect: (to = m) => dial(to, true),
  }
}
