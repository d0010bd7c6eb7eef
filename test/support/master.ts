// A complete built-in master on a real TLS listener, and agents that speak its protocol.

import { type RequestOptions, request } from 'node:https'
import type { MasterConfig } from '../../src/config/master-config.ts'
import { accessHandler } from '../../src/http/access.ts'
import { type Listener, type ListenOptions, listen } from '../../src/http/listen.ts'
import { healthHandler } from '../../src/http/status-endpoints.ts'
import { createDevelopmentChain, type DevelopmentChain } from '../../src/pki/development-ca.ts'
import { dialOptions } from '../../src/pki/dial-options.ts'
import { systemClock } from '../../src/platform/clock.ts'
import { builtInProviders } from '../../src/providers/index.ts'
import type { AgentEvent, RefusedJoin } from '../../src/standalone/master/agent.ts'
import { createMaster, type Master, type MasterOptions } from '../../src/standalone/master/master.ts'
import type { ConnectionEnd } from '../../src/standalone/protocol/connection.ts'
import type { Device } from '../../src/standalone/protocol/container.ts'
import {
  type AgentConnection,
  connectAgentSocket,
  type DialOptions,
} from '../../src/standalone/protocol/dial.ts'
import type { AgentMessage } from '../../src/standalone/protocol/messages.ts'
import { until } from './server.ts'
import { silentLogger } from './silent-logger.ts'

export const gpu = (id: number): Device => ({ id, brand: 'Tesla T4', uuid: `GPU-${id}`, type: 'cuda' })

let shared: Promise<DevelopmentChain> | undefined
/** One chain per test file: it takes a while to create. */
export function chain(): Promise<DevelopmentChain> {
  shared ??= createDevelopmentChain({ names: ['master.test'], ips: [], days: 30, now: Date.now() })
  return shared
}

export interface AskOptions {
  /** The listening address, if it is not the loopback. */
  host?: string
  method?: string
  /** If omitted, reads send the right token, other requests none. */
  token?: string
  body?: unknown
}

export interface Answer {
  status: number
  // biome-ignore lint/suspicious/noExplicitAny: tests read it at any depth
  json: any
}

export interface TestMaster {
  master: Master
  listener: Listener
  chain: DevelopmentChain
  events: AgentEvent[]
  refused: RefusedJoin[]
  /** Dials with verified TLS, joins the pool `default` with one GPU, and waits until the master has registered it. */
  join(id: string, change?: Partial<TestAgentOptions>): Promise<TestAgent>
  /** Dials and sends nothing. */
  dial(id: string, change?: Partial<TestAgentOptions>): Promise<TestAgent>
  ask(path: string, options?: AskOptions): Promise<Answer>
  stop(): Promise<void>
}

export interface TestAgentOptions {
  pool: string
  devices: Device[]
  reconnect: boolean
  dial: Partial<DialOptions>
}

export interface TestAgent {
  connection: AgentConnection
  heard: AgentMessage[]
  end: () => ConnectionEnd | undefined
  /** Sends AgentStarted. */
  start(): void
}

export const token = 'token-of-the-tests'

export function masterConfig(change: Partial<MasterOptions['config']> = {}): MasterOptions['config'] {
  const pool = {
    description: '',
    max_aux_containers_per_agent: 100,
    agent_reconnect_wait: 300,
    agents: 'any' as const,
  }
  return {
    cluster_name: 'test',
    resource_pools: [{ ...pool, pool_name: 'default' }],
    resource_manager: {
      require_authentication: false,
      default_aux_resource_pool: 'default',
      default_compute_resource_pool: 'default',
    } satisfies MasterConfig['resource_manager'],
    ...change,
  }
}

export async function startMaster(
  change: Partial<MasterOptions> = {},
  listening: Partial<ListenOptions> = {},
): Promise<TestMaster> {
  const certificates = await chain()
  const master = createMaster({
    providers: builtInProviders,
    config: masterConfig(),
    version: '0.1.0',
    masterId: 'master-of-the-tests',
    clusterId: 'cluster-of-the-tests',
    clock: systemClock,
    logger: silentLogger,
    mayJoin: () => 'yes',
    ...change,
  })
  const listener = await listen({
    address: '127.0.0.1',
    port: 0,
    tls: { cert: certificates.chain, key: certificates.leaf.key },
    handlers: [master.taskOutput, accessHandler({ token }), healthHandler(() => []), ...master.handlers],
    upgrades: master.upgrades,
    logger: silentLogger,
    ...listening,
  })
  const events: AgentEvent[] = []
  const refused: RefusedJoin[] = []
  master.onAgent((event) => events.push(event))
  master.onRefused((event) => refused.push(event))
  const tls = dialOptions({ name: 'master.test', ca: certificates.root.certificate })

  async function dial(id: string, options: Partial<TestAgentOptions> = {}): Promise<TestAgent> {
    const heard: AgentMessage[] = []
    let end: ConnectionEnd | undefined
    const pool = options.pool ?? 'default'
    const connection = await connectAgentSocket({
      master: { scheme: 'https', host: '127.0.0.1', port: listener.port },
      join: {
        id,
        version: '0.38.1',
        resourcePool: pool,
        reconnect: options.reconnect ?? false,
        hostname: 'h',
      },
      tls,
      clock: systemClock,
      onMessage: (message) => heard.push(message),
      onEnd: (reason) => {
        end = reason
      },
      ...options.dial,
    })
    const start = () => {
      const Devices = options.devices ?? [gpu(0)]
      connection.send({
        AgentStarted: { Version: '0.38.1', Devices, ContainersReattached: [], ResourcePoolName: pool },
      })
    }
    return { connection, heard, end: () => end, start }
  }

  return {
    master,
    listener,
    chain: certificates,
    events,
    refused,
    dial,
    async join(id, options) {
      const agent = await dial(id, options)
      await until(() => agent.heard[0]?.MasterSetAgentOptions, `the options for ${id}`)
      agent.start()
      await until(() => master.agents().some((a) => a.id === id && a.phase === 'joined'), `${id} to join`)
      return agent
    },
    ask: (path, options = {}) => ask(listener.port, certificates, path, options),
    async stop() {
      await master.close()
      await listener.close(0)
    },
  }
}

function ask(port: number, { root }: DevelopmentChain, path: string, options: AskOptions): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const isRead = (options.method ?? 'GET') === 'GET'
    const shown = options.token ?? (isRead ? token : undefined)
    const headers = shown ? { Authorization: `Bearer ${shown}` } : {}
    const sent = request(
      {
        host: options.host ?? '127.0.0.1',
        port,
        path,
        method: options.method ?? 'GET',
        headers,
        agent: false,
        ...(dialOptions({ name: 'master.test', ca: root.certificate }) as RequestOptions),
      },
      (response) => {
        let text = ''
        response.setEncoding('utf8').on('data', (chunk) => {
          text += chunk
        })
        response.on('end', () => resolve({ status: response.statusCode ?? 0, json: JSON.parse(text) }))
      },
    )
    sent.on('error', reject)
    sent.end(options.body === undefined ? undefined : JSON.stringify(options.body))
  })
}
