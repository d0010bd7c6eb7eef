// A provisioner whose pool requires join proofs: its instances are machines, which dial it through a relay.
import { X509Certificate } from 'node:crypto'
import { dialOptions } from '../../../src/pki/dial-options.ts'
import { systemClock } from '../../../src/platform/clock.ts'
import type { ProvisionError } from '../../../src/problems/index.ts'
import type { Provisioner } from '../../../src/provisioner/provisioner.ts'
import { connectAgentSocket } from '../../../src/standalone/protocol/dial.ts'
import { type Relay, relay } from '../../support/running-agent.ts'
import { Cluster } from '../../support/stand-alone.ts'
import { freePort } from '../../support/takeover/daemon.ts'
import { gateway, type Machine } from './machine.ts'
import { agentImage, type Site } from './site.ts'

/** Shorter than a configuration may say: it is renewed every three to six seconds. Milliseconds. */
const lifetime = 18_000

const folder = 'usr/local/determined/join'

export interface Joining {
  cluster: Cluster
  provisioner: Provisioner
  /** Dials as an agent of this id: the refusal, or `it may join`. */
  dial(id: string, pair?: { cert: string; key: string }): Promise<string>
  /** Lets the certificates expire with which agents joined, breaks their connections, and waits until all have joined again. */
  reconnectRenewed(): Promise<{ earlier: Kept[]; later: Kept[] }>
  dispose(): Promise<void>
}

/** What an instance has at one time. */
export interface Kept {
  cert: string
  key: string
  /** Of each container, by its id. */
  starts: Record<string, string>
}

export interface JoiningOptions {
  /** By instance; filled by the cloud. */
  machines: ReadonlyMap<string, Machine>
  /** How many there will be. */
  instances: number
  /** Lines of the provider block. */
  provider: string[]
  env: Record<string, string>
}

/** Resolves when the agents of all instances have joined. */
export async function startJoining(
  site: Site,
  { machines, instances, provider, env }: JoiningOptions,
): Promise<Joining> {
  const cluster = new Cluster()
  const { root } = await cluster.certificate()
  cluster.port = await freePort()
  const wire: Relay = await relay(cluster.port, gateway)
  const config = await cluster.config(
    'cpu_slots_allowed: true',
    `master_url: "https://master.test:${wire.port}"`,
    `preflight_address: "127.0.0.1:${cluster.port}"`,
    `agent_docker_image: ${agentImage}`,
    'agent_reconnect_backoff: 1',
    'boot_timeout: 300s',
    'join: {proof: required}',
    `min_instances: ${instances}`,
    `max_instances: ${instances}`,
    ...provider,
  )
  const provisioner = await cluster.start(
    { ...config, agents_ca: { ...config.agents_ca, lifetime } },
    { env },
  )

  async function dial(id: string, pair?: { cert: string; key: string }): Promise<string> {
    try {
      const connection = await connectAgentSocket({
        master: { scheme: 'https', host: '127.0.0.1', port: cluster.port },
        join: { id, version: '0.38.1', resourcePool: 'default', reconnect: false, hostname: 'h' },
        tls: dialOptions({ name: 'master.test', ca: root.certificate, clientCertificate: pair }),
        clock: systemClock,
        onMessage() {},
        onEnd() {},
      })
      connection.terminate()
      return 'it may join'
    } catch (error) {
      const { status, message } = (error as ProvisionError).problems[0]!.details ?? {}
      return `${status} ${message}`
    }
  }

  const joins = (machine: Machine) => machine.containers().match(/joined the master/g)?.length ?? 0
  const rowOf = (id: string) => provisioner.rows().find(({ instance }) => instance === id)
  const each = <T>(work: (machine: Machine, id: string) => Promise<T>) =>
    Promise.all([...machines].map(([id, machine]) => work(machine, id)))

  /** @param before how often agents had joined, by instance */
  async function joined(before: ReadonlyMap<string, number> = new Map()): Promise<void> {
    await each(async (machine, id) => {
      // The agent logs it, and the script prints it, a moment later.
      const isDone = () =>
        joins(machine) > (before.get(id) ?? 0) && machine.stages().includes('agent_connected')
      await site.until(machine, `${id} joins`, () => rowOf(id)?.agent === 'joined' && isDone())
    })
  }

  async function launchedAndJoined(): Promise<void> {
    for (const end = Date.now() + 120_000; machines.size < instances; ) {
      if (Date.now() > end) throw new Error(`nothing was launched\n${cluster.log.lines.join('\n')}`)
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
    await joined()
  }

  async function dispose(): Promise<void> {
    await cluster.dispose()
    await wire.close()
  }

  await launchedAndJoined().catch(async (error: unknown) => {
    await dispose()
    throw error
  })

  return {
    cluster,
    provisioner,
    dial,
    async reconnectRenewed() {
      const kept = async (machine: Machine) => ({ ...pairOf(machine), starts: machine.containerStarts() })
      const earlier = await each(kept)
      const last = Math.max(...earlier.map(({ cert }) => new X509Certificate(cert).validToDate.getTime()))
      await each((machine, id) =>
        site.until(machine, `the certificate of ${id} expires`, () => last < Date.now()),
      )
      const before = new Map([...machines].map(([id, machine]) => [id, joins(machine)]))
      wire.cut()
      await joined(before)
      return { earlier, later: await each(kept) }
    },
    dispose,
  }
}

/** The certificate and key of the machine's instance, as PEM. */
export function pairOf(machine: Machine): { cert: string; key: string } {
  return { cert: machine.disk(`${folder}/agent.crt`), key: machine.disk(`${folder}/agent.key`) }
}
