// An agent without a VM, disabled as soon as it has joined. A master without `provider` rejects jobs that no agent is
// large enough for, and counts disabled agents (Determined: agentrm/resource_pool.go). Experimental: not tested with a real master.
import { type DeterminedDemand, type Endpoint, placeholderId } from '../../demand/index.ts'
import type { Clock, Logger } from '../../platform/index.ts'
import { ProvisionError } from '../../problems/index.ts'
import { dialTimeout } from '../protocol/connection.ts'
import { type Device, failureTypes } from '../protocol/container.ts'
import { type AgentConnection, connectAgentSocket } from '../protocol/dial.ts'
import type { AgentMessage } from '../protocol/messages.ts'
import { tunnelAgent } from './network.ts'

export interface PlaceholderOptions {
  pool: string
  /** Slots of the largest instance that the pool can have. */
  slots: number
  endpoint: () => Endpoint
  source: Pick<DeterminedDemand, 'read' | 'drain'>
  version: string
  clock: Clock
  logger: Logger
}

/** Milliseconds between reconnects: after each one the master could assign a job before the agent is disabled. */
const reconnectDelay = { first: 5_000, most: 120_000 }
const retryDisableMs = 20
const mostTries = 100

/** Keeps the placeholder connected until the returned function is called. */
export function holdPlaceholder(options: PlaceholderOptions): () => Promise<void> {
  const { pool, clock, logger } = options
  const stopping = new AbortController()
  const { signal } = stopping

  async function keep(): Promise<void> {
    for (let wait = reconnectDelay.first; !signal.aborted; ) {
      try {
        // The master would assign pending jobs to it before it can be disabled.
        const { pending } = await options.source.read(pool, signal)
        if (pending.length === 0) await stay(options, signal)
        wait = reconnectDelay.first
      } catch (error) {
        wait = Math.min(reconnectDelay.most, wait * 2)
        if (!signal.aborted)
          logger.debug('the placeholder agent is not connected to the master', { pool, error })
      }
      await clock.sleep(wait, signal).catch(() => {})
    }
  }

  const kept = keep()
  return async () => {
    stopping.abort(new Error('the provisioner stops'))
    await kept
  }
}

/** One connection, from the dial to its end. */
async function stay(
  { pool, slots, endpoint, source, version, clock, logger }: PlaceholderOptions,
  signal: AbortSignal,
) {
  const id = placeholderId(pool)
  const { address, trust, env } = endpoint()
  const over = Promise.withResolvers<void>()
  const connection = await connectAgentSocket({
    master: address,
    join: { id, version, resourcePool: pool, reconnect: false, hostname: 'provisioner' },
    tls: trust?.options,
    agent: tunnelAgent(address, env ?? {}, dialTimeout),
    clock,
    signal,
    onMessage,
    onEnd: () => over.resolve(),
  })
  const leave = () => void connection.close()
  signal.addEventListener('abort', leave)
  try {
    await over.promise
  } finally {
    signal.removeEventListener('abort', leave)
    await connection.close()
  }

  function onMessage(message: AgentMessage, to: AgentConnection): void {
    if (message.AgentShutdown) void to.close()
    if (message.StartContainer) to.send(refusalOf(message.StartContainer.Container))
    if (!message.MasterSetAgentOptions) return
    const started = { Version: version, Devices: devicesOf(slots, id), ContainersReattached: [] }
    to.send({ AgentStarted: { ...started, ResourcePoolName: pool } })
    disable().then(
      () =>
        logger.info('a placeholder agent is connected and disabled, so that the pool accepts jobs', {
          pool,
          agent: id,
          slots,
        }),
      (error: unknown) => {
        logger.warn('the placeholder agent could not be disabled, and disconnects', { pool, error })
        over.reject(error)
      },
    )
  }

  /** The master may not have processed the last message yet. */
  async function disable(): Promise<void> {
    for (let tries = 1; ; tries++) {
      try {
        if (await source.drain(id, signal)) return
      } catch (error) {
        const early = error instanceof ProvisionError && error.code === 'DETERMINED_AGENT_AWAY'
        if (!early || tries >= mostTries) throw error
      }
      await clock.sleep(retryDisableMs, signal)
    }
  }
}

function refusalOf(container: NonNullable<AgentMessage['StartContainer']>['Container']) {
  const why = 'this is a placeholder agent; it runs no tasks'
  return {
    ContainerStateChanged: {
      Container: { ...container, state: 'TERMINATED' as const },
      ContainerStarted: null,
      ContainerStopped: { Failure: { FailureType: failureTypes.agentError, ErrMsg: why, ExitCode: null } },
    },
  }
}

/** The same at every connection: the master shuts down an agent whose devices have changed. */
function devicesOf(slots: number, id: string): Device[] {
  return Array.from({ length: slots }, (_, n) => ({
    id: n,
    brand: 'Placeholder',
    uuid: `${id}-${n}`,
    type: 'cpu',
  }))
}
