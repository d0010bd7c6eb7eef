// Runs the VMs of the fake Compute Engine: each runs its startup script, and then the agent that docker would start.

import { systemClock } from '../../src/platform/clock.ts'
import { readAgentOptions } from '../../src/standalone/agent/options.ts'
import { runAgent } from '../../src/standalone/agent/run-agent.ts'
import type { FakeVm, World } from './fake-gce/world.ts'
import { dockerRun, ScriptVm } from './script-vm.ts'
import { silentLogger } from './silent-logger.ts'

export interface GceMachines {
  /** How many have ever been started. */
  booted(): number
  close(): Promise<void>
}

interface Machine {
  disk: ScriptVm
  off: AbortController
  ended: Promise<unknown>
}

/** @param slots artificial ones, instead of GPUs */
export function gceMachines(world: World, slots: number): GceMachines {
  const machines = new Map<string, Machine>()
  let booted = 0
  const timer = setInterval(poll, 50)

  function poll(): void {
    for (const vm of world.vms.values()) if (vm.status === 'RUNNING' && !machines.has(vm.name)) switchOn(vm)
    for (const [name, { off }] of machines) if (world.vms.get(name)?.status !== 'RUNNING') off.abort()
  }

  function switchOn(vm: FakeVm): void {
    booted++
    const curl = `case "$*" in *computeMetadata/v1/instance/name*) printf ${vm.name} ;; *) exit 7 ;; esac`
    const disk = new ScriptVm({ curl })
    const off = new AbortController()
    machines.set(vm.name, { disk, off, ended: boot(vm, disk, off.signal) })
  }

  async function boot(vm: FakeVm, disk: ScriptVm, signal: AbortSignal): Promise<void> {
    const { status, output } = await disk.runScript(vm.metadata['startup-script']!)
    vm.serial += output
    if (status !== 0) return world.end(vm.name)
    const { environment, mounts } = dockerRun(disk)
    const inContainer = (path: string) => `${disk.root}${mounts[path]}`
    const env = {
      ...environment,
      PATH: process.env['PATH'],
      PROVISION_ROOT: disk.root,
      DET_CONFIG_FILE: inContainer('/etc/determined/agent.yaml'),
      DET_SECURITY_TLS_MASTER_CERT: inContainer(environment['DET_SECURITY_TLS_MASTER_CERT']!),
      DET_ARTIFICIAL_SLOTS: String(slots),
    }
    const { options, problems } = readAgentOptions({ argv: [], env })
    if (!options) throw new Error(JSON.stringify(problems))
    await runAgent({ options, env, version: '0.1.0', clock: systemClock, logger: silentLogger, signal })
  }

  return {
    booted: () => booted,
    async close() {
      clearInterval(timer)
      for (const { off } of machines.values()) off.abort()
      await Promise.allSettled([...machines.values()].map(({ ended }) => ended))
      for (const { disk } of machines.values()) disk.close()
    },
  }
}
