// A Compute Engine whose instances are machines: those of bulkInsert boot with their startup-script, and a deleted one
// is powered off.
import type { World } from '../../support/fake-gce/world.ts'
import type { Machine } from './machine.ts'
import type { Site } from './site.ts'

export interface BootingGce {
  /** By the instance's name. */
  machines: Map<string, Machine>
  stop(): void
}

export function bootingGce(world: World, site: Site): BootingGce {
  const machines = new Map<string, Machine>()
  const timer = setInterval(() => {
    for (const vm of world.vms.values())
      if (vm.status === 'RUNNING' && !machines.has(vm.name)) {
        const { name, zone, metadata, properties } = vm
        const [account] = properties.serviceAccounts ?? []
        const launched = {
          id: name,
          zone,
          attributes: metadata,
          ...(account?.email && { account: account.email }),
        }
        const machine = site.launchGce(launched)
        machines.set(name, machine)
        Object.defineProperty(vm, 'serial', { get: () => machine.console() })
      }
    for (const [name, machine] of machines) if (!world.vms.has(name)) void machine.dispose()
  }, 100)
  return { machines, stop: () => clearInterval(timer) }
}
