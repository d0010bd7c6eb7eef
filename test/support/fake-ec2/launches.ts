// RunInstances, exact for tokens, MinCount and MaxCount, stock, quota, and the limit of user data.

import { checkGroup, roomInGroup } from './placement-groups.ts'
import { at, Ec2Error, objectsOf, type Params, tagsOf, type Xml } from './query.ts'
import { describeVm } from './vm-xml.ts'
import type { Capacity, FakeReservation, FakeVm, UsedToken, World } from './world.ts'

export function runInstances(world: World, params: Params): Xml {
  const used = usedToken(world, 'RunInstances', params)
  if (used) return reservation(world, repeated(world, used))
  const [min, max] = [Number(at(params, 'MinCount')), Number(at(params, 'MaxCount'))]
  if (!(min >= 1) || !(max >= min)) throw new Ec2Error('InvalidParameterCombination', 'MinCount and MaxCount')
  const type = at(params, 'InstanceType') ?? 'm5.large'
  const subnet = subnetOf(world, at(params, 'NetworkInterface', '1', 'SubnetId') ?? at(params, 'SubnetId'))
  checkMachine(world, params)
  if (!(type in world.types))
    throw new Ec2Error('InvalidParameterValue', `Invalid value '${type}' for InstanceType.`)
  checkGroup(world, params, type, subnet)
  const capacity = capacityOf(world, params)
  const reserved = reservedFor(world, params, type, subnet)
  const stock = reserved ? world.unreserved(reserved) : world.inStock(capacity, type, subnet)
  const count = Math.min(max, stock, roomInGroup(world, params), quotaLeft(world, capacity))
  if (quotaLeft(world, capacity) < min)
    throw new Ec2Error(
      capacity === 'spot' ? 'MaxSpotInstanceCountExceeded' : 'VcpuLimitExceeded',
      'You have requested more vCPU capacity than your current vCPU limit allows',
    )
  if (reserved !== undefined && count < min) throw exceeded()
  if (count < min)
    throw new Ec2Error(
      'InsufficientInstanceCapacity',
      `We currently do not have sufficient ${type} capacity in the Availability Zone you requested`,
      500,
    )
  const vms = make(world, {
    params,
    type,
    subnet,
    capacity,
    count,
    tags: taggedAs(params, 'instance'),
  })
  if (reserved) for (const vm of vms) vm.reservationId = reserved
  remember(world, 'RunInstances', params, { vms: vms.map(({ id }) => id) })
  return reservation(world, vms)
}

/** Tags for a spot request need one. */
function capacityOf(world: World, params: Params): Capacity {
  const isSpot = at(params, 'InstanceMarketOptions', 'MarketType') === 'spot'
  if (!isSpot && tagKinds(params).includes('spot-instances-request'))
    throw new Ec2Error('InvalidParameterValue', 'You cannot specify tags for Spot instances requests')
  const price = Number(
    at(params, 'InstanceMarketOptions', 'SpotOptions', 'MaxPrice') ?? Number.POSITIVE_INFINITY,
  )
  if (isSpot && price < world.spotPrice)
    throw new Ec2Error(
      'SpotMaxPriceTooLow',
      `Your Spot request price of ${price} is lower than the minimum required`,
    )
  return isSpot ? 'spot' : 'on_demand'
}

/** The reservation a launch is targeted at; `open` is any that matches. */
function reservedFor(world: World, params: Params, type: string, subnet: string): string | undefined {
  const wanted = ['CapacityReservationSpecification', 'CapacityReservationTarget', 'CapacityReservationId']
  const id = at(params, ...wanted)
  const matches = ([, one]: [string, FakeReservation]) =>
    one.type === type && one.zone === world.subnets[subnet]
  if (at(params, 'CapacityReservationSpecification', 'CapacityReservationPreference')) {
    const open = [...world.reservations].find((one) => matches(one) && world.unreserved(one[0]) > 0)
    if (!open) throw exceeded()
    return open[0]
  }
  if (!id) return undefined
  const reservation = world.reservations.get(id)
  if (!reservation)
    throw new Ec2Error(
      'InvalidCapacityReservationId.NotFound',
      `The capacity reservation ID '${id}' does not exist`,
    )
  const isBlock = at(params, 'InstanceMarketOptions', 'MarketType') === 'capacity-block'
  if (isBlock !== Boolean(reservation.block))
    throw new Ec2Error('InvalidParameterCombination', 'MarketType does not match the capacity reservation')
  if (!matches([id, reservation])) throw exceeded()
  return id
}

