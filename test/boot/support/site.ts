// A region of a cloud for one test file: metadata servers, machines, masters, and user data from a master.yaml.

import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { UserData } from '../../../src/agent-setup/pack.ts'
import { lastStage } from '../../../src/agent-setup/stages.ts'
import type { ListenOptions } from '../../../src/http/listen.ts'
import { builtInProviders } from '../../../src/providers/index.ts'
import { planAll } from '../../../src/provisioner/prepare.ts'
import type { Agent } from '../../../src/standalone/master/agent.ts'
import { loadConfig } from '../../support/config.ts'
import type { Identity } from '../../support/join-proofs/fake-sts.ts'
import { startMaster, type TestMaster } from '../../support/master.ts'
import { identityOf } from './ec2-metadata.ts'
import type { GceInstance } from './gce-metadata.ts'
import { gateway, Machine, type MachineKind } from './machine.ts'
import { type Instance, type Metadata, serveMetadata } from './metadata.ts'

type CloudOfMachines = Exclude<MachineKind, 'image'>

/** Milliseconds; long, because the computer may be busy. */
const timeoutMs = 200_000
/** The agent's image on every machine. */
export const agentImage = 'provision-agent:boot'

export interface Pool {
  cloud: CloudOfMachines
  /** The address that agents dial. */
  port: number
  /** The top-level `security.tls.cert`; if omitted, there is none. */
  certificates?: string
  /** PEM of the well-known roots, instead of Node's. */
  roots?: string[]
  /** Keys of the provider block, in addition to those of every pool. */
  provider?: Record<string, unknown>
}

const clouds: Record<CloudOfMachines, Record<string, unknown>> = {
  aws: {
    region: 'us-west-2',
    image: { id: 'ami-0123456789abcdef0' },
    instance_type: 'm5.large',
    cpu_slots_allowed: true,
    network_interface: { public_ip: false, subnet_id: 'subnet-1', security_group_id: 'sg-1' },
  },
  gcp: {
    project: 'my-project',
    zone: 'us-west1-b',
    boot_disk_source_image: 'projects/my-project/global/images/agent',
    instance_type: { machine_type: 'e2-standard-2' },
    cpu_slots_allowed: true,
    network_interface: { network: 'default', subnetwork: 'default' },
  },
}

export interface Ec2Launch {
  files?: Record<string, string | Uint8Array>
  /** Credentials of the instance's role that STS knows; by default it knows none. */
  identity?: Identity
}

export class Site {
  readonly #folder = mkdtempSync(join(tmpdir(), 'site-'))
  readonly #metadata: Metadata
  readonly #machines: Machine[] = []
  readonly #masters: TestMaster[] = []

  private constructor(metadata: Metadata) {
    this.#metadata = metadata
  }

  static async open(): Promise<Site> {
    return new Site(await serveMetadata())
  }

  /** The built-in master at an address that machines can reach. */
  async master(listening: Partial<ListenOptions> = {}): Promise<TestMaster> {
    const master = await startMaster({}, { address: gateway, ...listening })
    this.#masters.push(master)
    return master
  }

