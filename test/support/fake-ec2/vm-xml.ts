// A VM in EC2's XML.
import { at, tagSet, type Xml } from './query.ts'
import { type FakeInterface, type FakeVm, isGone, type World } from './world.ts'

const stateCodes = { pending: 0, running: 16, 'shutting-down': 32, terminated: 48 }

export function stateXml(state: FakeVm['state']): Xml {
  return { code: stateCodes[state], name: state }
}

export function describeVm(world: World, vm: FakeVm): Xml {
  const [code, message] = (vm.reason ?? '').split(': ')
  return {
    ...(world.wholeVms ? rest(vm) : {}),
    ...networkOf(world, vm),
    instanceId: vm.id,
    imageId: vm.imageId,
    instanceState: stateXml(vm.state),
    instanceType: vm.type,
    launchTime: new Date(vm.launchedAt).toISOString(),
    placement: {
      availabilityZone: world.subnets[vm.subnet],
      groupName: at(vm.made, 'Placement', 'GroupName'),
    },
    subnetId: vm.subnet,
    instanceLifecycle: lifecycleOf(world, vm),
    capacityReservationId: vm.reservationId,
    spotInstanceRequestId: vm.spotRequestId,
    stateReason: vm.reason ? { code, message } : undefined,
    tagSet: tagSet(vm.tags),
  }
}

function lifecycleOf(world: World, vm: FakeVm): string | undefined {
  if (vm.capacity === 'spot') return 'spot'
  return world.reservations.get(vm.reservationId ?? '')?.block ? 'capacity-block' : undefined
}

/** The addresses of a VM, at all places where EC2 shows them. Once it is terminated, it has none. */
function networkOf(world: World, vm: FakeVm): { [name: string]: Xml } {
  if (isGone(vm)) return { networkInterfaceSet: [] }
  const interfaces = vm.interfaces ?? [defaultInterface(vm)]
  const [primary] = interfaces
  return {
    privateIpAddress: primary?.privateIps[0],
    ipAddress: primary?.publicIp,
    ipv6Address: primary?.ipv6?.[0],
    networkInterfaceSet: interfaces.map((one, index) => ({
      ...(world.wholeVms ? restOfInterface(vm, index) : {}),
      ...interfaceXml(one),
    })),
  }
}

/** Of the ranges that RFC 1918 and RFC 2544 reserve. */
function defaultInterface({ id }: FakeVm): FakeInterface {
  const number = Number.parseInt(id.slice(-6), 16)
  const host = `${(number >> 8) & 255}.${number & 255}`
  return { privateIps: [`10.${number >> 16}.${host}`], publicIp: `198.18.${host}` }
}

function interfaceXml({ privateIps, publicIp, ipv6 = [] }: FakeInterface): { [name: string]: Xml } {
  const association = publicIp ? { publicIp, publicDnsName: '', ipOwnerId: 'amazon' } : undefined
  return {
    association,
    ipv6AddressesSet: ipv6.map((ipv6Address) => ({ ipv6Address, isPrimaryIpv6: false })),
    privateIpAddress: privateIps[0],
    privateIpAddressesSet: privateIps.map((privateIpAddress, index) => ({
      association: index === 0 ? association : undefined,
      primary: index === 0,
      privateDnsName,
      privateIpAddress,
    })),
  }
}

const privateDnsName = 'ip-10-20-30-40.us-west-2.compute.internal'

/** EC2's other fields of an interface. */
function restOfInterface({ id, subnet, launchedAt }: FakeVm, index: number): { [name: string]: Xml } {
  const number = id.slice(-8)
  return {
    attachment: {
      attachmentId: `eni-attach-0${number}aaaaaaaa`,
      attachTime: new Date(launchedAt).toISOString(),
      deleteOnTermination: true,
      deviceIndex: index,
      networkCardIndex: 0,
      status: 'attached',
    },
    groupSet: [{ groupId: `sg-0${number}aaaaaaaa`, groupName: 'determined-agents' }],
    interfaceType: 'interface',
    macAddress: '02:11:22:33:44:55',
    networkInterfaceId: `eni-0${number}aaaaaaaa`,
    ownerId: '123456789012',
    privateDnsName,
    sourceDestCheck: true,
    status: 'in-use',
    subnetId: subnet,
    vpcId: 'vpc-0123456789abcdef0',
  }
}

/** EC2's other fields, which we do not read, but with as much to parse as the real ones (some 5 KB a VM). */
function rest({ id, launchedAt }: FakeVm): { [name: string]: Xml } {
  const attachTime = new Date(launchedAt).toISOString()
  const number = id.slice(-8)
  const groupSet = [{ groupId: `sg-0${number}aaaaaaaa`, groupName: 'determined-agents' }]
  return {
    amiLaunchIndex: 0,
    architecture: 'x86_64',
    blockDeviceMapping: [
      {
        deviceName: '/dev/sda1',
        ebs: {
          attachTime,
          deleteOnTermination: true,
          status: 'attached',
          volumeId: `vol-0${number}aaaaaaaa`,
        },
      },
    ],
    bootMode: 'uefi-preferred',
    capacityReservationSpecification: { capacityReservationPreference: 'open' },
    clientToken: `7d1c9a60-52ce-4b0e-9a43-6a3f${number}`,
    cpuOptions: { coreCount: 24, threadsPerCore: 2 },
    currentInstanceBootMode: 'uefi',
    dnsName: 'ec2-203-0-113-7.us-west-2.compute.amazonaws.com',
    ebsOptimized: false,
    enaSupport: true,
    enclaveOptions: { enabled: false },
    groupSet,
    hibernationOptions: { configured: false },
    hypervisor: 'xen',
    iamInstanceProfile: {
      arn: 'arn:aws:iam::123456789012:instance-profile/determined-agent',
      id: 'AIPAEXAMPLE',
    },
    maintenanceOptions: { autoRecovery: 'default', rebootMigration: 'default' },
    metadataOptions: {
      httpEndpoint: 'enabled',
      httpProtocolIpv6: 'disabled',
      httpPutResponseHopLimit: 1,
      httpTokens: 'required',
      instanceMetadataTags: 'disabled',
      state: 'applied',
    },
    monitoring: { state: 'disabled' },
    networkPerformanceOptions: { bandwidthWeighting: 'default' },
    platformDetails: 'Linux/UNIX',
    privateDnsName,
    privateDnsNameOptions: {
      enableResourceNameDnsAAAARecord: false,
      enableResourceNameDnsARecord: false,
      hostnameType: 'ip-name',
    },
    rootDeviceName: '/dev/sda1',
    rootDeviceType: 'ebs',
    sourceDestCheck: true,
    usageOperation: 'RunInstances',
    usageOperationUpdateTime: attachTime,
    virtualizationType: 'hvm',
    vpcId: 'vpc-0123456789abcdef0',
  }
}