function exceeded(): Ec2Error {
  return new Ec2Error(
    'ReservationCapacityExceeded',
    'The requested reservation does not have sufficient compatible and available capacity for this request.',
  )
}

export function make(
  world: World,
  what: {
    params: Params
    type: string
    subnet: string
    capacity: Capacity
    count: number
    tags: Record<string, string>
  },
): FakeVm[] {
  const { params, type, subnet, capacity, count, tags } = what
  world.take(capacity, type, subnet, count)
  return Array.from({ length: count }, () => {
    const vm: FakeVm = {
      id: world.id('i'),
      type,
      subnet,
      capacity,
      launchedAt: world.now(),
      region: world.region,
      tags,
      userData: Buffer.from(at(params, 'UserData') ?? '', 'base64'),
      imageId: at(params, 'ImageId') ?? '',
      made: params,
      state: 'pending',
      visible: !world.hideNewVms,
      protected: false,
      console: '',
    }
    if (capacity === 'spot') vm.spotRequestId = spotRequest(world, vm.id, params)
    world.vms.set(vm.id, vm)
    return vm
  })
}

function spotRequest(world: World, vm: string, params: Params): string {
  const id = world.id('sir')
  const tags = taggedAs(params, 'spot-instances-request')
  world.spotRequests.set(id, { id, vm, tags, status: 'fulfilled', updatedAt: world.now() })
  return id
}

export function taggedAs(params: Params, kind: string): Record<string, string> {
  const specifications = objectsOf(params['TagSpecification'])
  return tagsOf(specifications.find((one) => at(one, 'ResourceType') === kind)?.['Tag'])
}

export function tagKinds(params: Params): string[] {
  return objectsOf(params['TagSpecification']).map((one) => at(one, 'ResourceType') ?? '')
}

export function subnetOf(world: World, named: string | undefined): string {
  const subnet = named ?? Object.keys(world.subnets)[0]!
  if (!(subnet in world.subnets))
    throw new Ec2Error('InvalidSubnetID.NotFound', `The subnet ID '${subnet}' does not exist`)
  return subnet
}

export function quotaLeft(world: World, capacity: Capacity): number {
  return (world.quota[capacity] ?? Number.POSITIVE_INFINITY) - world.live(capacity).length
}

/** Image and user data, of a launch or of a template. */
export function checkMachine(world: World, params: Params): void {
  const image = at(params, 'ImageId') ?? ''
  if (!image.startsWith('resolve:ssm:') && !world.images.some(({ id }) => id === image))
    throw new Ec2Error('InvalidAMIID.NotFound', `The image id '[${image}]' does not exist`)
  const profile = at(params, 'IamInstanceProfile', 'Arn')
  if (profile && !world.instanceProfiles.includes(profile))
    throw new Ec2Error(
      'InvalidParameterValue',
      `Value (${profile}) for parameter iamInstanceProfile.arn is invalid`,
    )
  const base64 = at(params, 'UserData') ?? ''
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(base64))
    throw new Ec2Error('InvalidUserData.Malformed', 'Invalid BASE64 encoding of user data.')
  if (Buffer.from(base64, 'base64').length > 16_384)
    throw new Ec2Error('InvalidUserData.Malformed', 'User data is limited to 16384 bytes')
}

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/Run_Instance_Idempotency.html */
export function usedToken(world: World, action: string, params: Params): UsedToken | undefined {
  const used = world.tokens.get(`${action} ${at(params, 'ClientToken')}`)
  if (used && used.fingerprint !== fingerprint(params))
    throw new Ec2Error(
      'IdempotentParameterMismatch',
      'The specified parameters are different from the original',
    )
  return used
}

export function remember(
  world: World,
  action: string,
  params: Params,
  use: Omit<UsedToken, 'fingerprint'>,
): void {
  const token = at(params, 'ClientToken')
  if (token) world.tokens.set(`${action} ${token}`, { ...use, fingerprint: fingerprint(params) })
}

export function repeated(world: World, { vms }: UsedToken): FakeVm[] {
  const launched = vms.map((id) => world.vms.get(id)!)
  if (launched.length && launched.every((vm) => vm.state === 'terminated'))
    throw new Ec2Error(
      'IdempotentInstanceTerminated',
      'The request to launch an instance uses a client token that is already used for an instance that is terminated',
    )
  return launched
}

function fingerprint({ ClientToken: _, ...params }: Params): string {
  return JSON.stringify(params)
}

function reservation(world: World, vms: FakeVm[]): Xml {
  const instancesSet = vms.map((vm) => describeVm(world, vm))
  return { reservationId: world.id('r'), ownerId: world.account, instancesSet }
}