  /** The path of a file with this text. */
  file(text: string): string {
    const path = join(this.#folder, randomBytes(6).toString('hex'))
    writeFileSync(path, text, { mode: 0o600 })
    return path
  }

  /** What `provision --dry-run` shows and a launch sends. */
  async userData({ cloud, port, certificates, roots, provider }: Pool): Promise<UserData> {
    const yaml = {
      cluster_id: 'boot',
      state_dir: this.#folder,
      ...(certificates && { security: { tls: { cert: this.file(certificates) } } }),
      resource_pools: [
        {
          pool_name: 'default',
          provider: {
            type: cloud,
            master_url: `https://master.test:${port}`,
            agent_docker_image: agentImage,
            boot_timeout: '120s',
            ...clouds[cloud],
            ...provider,
          },
        },
      ],
    }
    // JSON is YAML.
    const { config, problems } = loadConfig(this.file(JSON.stringify(yaml)))
    if (!config) throw new Error(JSON.stringify(problems))
    const { plans, problems: common } = await planAll(config, {
      now: Date.now(),
      localAgent: [],
      providers: builtInProviders,
      ...(roots && { roots: () => roots }),
    })
    const userData = plans[0]?.userData
    if (!userData) throw new Error(JSON.stringify([...common, ...(plans[0]?.problems ?? [])]))
    return userData
  }

  /** A new running machine, and its id in the cloud. */
  launch(
    cloud: CloudOfMachines,
    { packed }: UserData,
    files?: Record<string, string | Uint8Array>,
  ): { machine: Machine; id: string } {
    const random = randomBytes(8).toString('hex')
    if (cloud === 'aws')
      return {
        id: `i-0${random}`,
        machine: this.launchEc2(`i-0${random}`, packed, { ...(files && { files }) }),
      }
    const id = `det-agent-${random}`
    const attributes = { 'startup-script': Buffer.from(packed).toString() }
    return { id, machine: this.launchGce({ id, attributes, zone: 'us-west1-b' }, files) }
  }

  launchGce(instance: Omit<GceInstance, 'cloud'>, files?: Record<string, string | Uint8Array>): Machine {
    return this.#boot(new Machine('gcp', files), { cloud: 'gcp', ...instance })
  }

  launchEc2(id: string, userData: Uint8Array, { files, identity = identityOf(id) }: Ec2Launch = {}): Machine {
    const machine = new Machine('aws', files)
    const { address, mac } = machine
    return this.#boot(machine, { cloud: 'aws', id, address, mac, userData, identity })
  }

  /** Changes the machine's user data from its next boot on: EC2 accepts that while an instance is stopped. */
  changeUserData({ address }: Machine, { packed }: UserData): void {
    const instance = this.#metadata.instances.get(address)
    if (instance?.cloud !== 'aws') throw new Error('not a machine of EC2')
    this.#metadata.instances.set(address, { ...instance, userData: packed })
  }

  #boot(machine: Machine, instance: Instance): Machine {
    this.#machines.push(machine)
    this.#metadata.instances.set(machine.address, instance)
    machine.boot()
    return machine
  }

  /** Waits for an effect of a machine; if it does not come, the error has all that is known of the machine. */
  async until<T>(machine: Machine, what: string, poll: () => T | undefined | false): Promise<T> {
    for (const end = Date.now() + timeoutMs; ; ) {
      const on = machine.isOn()
      const result = poll()
      if (result) return result
      if (!on || Date.now() > end)
        throw new Error(`${on ? 'timed out' : 'the machine is off'}: ${what}\n${machine.describe()}`)
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }

  /** Waits for the joined agent; `after` is an earlier connection of it. */
  joined(machine: Machine, { master }: TestMaster, id: string, after = 0): Promise<Agent> {
    const ready = (agent: Agent) => agent.id === id && agent.phase === 'joined' && agent.connection > after
    return this.until(machine, `${id} joins`, () => master.agents().find(ready))
  }

  /** The machine's last stage, after it has powered itself off. */
  async lastStage(machine: Machine): Promise<string | undefined> {
    const off = () => !machine.isOn()
    await this.until(machine, 'it powers itself off', off)
    return lastStage(machine.console())
  }

  /** The machine's requests to the metadata server, as `<method> <path> <status>`. */
  requests({ address }: Machine): string[] {
    return this.#metadata.calls
      .filter((call) => call.startsWith(`${address} `))
      .map((call) => call.slice(address.length + 1))
  }

  /** The answers of the metadata servers to this address. */
  register(address: string, instance: Instance): void {
    this.#metadata.instances.set(address, instance)
  }

  async dispose(): Promise<void> {
    await Promise.all(this.#machines.map((machine) => machine.dispose()))
    await Promise.all(this.#masters.map((master) => master.stop()))
    await this.#metadata.close()
    rmSync(this.#folder, { recursive: true, force: true })
  }
}
