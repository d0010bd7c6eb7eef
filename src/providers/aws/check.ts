// `provision check` for a pool: asks EC2 about everything a launch needs, without launching.

import { randomUUID } from 'node:crypto'
import type { Offering } from '../../planner/index.ts'
import type { MetadataOptions } from '../../platform/index.ts'
import { type Problem, problem } from '../../problems/index.ts'
import type { CheckItem, Ownership, ProviderContext } from '../contract.ts'
import { attemptWith, fault } from '../failure.ts'
import { notOnThisCloud } from '../online-facts.ts'
import { checkPermissions, type PermissionInput } from './check-permissions.ts'
import { ec2Client, regionOfSdk } from './client.ts'
import { ec2Failure } from './errors.ts'
import { type ResolvedImage, resolveImage, typeFacts } from './image.ts'
import { regionOf } from './metadata.ts'
import { efaCount, groupsOf } from './network.ts'
import { groupsGangs, perGang, sharedGroup } from './placement.ts'
import { awsLaunch } from './request.ts'
import { reservationFault, reservationOf } from './reservations.ts'
import type { AwsConfig } from './rules.ts'

const attempt = attemptWith(ec2Failure)

/**
 * Checks with the region and the request that a launch would have. What EC2 has not answered before `signal` is aborted
 * gets the reason of the abort as its problem. Throws PROVIDER_CONFIG when no region is known.
 */
export async function check(
  context: ProviderContext<AwsConfig>,
  offerings: Offering[],
  signal?: AbortSignal,
): Promise<CheckItem[]> {
  const { config, owner, master } = context
  const metadata: MetadataOptions = { fetch: globalThis.fetch, clock: context.clock, env: context.env }
  const region = await regionOf(config.region, regionOfSdk, metadata)
  const api = ec2Client(region, context.env)
  const intent = { id: randomUUID(), count: 1, offerings }
  const tagValue = config.tag_value ?? notOnThisCloud
  try {
    const prepare = (image: ResolvedImage, gang = false) =>
      awsLaunch(
        { config, owner, setup: { master }, intent: { ...intent, gang } },
        { ...image, region, tagValue, userData: '' },
      )
    return [{ what: `region ${region}` }, ...(await checkPool({ api, config, owner, prepare }, signal))]
  } finally {
    api.close()
  }
}

interface CheckInput extends PermissionInput {
  owner: Ownership
}

const noCredentials = ['CredentialsProviderError', 'ProfileWithoutCredentials', 'TokenProviderError']

/** Checks every item, also after one that failed, so that all problems are reported at once. */
async function checkPool(input: CheckInput, signal?: AbortSignal): Promise<CheckItem[]> {
  const items: CheckItem[] = []
  const image = await attempt(items, 'machine image', () =>
    resolveImage(input.api, input.config.image, input.owner, signal),
  )
  const refused = items[0]?.problem
  // Without credentials every other item would fail with the same message.
  if (noCredentials.includes(String(refused?.details?.['code'])))
    return [{ what: 'credentials', problem: refused }]
  const [types, network, key, placement] = await Promise.all([
    checkTypes(input, image, signal),
    checkNetwork(input, signal),
    checkKey(input, signal),
    checkPlacement(input, signal),
  ])
  items.push(...types, ...network, ...key, ...placement)
  items.push({
    what: 'vCPU quotas',
    notChecked: "EC2's API does not report them; see Service Quotas, Running On-Demand and Spot instances",
  })
  if (image) items.push(...(await checkPermissions(input, image, signal)))
  return items
}

async function checkTypes(
  { api, config }: CheckInput,
  image: ResolvedImage | undefined,
  signal?: AbortSignal,
): Promise<CheckItem[]> {
  const items: CheckItem[] = []
  for (const { type, slots } of config.instance_types) {
    const what = `instance type ${type}`
    const query = () => typeFacts(api, type, config.cpu_slots_allowed, signal)
    const found = await attempt(items, what, query, (real) => {
      if (real === undefined) return fault(`instance type ${type} does not exist in this region`)
      const allowed = config.cpu_slots_allowed ? Math.max(slots, 1) : slots
      return real.slots === slots || real.slots === allowed
        ? undefined
        : fault(
            `${type} has ${real.slots} slots, but the pool is configured with ${slots}`,
            'Correct the slots of the instance type.',
          )
    })
    if (groupsGangs(config) && found?.clusterGroups === false)
      items.push({
        what: `placement groups for ${type}`,
        problem: fault(
          `a cluster placement group cannot hold ${type}, but placement_group is ${perGang}`,
          'Use another instance type, or remove placement_group.',
        ),
      })
    const { architecture } = image ?? {}
    if (image && architecture && found?.architectures.length && !found.architectures.includes(architecture))
      items.push({
        what: `image for ${type}`,
        problem: fault(
          `image ${image.imageId} is for ${architecture}, but ${type} runs ${found.architectures.join(' and ')}`,
          'Use an image with the architecture of the instance types, or move the type to a separate pool with a matching image.',
        ),
      })
  }
  return items
}

