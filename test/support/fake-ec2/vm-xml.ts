// A VM in EC2's XML.
import { tagSet, type Xml } from './query.ts'
import type { FakeVm, World } from './world.ts'

const stateCodes = { pending: 0, running: 16, 'shutting-down': 32, terminated: 48 }

export function stateXml(state: FakeVm['state']): Xml {
  return { code: stateCodes[state], name: state }
}

export function describeVm(world: World, vm: FakeVm): Xml {
  const [code, message] = (vm.reason ?? '').split(': ')
  return {
    instanceId: vm.id,
    imageId: vm.imageId,
    instanceState: stateXml(vm.state),
    instanceType: vm.type,
    launchTime: new Date(vm.launchedAt).toISOString(),
    placement: { availabilityZone: world.subnets[vm.subnet] },
    subnetId: vm.subnet,
    instanceLifecycle: vm.capacity === 'spot' ? 'spot' : undefined,
    spotInstanceRequestId: vm.spotRequestId,
    stateReason: vm.reason ? { code, message } : undefined,
    tagSet: tagSet(vm.tags),
  }
}
