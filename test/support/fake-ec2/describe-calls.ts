// The Describe calls, the console, and TerminateInstances.
import { matching } from './filters.ts'
import { at, Ec2Error, type Params, textsOf, type Xml } from './query.ts'
import { describeVm, stateXml } from './vm-xml.ts'
import { type FakeVm, isGone, type World } from './world.ts'

export function describeInstances(world: World, params: Params): Xml {
  const ids = textsOf(params['InstanceId'])
  const size = at(params, 'MaxResults')
  if (ids.length && size) throw new Ec2Error('InvalidParameterCombination', 'MaxResults with instance ids')
  if (size && !(Number(size) >= 5 && Number(size) <= 1000))
    throw new Ec2Error('InvalidParameterValue', 'MaxResults')
  for (const vm of world.vms.values()) settle(vm)
  const visible = ids.length
    ? ids.map((id) => find(world, id))
    : [...world.vms.values()].filter((vm) => vm.visible && !vm.unlisted && isHere(world, vm))
  const found = matching(visible, params, (vm) => ({
    tags: vm.tags,
    values: { 'instance-id': vm.id, 'instance-state-name': vm.state, 'instance-type': vm.type },
  }))
  const from = Number(at(params, 'NextToken') ?? 0)
  const to = from + Number(size ?? 1000)
  return {
    reservationSet: found.slice(from, to).map((vm) => ({
      reservationId: `r-${vm.id.slice(2)}`,
      ownerId: world.account,
      instancesSet: [describeVm(world, vm)],
    })),
    nextToken: to < found.length ? String(to) : undefined,
  }
}

/** A VM is pending, and shutting down, until it was listed once. */
function settle(vm: FakeVm): void {
  if (vm.state === 'pending') vm.state = 'running'
  if (vm.state === 'shutting-down') vm.state = 'terminated'
}

function isHere({ region }: World, vm: FakeVm): boolean {
  return vm.region === undefined || vm.region === region
}

function find(world: World, id: string): FakeVm {
  if (!/^i-[0-9a-f]{8,17}$/.test(id)) throw new Ec2Error('InvalidInstanceID.Malformed', `Invalid id: "${id}"`)
  const vm = world.vms.get(id)
  if (vm?.visible && isHere(world, vm)) return vm
  throw new Ec2Error('InvalidInstanceID.NotFound', `The instance ID '${id}' does not exist`)
}

export function terminateInstances(world: World, params: Params): Xml {
  const ids = textsOf(params['InstanceId'])
  if (ids.length > 1000) throw new Ec2Error('InvalidParameterValue', 'at most 1000 instances')
  const vms = ids.map((id) => find(world, id))
  const guarded = vms.find((vm) => vm.protected && !isGone(vm))
  // VMs of other zones than the protected one's are terminated nevertheless.
  const ended = vms.filter((vm) => !guarded || world.subnets[vm.subnet] !== world.subnets[guarded.subnet])
  for (const vm of ended) {
    if (isGone(vm)) continue
    vm.state = 'shutting-down'
    vm.reason = 'Client.UserInitiatedShutdown: User initiated shutdown'
  }
  if (guarded)
    throw new Ec2Error(
      'OperationNotPermitted',
      `The instance '${guarded.id}' may not be terminated. Modify its 'disableApiTermination' instance attribute and try again.`,
    )
  return { instancesSet: vms.map((vm) => ({ instanceId: vm.id, currentState: stateXml(vm.state) })) }
}

export function describeSpotInstanceRequests(world: World, params: Params): Xml {
  const found = matching([...world.spotRequests.values()], params, ({ id, tags }) => ({
    tags,
    values: { 'spot-instance-request-id': id },
  }))
  return {
    spotInstanceRequestSet: found.map(({ id, vm, status, updatedAt }) => ({
      spotInstanceRequestId: id,
      instanceId: vm,
      state: 'active',
      status: { code: status, message: status, updateTime: new Date(updatedAt).toISOString() },
    })),
  }
}

export function describeImages(world: World, params: Params): Xml {
  const ids = textsOf(params['ImageId'])
  const owners = textsOf(params['Owner'])
  const missing = ids.find((id) => !world.images.some((image) => image.id === id))
  if (missing) throw new Ec2Error('InvalidAMIID.NotFound', `The image id '[${missing}]' does not exist`)
  const candidates = world.images
    .filter(({ id }) => !ids.length || ids.includes(id))
    .filter(({ owner }) => !owners.length || owners.includes(owner))
  const found = matching(candidates, params, ({ name }) => ({
    tags: {},
    values: { name, state: 'available' },
  }))
  return {
    imagesSet: found.map(({ id, name, rootDevice, createdAt, architecture = 'x86_64' }) => ({
      imageId: id,
      name,
      rootDeviceName: rootDevice || undefined,
      creationDate: createdAt,
      imageState: 'available',
      architecture,
    })),
  }
}

export function describeInstanceTypes(world: World, params: Params): Xml {
  const names = textsOf(params['InstanceType'])
  const unknown = names.find((name) => !(name in world.types))
  if (unknown)
    throw new Ec2Error(
      'InvalidInstanceType',
      `The following supplied instance types do not exist: [${unknown}]`,
    )
  return {
    instanceTypeSet: names.map((name) => {
      const {
        gpus,
        manufacturer = 'NVIDIA',
        architectures = ['x86_64'],
        clusterGroups = true,
      } = world.types[name]!
      return {
        instanceType: name,
        processorInfo: { supportedArchitectures: architectures },
        placementGroupInfo: {
          supportedStrategies: ['partition', 'spread', ...(clusterGroups ? ['cluster'] : [])],
        },
        gpuInfo: gpus ? { gpus: [{ manufacturer, count: gpus }] } : undefined,
      }
    }),
  }
}

export function describeInstanceAttribute(world: World, params: Params): Xml {
  const vm = find(world, at(params, 'InstanceId') ?? '')
  if (at(params, 'Attribute') !== 'userData')
    throw new Ec2Error('InvalidParameterValue', 'only user data is known here')
  return { instanceId: vm.id, userData: { value: vm.userData.toString('base64') } }
}

export function getConsoleOutput(world: World, params: Params): Xml {
  const vm = find(world, at(params, 'InstanceId') ?? '')
  if (at(params, 'Latest') === 'true' && world.oldConsole.has(vm.type))
    throw new Ec2Error(
      'UnsupportedOperation',
      'This instance type does not support retrieving the latest console logs.',
    )
  return { instanceId: vm.id, output: Buffer.from(vm.console).toString('base64') }
}
