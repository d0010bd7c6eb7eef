// Agents without a VM, each disabled as soon as it has joined. A master without `provider` rejects jobs that its agents are
// too small for, one by one or together, and counts disabled agents (Determined: agentrm/resource_pool.go).
import { type DeterminedDemand, type Endpoint, placeholderId } from '../../demand/index.ts'
import { type Clock, type Logger, limit } from '../../platform/index.ts'
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
  /** The most instances that the pool can have. */
  count: number
  /** Whether there is one for each of them; otherwise one is enough. Asked whenever the first has joined. */
  needsAll: (signal: AbortSignal) => Promise<boolean>
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

/** Keeps the placeholders connected until the returned function is called. */
export function holdPlaceholders(options: PlaceholderOptions): () => Promise<void> {
  const { pool, slots, count, clock, logger } = options
  const stopping = new AbortController()
  const { signal } = stopping
  // At most one of them is enabled at any time.
  const inTurn = limit(1)
  let disabled = 0
  let isFailing = false
  let wanted = 1

  async function keep(number: number): Promise<void> {
    const id = placeholderId(pool, number)
    for (let wait = reconnectDelay.first; !signal.aborted; ) {
      try {
        const joined = await inTurn(() => joinIdle(id))
        if (joined) {
          disabled++
          if (number === 1) await addOthers()
          report(disabled)
          await joined.over.finally(() => disabled--)
        }
        wait = reconnectDelay.first
      } catch (error) {
        wait = Math.min(reconnectDelay.most, wait * 2)
        if (!signal.aborted) reportFailure(id, error)
      }
      await clock.sleep(wait, signal).catch(() => {})
    }
  }

  /** A job of one instance needs one; experiments of several are rejected by `launch_error` only. */
  async function addOthers(): Promise<void> {
    if (wanted === count) return
    const all = await options.needsAll(signal).catch(() => true)
    if (!all || signal.aborted) return
    wanted = count
    for (let number = 2; number <= count; number++) kept.push(keep(number))
  }

  /** The master would assign pending jobs to it before it can be disabled: then undefined. */
  async function joinIdle(id: string): Promise<Joined | undefined> {
    signal.throwIfAborted()
    const { pending } = await options.source.read(pool, signal)
    return pending.length === 0 ? await join(id, options, signal) : undefined
  }

  function report(connected: number): void {
    if (connected < wanted) return
    isFailing = false
    logger.info('placeholder agents are connected and disabled, so that the pool accepts jobs', {
      pool,
      agents: wanted,
      slots,
    })
  }

  /** An outage of the master is reported by the source; that jobs are rejected is a consequence of its own. */
  function reportFailure(agent: string, error: unknown): void {
    const message =
      'a placeholder agent cannot join: the master rejects jobs that no connected agent could run'
    if (isFailing) logger.debug(message, { pool, agent, error })
    else logger.warn(message, { pool, agent, error })
    isFailing = true
  }

  const kept: Promise<void>[] = []
  kept.push(keep(1))
  return async () => {
    stopping.abort(new Error('the provisioner stops'))
    // The first adds no others once it is stopped.
    await kept[0]
    await Promise.all(kept)
  }
}

interface Joined {
  /** Resolves when the connection has ended. */
  over: Promise<void>
}

/** Resolves once the agent is connected and disabled. */
async function join(
  id: string,
  { pool, slots, endpoint, source, version, clock }: PlaceholderOptions,
  signal: AbortSignal,
): Promise<Joined> {
  const { address, trust, env } = endpoint()
  const over = Promise.withResolvers<void>()
  const ready = Promise.withResolvers<void>()
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
  const left = over.promise.finally(() => signal.removeEventListener('abort', leave))
  const tooEarly = new Error('the connection ended before the agent was disabled')
  void left.then(() => ready.reject(tooEarly))
  try {
    await ready.promise
  } catch (error) {
    await connection.close()
    throw error
  }
  return { over: left }

  function onMessage(message: AgentMessage, to: AgentConnection): void {
    if (message.AgentShutdown) void to.close()
    if (message.StartContainer) to.send(refusalOf(message.StartContainer.Container))
    if (!message.MasterSetAgentOptions) return
    const started = { Version: version, Devices: devicesOf(slots, id), ContainersReattached: [] }
    to.send({ AgentStarted: { ...started, ResourcePoolName: pool } })
    disable().then(ready.resolve, ready.reject)
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
