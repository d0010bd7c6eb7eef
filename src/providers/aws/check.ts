// `provision check` for a pool: what EC2 says to each thing a launch would need, without launching.

import type { Problem } from '../../problems/problem.ts'
import { problem } from '../../problems/problem.ts'
import type { CheckItem } from '../contract.ts'
import type { Ownership } from '../ownership.ts'
import type { AwsConfig } from './aws-config.ts'
import type { Ec2CheckApi } from './check-api.ts'
import { checkPermissions } from './check-permissions.ts'
import { ec2Failure } from './errors.ts'
import { resolveImage } from './image.ts'
import type { AwsLaunch } from './request.ts'
import { slotsOf } from './slots.ts'

export interface CheckInput {
  api: Ec2CheckApi
  config: AwsConfig
  owner: Ownership
  /** The launch of one VM with what was found out. */
  prepare: (image: { imageId: string; rootDevice: string }) => AwsLaunch
}

/** Every item, also after one that failed: all is told at once. */
export async function checkPool(input: CheckInput, signal?: AbortSignal): Promise<CheckItem[]> {
  const items: CheckItem[] = []
  const image = await attempt(items, 'machine image', () =>
    resolveImage(input.api, input.config.image, input.owner, signal),
  )
  const refused = items[0]?.problem
  // Nothing else can be asked then; the same words for each thing would hide that.
  if (refused?.details?.['code'] === 'CredentialsProviderError')
    return [{ what: 'credentials', problem: refused }]
  const [types, network, key] = await Promise.all([
    checkTypes(input, signal),
    checkNetwork(input, signal),
    checkKey(input, signal),
  ])
  items.push(...types, ...network, ...key)
  items.push({
    what: 'vCPU quotas',
    notChecked: "EC2's own API does not tell them; see Service Quotas, Running On-Demand and Spot instances",
  })
  if (image) items.push(...(await checkPermissions(input.api, input.prepare(image), signal)))
  return items
}

async function checkTypes({ api, config }: CheckInput, signal?: AbortSignal): Promise<CheckItem[]> {
  const items: CheckItem[] = []
  for (const { type, slots } of config.instance_types) {
    const what = `instance type ${type}`
    await attempt(items, what, async () => {
      const real = await slotsOf(api, type, config.cpu_slots_allowed, signal)
      if (real === undefined) return fault(`EC2 knows no instance type ${type} in this region`)
      const allowed = config.cpu_slots_allowed ? Math.max(slots, 1) : slots
      return real === slots || real === allowed
        ? undefined
        : fault(
            `${type} has ${real} slots, but the pool counts on ${slots}`,
            'Correct the slots of the instance type.',
          )
    })
  }
  return items
}

async function checkNetwork(input: CheckInput, signal?: AbortSignal): Promise<CheckItem[]> {
  const { api, config } = input
  const { subnet_id, security_group_id } = config.network_interface
  const ids = config.subnet_ids.length ? config.subnet_ids : subnet_id ? [subnet_id] : []
  const items: CheckItem[] = []
  const vpcs = new Set<string>()
  const zones: string[] = []
  for (const id of ids)
    await attempt(items, `subnet ${id}`, async () => {
      const { Subnets: [subnet] = [] } = await api.describeSubnets({ SubnetIds: [id] }, signal)
      if (subnet?.VpcId) vpcs.add(subnet.VpcId)
      if (subnet?.AvailabilityZone) zones.push(subnet.AvailabilityZone)
      const free = subnet?.AvailableIpAddressCount ?? 0
      return free < 1
        ? fault(`subnet ${id} has no free address`, 'Use a larger subnet, or name more subnet_ids.')
        : undefined
    })
  if (zones.length) items.push(...(await checkZones(input, zones, signal)))
  if (security_group_id)
    await attempt(items, `security group ${security_group_id}`, async () => {
      const { SecurityGroups: [group] = [] } = await api.describeSecurityGroups(
        { GroupIds: [security_group_id] },
        signal,
      )
      const strange = [...vpcs].filter((vpc) => vpc !== group?.VpcId)
      return strange.length
        ? fault(
            `security group ${security_group_id} is of ${group?.VpcId}, but subnets are of ${strange.join(', ')}`,
          )
        : undefined
    })
  return items
}

/** A type no zone of the pool has is a mistake; one that some zones lack is used where it is. */
async function checkZones(
  { api, config }: CheckInput,
  zones: string[],
  signal?: AbortSignal,
): Promise<CheckItem[]> {
  const items: CheckItem[] = []
  const wanted = config.instance_types.map(({ type }) => type)
  await attempt(items, `what ${zones.join(', ')} offer`, async () => {
    const Filters = [
      { Name: 'instance-type', Values: wanted },
      { Name: 'location', Values: zones },
    ]
    const request = { LocationType: 'availability-zone' as const, Filters }
    const { InstanceTypeOfferings = [] } = await api.describeInstanceTypeOfferings(request, signal)
    for (const type of wanted) {
      const has = InstanceTypeOfferings.flatMap((one) => (one.InstanceType === type ? one.Location : []))
      const lacking = zones.filter((zone) => !has.includes(zone))
      if (lacking.length) items.push({ what: `zones for ${type}`, problem: lack(type, lacking, zones) })
    }
  })
  return items
}

function lack(type: string, lacking: string[], zones: string[]): Problem {
  const message = `${lacking.join(', ')} ${lacking.length > 1 ? 'do' : 'does'} not offer ${type}`
  return lacking.length < zones.length
    ? problem('PROVIDER_NOT_OFFERED', message)
    : fault(message, 'Take the type out of the pool, or name subnets of other zones.')
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

/** Adds what came of it: nothing to say, a problem the look itself found, or EC2's refusal. */
async function attempt<T>(
  items: CheckItem[],
  what: string,
  look: () => Promise<T>,
): Promise<Exclude<T, Problem | undefined> | undefined> {
  try {
    const found = await look()
    if (isProblem(found)) items.push({ what, problem: found })
    else items.push({ what })
    return isProblem(found) ? undefined : (found as Exclude<T, Problem | undefined>)
  } catch (error) {
    items.push({ what, problem: ec2Failure(error, `find ${what}`).problem })
    return undefined
  }
}

function isProblem(value: unknown): value is Problem {
  return typeof value === 'object' && value !== null && 'severity' in value
}

function fault(message: string, remedy?: string): Problem {
  return problem('PROVIDER_CONFIG', message, remedy ? { remedy } : {})
}
