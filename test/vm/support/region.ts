// A region of a cloud for one test file: metadata servers, masters, and one VM at a time.
import { randomBytes } from 'node:crypto'
import type { UserData } from '../../../src/agent-setup/pack.ts'
import { lastStage } from '../../../src/agent-setup/stages.ts'
import type { ListenOptions } from '../../../src/http/listen.ts'
import type { Agent } from '../../../src/standalone/master/agent.ts'
import { identityOf } from '../../boot/support/ec2-metadata.ts'
import { Site } from '../../boot/support/site.ts'
import type { TestMaster } from '../../support/master.ts'
import { submit, work } from '../../support/work.ts'
import { Vm, type VmOptions } from './vm.ts'

/** Milliseconds. Without KVM a boot takes a minute and a half on an idle computer, and the computer may be busy. */
const timeoutMs = 1_200_000
/** QEMU calls the metadata servers for its VM, from its own address. */
const metadataAddress = '169.254.169.254'

/** A startup script: the VM may dial this port, but docker's forwarded traffic may not. */
export function firewall({ listener }: TestMaster): string {
  return `#!/bin/bash\niptables -I FORWARD -p tcp --dport ${listener.port} -j DROP\n`
}

export class Region {
  readonly #site: Site
  #vm: Vm | undefined

  private constructor(site: Site) {
    this.#site = site
  }

  static async open(): Promise<Region> {
    return new Region(await Site.open())
  }

  /** The built-in master at an address that VMs and this process can reach. */
  master(listening: Partial<ListenOptions> = {}): Promise<TestMaster> {
    return this.#site.master({ address: '0.0.0.0', ...listening })
  }

  /** What a launch would send, for agents of this master. */
  userData(
    cloud: VmOptions['cloud'],
    { listener, chain }: TestMaster,
    provider: Record<string, unknown> = {},
    port = listener.port,
  ): Promise<UserData> {
    const certificates = chain.chain
    return this.#site.userData({ cloud, port, certificates, provider: { boot_timeout: '20m', ...provider } })
  }

  /** A new running VM; removes the previous one. */
  async launch(cloud: VmOptions['cloud'], given: UserData, more: { image?: string; clock?: number } = {}) {
    await this.#vm?.dispose()
    const random = randomBytes(8).toString('hex')
    const vm = new Vm({
      cloud,
      id: cloud === 'aws' ? `i-0${random}` : `det-agent-${random}`,
      image: more.image,
    })
    this.#vm = vm
    this.give(vm, cloud, given)
    vm.boot(more.clock)
    return vm
  }

  /** Changes the user data of a VM, which is possible while it is off. */
  give({ id }: Vm, cloud: VmOptions['cloud'], { packed }: UserData): void {
    // An address of QEMU's own network.
    const ec2 = {
      cloud: 'aws',
      id,
      address: '10.0.2.15',
      mac: '02:00:00:00:00:01',
      userData: packed,
      identity: identityOf(id),
    } as const
    const attributes = { 'startup-script': Buffer.from(packed).toString() }
    this.#site.register(
      metadataAddress,
      cloud === 'aws' ? ec2 : { cloud, id, attributes, zone: 'us-west1-b' },
    )
  }

  /** Waits for an effect of a VM; if it does not come, the error has all that is known of the VM. */
  async until<T>(
    vm: Vm,
    what: string,
    poll: () => T | undefined | false | Promise<T | undefined | false>,
  ): Promise<T> {
    for (const end = Date.now() + timeoutMs; ; ) {
      const on = vm.isOn()
      const result = await poll()
      if (result) return result
      if (!on || Date.now() > end)
        throw new Error(`${on ? 'timed out' : 'the VM is off'}: ${what}\n${await vm.describe()}`)
      await new Promise((resolve) => setTimeout(resolve, 250))
    }
  }

  /** Waits for the joined agent; `after` is an earlier connection of it. */
  joined(vm: Vm, { master }: TestMaster, after = 0): Promise<Agent> {
    const ready = ({ id, phase, connection }: Agent) =>
      id === vm.id && phase === 'joined' && connection > after
    return this.until(vm, `${vm.id} joins`, () => master.agents().find(ready))
  }

  /** Submits a job that runs until `endOf`; resolves with the id when it runs. */
  async busy(vm: Vm, master: TestMaster): Promise<string> {
    const command = ['bash', '-c', 'until [ -e /tmp/enough ]; do sleep 1; done; rm /tmp/enough']
    const id = await submit(master, { slots: 1, command })
    await this.until(vm, 'the work to run', async () => (await work(master, id)).state !== 'pending')
    return id
  }

  /** The state of the job at its end: `finished`, or `lost` with its container. */
  async endOf(vm: Vm, master: TestMaster, id: string): Promise<string> {
    await vm.run('docker exec determined-agent touch /tmp/enough')
    return this.until(vm, 'the end of its work', async () => {
      const { state } = await work(master, id)
      return ['pending', 'running'].includes(state) ? undefined : String(state)
    })
  }

  /** Waits for a stage, after this many of them in earlier runs of the script. */
  reported(vm: Vm, stage: string, after = 0): Promise<boolean> {
    return this.until(vm, `stage ${stage}`, () => vm.stages().slice(after).includes(stage))
  }

  /** The VM's last stage, after it has powered itself off. */
  async lastStage(vm: Vm): Promise<string | undefined> {
    await this.until(vm, 'it powers itself off', () => !vm.isOn())
    return lastStage(vm.console())
  }

  /** Sets its clock, like NTP. */
  async setClock(vm: Vm): Promise<void> {
    const { status, output } = await vm.run(`date -s @${Math.floor(Date.now() / 1000)}`)
    if (status !== 0) throw new Error(output)
  }

  /** Reboots a VM in an orderly way and resolves when the next boot has started. */
  async reboot(vm: Vm): Promise<void> {
    const bootId = async () => (await vm.run('cat /proc/sys/kernel/random/boot_id')).output
    const before = await bootId()
    await vm.run('systemctl reboot --no-block')
    await this.until(vm, 'the next boot', async () => (await bootId()) !== before)
  }

  async dispose(): Promise<void> {
    await this.#vm?.dispose()
    await this.#site.dispose()
  }
}