async function checkNetwork(input: CheckInput, signal?: AbortSignal): Promise<CheckItem[]> {
  const { api, config } = input
  const { subnet_id } = config.network_interface
  const ids = config.subnet_ids.length ? config.subnet_ids : subnet_id ? [subnet_id] : []
  const items: CheckItem[] = []
  const vpcs = new Set<string>()
  const zones: string[] = []
  const query = (id: string) => () => api.describeSubnets({ SubnetIds: [id] }, signal)
  for (const id of ids)
    await attempt(items, `subnet ${id}`, query(id), ({ Subnets = [] }) => {
      const [subnet] = Subnets
      if (subnet?.VpcId) vpcs.add(subnet.VpcId)
      if (subnet?.AvailabilityZone) zones.push(subnet.AvailabilityZone)
      const free = subnet?.AvailableIpAddressCount ?? 0
      return free < 1
        ? fault(`subnet ${id} has no free address`, 'Use a larger subnet, or add subnet_ids.')
        : undefined
    })
  if (zones.length) items.push(...(await checkZones(input, zones, signal)))
  items.push(...(await checkReservation(input, zones, signal)))
  items.push(...(await checkGroups(input, [...vpcs], signal)))
  return items
}

async function checkGroups(
  { api, config }: CheckInput,
  vpcs: string[],
  signal?: AbortSignal,
): Promise<CheckItem[]> {
  const items: CheckItem[] = []
  let forEfa = false
  for (const id of groupsOf(config)) {
    const query = () => api.describeSecurityGroups({ GroupIds: [id] }, signal)
    const found = await attempt(items, `security group ${id}`, query, ({ SecurityGroups = [] }) => {
      const [group] = SecurityGroups
      const others = vpcs.filter((vpc) => vpc !== group?.VpcId)
      return others.length
        ? fault(`security group ${id} is in ${group?.VpcId}, but subnets are in ${others.join(', ')}`)
        : undefined
    })
    const [group] = found?.SecurityGroups ?? []
    if (isOpenToItself(id, group?.IpPermissions) && isOpenToItself(id, group?.IpPermissionsEgress))
      forEfa = true
  }
  if (!forEfa && config.instance_types.some(({ type }) => efaCount(config, type) > 0))
    items.push({
      what: 'security groups for EFA',
      problem: fault(
        'no security group of the pool allows all traffic from itself and to itself, which EFA needs',
        'Add two rules to a group of the pool: all traffic inbound from the group itself, and outbound to the group itself.',
      ),
    })
  return items
}

type Rules = { IpProtocol?: string; UserIdGroupPairs?: { GroupId?: string }[] }[]

/** An outbound rule for all addresses is not enough: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/efa-start.html */
function isOpenToItself(id: string, rules: Rules = []): boolean {
  return rules.some(
    ({ IpProtocol, UserIdGroupPairs = [] }) =>
      IpProtocol === '-1' && UserIdGroupPairs.some(({ GroupId }) => GroupId === id),
  )
}

async function checkReservation(
  { api, config }: CheckInput,
  zones: string[],
  signal?: AbortSignal,
): Promise<CheckItem[]> {
  const items: CheckItem[] = []
  const id = reservationOf(config)
  if (!id) return items
  const what = config.capacity?.block ? 'Capacity Block' : 'capacity reservation'
  const query = () => api.describeCapacityReservations({ CapacityReservationIds: [id] }, signal)
  await attempt(items, `${what} ${id}`, query, ({ CapacityReservations = [] }) =>
    reservationFault(config, CapacityReservations[0], zones),
  )
  return items
}

async function checkPlacement({ api, config }: CheckInput, signal?: AbortSignal): Promise<CheckItem[]> {
  const { volume } = config
  const name = sharedGroup(config)
  const items: CheckItem[] = []
  if (name) {
    const query = () => api.describePlacementGroups({ GroupNames: [name] }, signal)
    await attempt(items, `placement group ${name}`, query, ({ PlacementGroups = [] }) => {
      const state = PlacementGroups[0]?.State
      return state === 'available' ? undefined : fault(`placement group ${name} is ${state ?? 'missing'}`)
    })
  }
  if (volume.kms_key_id)
    items.push({
      what: `KMS key ${volume.kms_key_id}`,
      notChecked: 'EC2 uses it when an instance starts, and terminates the instance if it cannot',
    })
  return items
}

/** A type that no zone of the pool offers is an error; one that only some zones lack is used in the others. */
async function checkZones(
  { api, config }: CheckInput,
  zones: string[],
  signal?: AbortSignal,
): Promise<CheckItem[]> {
  const items: CheckItem[] = []
  const wanted = config.instance_types.map(({ type }) => type)
  await attempt(items, `instance types in ${zones.join(', ')}`, async () => {
    const Filters = [
      { Name: 'instance-type', Values: wanted },
      { Name: 'location', Values: zones },
    ]
    const request = { LocationType: 'availability-zone' as const, Filters }
    const { InstanceTypeOfferings = [] } = await api.describeInstanceTypeOfferings(request, signal)
    for (const type of wanted) {
      const has = InstanceTypeOfferings.flatMap((one) => (one.InstanceType === type ? one.Location : []))
      const missingZones = zones.filter((zone) => !has.includes(zone))
      if (missingZones.length)
        items.push({ what: `zones for ${type}`, problem: notOffered(type, missingZones, zones) })
    }
  })
  return items
}

function notOffered(type: string, missingZones: string[], zones: string[]): Problem {
  const message = `${missingZones.join(', ')} ${missingZones.length > 1 ? 'do' : 'does'} not offer ${type}`
  return missingZones.length < zones.length
    ? problem('PROVIDER_NOT_OFFERED', message)
    : fault(message, 'Remove the type from the pool, or add subnets in other zones.')
}

async function checkKey({ api, config }: CheckInput, signal?: AbortSignal): Promise<CheckItem[]> {
  const { ssh_key_name } = config
  const items: CheckItem[] = []
  if (ssh_key_name)
    await attempt(items, `key pair ${ssh_key_name}`, async () => {
      await api.describeKeyPairs({ KeyNames: [ssh_key_name] }, signal)
    })
  return items
}
