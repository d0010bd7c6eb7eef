// An EC2 whose instances are machines: those of RunInstances boot with their user data, TerminateInstances
// powers them off, and GetConsoleOutput returns a real console.
import type { AwsCloud } from '../../support/aws-cloud.ts'
import { type FakeVm, isGone } from '../../support/fake-ec2/world.ts'
import type { Identity } from '../../support/join-proofs/fake-sts.ts'
import { identityOf } from './ec2-metadata.ts'
import type { Machine } from './machine.ts'
import type { Site } from './site.ts'

export interface BootingEc2 {
  machines: Map<string, Machine>
  stop(): void
}

/** @param identities of the roles of instances, with which STS knows them; new instances are added */
export function bootingEc2({ ec2 }: AwsCloud, site: Site, identities: Identity[] = []): BootingEc2 {
  const machines = new Map<string, Machine>()

  function update(vm: FakeVm): void {
    const machine = machines.get(vm.id)
    if (!machine) {
      const identity = identityOf(vm.id)
      identities.push(identity)
      const started = site.launchEc2(vm.id, vm.userData, { identity })
      machines.set(vm.id, started)
      Object.defineProperty(vm, 'console', { get: () => started.console() })
    } else if (isGone(vm)) {
      void machine.dispose()
    } else if (!machine.isOn()) {
      ec2.world.end(vm.id)
    }
  }

  const timer = setInterval(() => {
    for (const vm of ec2.world.vms.values()) update(vm)
  }, 100)
  return { machines, stop: () => clearInterval(timer) }
}
