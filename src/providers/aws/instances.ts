// The instances of a pool or of a whole cluster: list, find by id, terminate; and which of them AWS will interrupt.
import type { Instance, InstanceState } from '../../planner/index.ts'
import { addressesOf } from '../addresses.ts'
import { type Listing, ownerTags, type TerminateResult } from '../contract.ts'
import { type Owner, terminateOwn } from '../launch-steps.ts'
import { type DescribeInstancesRequest, type Ec2Api, pages } from './client.ts'
import { codeOf, ec2Failure } from './errors.ts'
import { markReserved } from './reservations.ts'
import type { Ec2Instance } from './responses.ts'

/** The largest page of EC2. */
const pageSize = 1000
/** Values in one filter: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_Filter.html */
const filterValues = 200

/** A page of instances, their account, and the time of EC2's response. */
export interface InstancePage {
  instances: Ec2Instance[]
  /** undefined on a page without instances */
  account?: string | undefined
  at?: number | undefined
}

export async function* instancePages(
  api: Ec2Api,
  request: DescribeInstancesRequest,
  signal?: AbortSignal,
): AsyncGenerator<InstancePage> {
  const fetchPage = (token: string | undefined) =>
    api.describeInstances(
      { ...request, MaxResults: pageSize, ...(token ? { NextToken: token } : {}) },
      signal,
    )
  for await (const { Reservations = [], answeredAt } of pages(fetchPage))
    yield {
      instances: Reservations.flatMap((reservation) => reservation.Instances ?? []),
      account: Reservations.find(({ OwnerId }) => OwnerId)?.OwnerId,
      at: answeredAt,
    }
}

function scopeName({ clusterId, pool }: Owner): string {
  return pool === undefined ? `cluster ${clusterId}` : `pool ${pool}`
}

/**
 * Also lists terminated instances for as long as EC2 remembers them (about an hour), because their reason is useful.
 */
export function listOwned(api: Ec2Api, scope: Owner, signal?: AbortSignal): Promise<Listing> {
  const question = { filters: [ownerFilters(scope)], doing: `list the instances of ${scopeName(scope)}` }
  return listing(api, scope, question, signal)
}

/** Uses a filter, because a call with ids fails as a whole when EC2 does not know one of them. */
export async function findOwned(
  api: Ec2Api,
  clusterId: string,
  ids: readonly string[],
  signal?: AbortSignal,
): Promise<Listing> {
  const scope = { clusterId }
  const filters = chunks(ids, filterValues).map((Values) => [
    { Name: 'instance-id', Values },
    ...ownerFilters(scope),
  ])
  const found = await listing(api, scope, { filters, doing: 'find instances by id' }, signal)
  const account = found.account ?? (found.complete ? await api.account(signal) : undefined)
  return account === undefined ? found : { ...found, account }
}

interface Question {
  /** One call, with all its pages, for each element. */
  filters: NonNullable<DescribeInstancesRequest['Filters']>[]
  /** Completes "could not …". */
  doing: string
}

async function listing(
  api: Ec2Api,
  scope: Owner,
  { filters, doing }: Question,
  signal?: AbortSignal,
): Promise<Listing> {
  signal?.throwIfAborted()
  const answer: Listing = { instances: [], complete: true, problems: [] }
  const spotRequests: string[] = []
  const blocks = new Map<string, string>()
  try {
    for (const Filters of filters)
      for await (const { instances, account, at } of instancePages(api, { Filters }, signal)) {
        if (account !== undefined) answer.account = account
        // The time of the first response: instances launched after it may be missing.
        if (at !== undefined) answer.at ??= at
        for (const instance of instances) {
          if (!isManaged(instance, scope)) continue
          // Keeps only what is used, not the SDK's objects: there may be 10,000.
          answer.instances.push(instanceOf(instance))
          if (isLive(instance) && instance.SpotInstanceRequestId)
            spotRequests.push(instance.SpotInstanceRequestId)
          if (isLive(instance) && instance.InstanceLifecycle === 'capacity-block')
            blocks.set(instance.InstanceId ?? '', instance.CapacityReservationId ?? '')
        }
      }
  } catch (error) {
    signal?.throwIfAborted()
    answer.complete = false
    answer.problems.push(ec2Failure(error, doing).problem)
  }
  await markInterrupted(api, scope, spotRequests, answer, signal)
  const { instances, error } = await markReserved(api, answer.instances, blocks, signal)
  answer.instances = instances
  if (error !== undefined) {
    // The listing is still complete: an end that was read before is remembered.
    const doing = `read the end of the Capacity Blocks of ${scopeName(scope)}`
    answer.problems.push(ec2Failure(error, doing).problem)
  }
  return answer
}

/** Whether EC2 shows an instance of the cluster, in any state. Rejects with the SDK's error. */
export async function hasInstances(api: Ec2Api, clusterId: string, signal?: AbortSignal): Promise<boolean> {
  const scope = { clusterId }
  for await (const { instances } of instancePages(api, { Filters: ownerFilters(scope) }, signal))
    if (instances.some((instance) => isManaged(instance, scope))) return true
  return false
}

function isLive({ State }: Ec2Instance): boolean {
  return State?.Name === 'pending' || State?.Name === 'running'
}

/**
 * A spot VM gets its notice two minutes before the interruption, as the status of its request:
 * `marked-for-termination`, `-stop` or `-hibernation`
 * (https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/spot-request-status.html).
 */
async function markInterrupted(
  api: Ec2Api,
  scope: Owner,
  requests: string[],
  answer: Listing,
  signal?: AbortSignal,
): Promise<void> {
  const notices = new Map<string, number>()
  try {
    // A filter instead of ids: one id that EC2 no longer knows fails the whole call.
    for (const ids of chunks(requests, filterValues)) {
      const Filters = [{ Name: 'spot-instance-request-id', Values: ids }]
      const { SpotInstanceRequests = [] } = await api.describeSpotInstanceRequests({ Filters }, signal)
      for (const { InstanceId, Status } of SpotInstanceRequests)
        if (InstanceId && Status?.Code?.startsWith('marked-for-'))
          notices.set(InstanceId, Status.UpdateTime?.getTime() ?? 0)
    }
  } catch (error) {
    signal?.throwIfAborted()
    // The listing is still complete: only the notice may come late.
    answer.problems.push(ec2Failure(error, `read the spot notices of ${scopeName(scope)}`).problem)
  }
  answer.instances = answer.instances.map((instance): Instance => {
    const interruptedAt = notices.get(instance.id)
    return interruptedAt === undefined ? instance : { ...instance, interruptedAt }
  })
}

/** https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-instance-lifecycle.html */
const states: Record<string, InstanceState> = {
  pending: 'starting',
  running: 'running',
  'shutting-down': 'stopping',
  stopping: 'stopping',
  stopped: 'stopped',
  terminated: 'terminated',
}

export function instanceOf(instance: Ec2Instance): Instance {
  const { State, StateReason, StateTransitionReason, Placement, ImageId, SubnetId } = instance
  const tags = tagsOf(instance)
  const reason = stateReason(StateReason) || StateTransitionReason
  const intentId = tags.get(ownerTags.intent)
  const writerId = tags.get(ownerTags.writer)
  return {
    id: instance.InstanceId ?? '',
    pool: tags.get(ownerTags.pool) ?? '',
    state: states[State?.Name ?? ''] ?? 'unknown',
    launchedAt: instance.LaunchTime?.getTime() ?? 0,
    instanceType: instance.InstanceType ?? '',
    zone: Placement?.AvailabilityZone ?? '',
    capacityType: capacityTypeOf(instance),
    ...(intentId === undefined ? {} : { intentId }),
    ...(writerId === undefined ? {} : { writerId }),
    ...(reason ? { stateReason: reason } : {}),
    ...(SubnetId ? { offeredZone: SubnetId } : {}),
    ...(ImageId ? { image: ImageId } : {}),
    ...addressesOf(addressesIn(instance)),
  }
}

function* addressesIn({ NetworkInterfaces = [] }: Ec2Instance): Iterable<string | undefined> {
  for (const { PrivateIpAddresses = [], Ipv6Addresses = [] } of NetworkInterfaces) {
    for (const { PrivateIpAddress, Association } of PrivateIpAddresses) {
      yield PrivateIpAddress
      yield Association?.PublicIp
    }
    for (const { Ipv6Address } of Ipv6Addresses) yield Ipv6Address
  }
}

function capacityTypeOf({ InstanceLifecycle, CapacityReservationId }: Ec2Instance): Instance['capacityType'] {
  if (InstanceLifecycle === 'spot') return 'spot'
  return CapacityReservationId ? 'reserved' : 'on_demand'
}

function tagsOf({ Tags = [] }: Ec2Instance): Map<string, string> {
  return new Map(Tags.map(({ Key, Value }) => [Key ?? '', Value ?? '']))
}

/**
 * EC2's code is part of most of its messages, and can be looked up. Why an instance could not start is often only
 * `Client.InternalError` (https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/troubleshooting-launch.html).
 */
function stateReason({ Code = '', Message = '' }: NonNullable<Ec2Instance['StateReason']> = {}): string {
  const reason = Code && !Message.startsWith(Code) ? `${Code}${Message ? `: ${Message}` : ''}` : Message
  if (/^Client\.InternalError\b/.test(reason))
    return `${reason}. Most often EC2 may not use the KMS key of a volume: see KMS in docs/aws.md`
  if (/KMS/.test(reason)) return `${reason}. See KMS in docs/aws.md`
  return reason
}

/** Managed are those with the tags of the cluster and, if given, of the pool; nothing else decides. */
function isManaged(instance: Ec2Instance, { clusterId, pool }: Owner): boolean {
  const tags = tagsOf(instance)
  return (
    tags.get(ownerTags.cluster) === clusterId && (pool === undefined || tags.get(ownerTags.pool) === pool)
  )
}

/** In a tag filter, escaped `*`, `?` and `\` are literal. */
export function ownerFilters({ clusterId, pool }: Owner) {
  const cluster = { Name: `tag:${ownerTags.cluster}`, Values: [literal(clusterId)] }
  return pool === undefined
    ? [cluster]
    : [cluster, { Name: `tag:${ownerTags.pool}`, Values: [literal(pool)] }]
}

export function intentFilter(intentId: string) {
  return { Name: `tag:${ownerTags.intent}`, Values: [literal(intentId)] }
}

function literal(text: string): string {
  return text.replace(/[\\*?]/g, '\\$&')
}

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_TerminateInstances.html */
const largestBatch = 1000

export interface TerminateInput {
  api: Ec2Api
  owner: Owner
  ids: string[]
  /** Launched by this provider a moment ago: it exists, although EC2 may not show it yet. */
  isNew: (id: string) => boolean
  signal?: AbortSignal | undefined
}

export function terminateOwned(input: TerminateInput): Promise<TerminateResult> {
  const { ids, owner, signal } = input
  const rules = {
    owner,
    find: () => find(input),
    isManaged,
    targetOf,
    async terminate(targets: string[], result: TerminateResult) {
      for (const batch of chunks(targets, largestBatch)) await terminateBatch(input, batch, result)
    },
    failureOf: ec2Failure,
  }
  return terminateOwn(ids, rules, signal)
}

/**
 * An instance that EC2 shows as terminated needs no call. One that EC2 does not show may exist, because listings lag;
 * only InvalidInstanceID.NotFound from TerminateInstances proves that it does not.
 */
function targetOf(id: string, instance?: Ec2Instance): string | undefined {
  const isThere = instance ? !isGone(instance) : /^i-(?:[0-9a-f]{8}|[0-9a-f]{17})$/.test(id)
  return isThere ? id : undefined
}

/** Uses a filter, because `InstanceIds` fails as a whole for one unknown id. */
async function find({ api, ids, signal }: TerminateInput): Promise<Map<string, Ec2Instance>> {
  const known = new Map<string, Ec2Instance>()
  for (const Values of chunks(ids, filterValues)) {
    const Filters = [{ Name: 'instance-id', Values }]
    for await (const { instances } of instancePages(api, { Filters }, signal))
      for (const instance of instances) known.set(instance.InstanceId ?? '', instance)
  }
  return known
}

/**
 * EC2 refuses a whole batch for one protected or unknown instance, and names it; it has then terminated none, or only
 * those in other zones. The named ones are settled and the rest is retried, in halves when none was named.
 */
async function terminateBatch(
  input: TerminateInput,
  batch: string[],
  result: TerminateResult,
): Promise<void> {
  if (!batch.length) return
  try {
    await input.api.terminateInstances({ InstanceIds: batch }, input.signal)
    result.terminated.push(...batch)
  } catch (error) {
    input.signal?.throwIfAborted()
    const failure = ec2Failure(error, 'terminate instances')
    const named = batch.filter((id) => String(error instanceof Error && error.message).includes(id))
    const refused = batch.length === 1 ? batch : named
    const isUnknown = codeOf(error) === 'InvalidInstanceID.NotFound'
    if (!isUnknown && failure.class !== 'config')
      return void result.failures.push(...batch.map((id) => ({ id, ...failure })))
    for (const id of refused)
      if (isUnknown && !input.isNew(id)) result.terminated.push(id)
      else result.failures.push({ id, ...ec2Failure(error, `terminate ${id}`) })
    const rest = batch.filter((id) => !refused.includes(id))
    const parts = named.length ? [rest] : chunks(rest, Math.ceil(rest.length / 2))
    for (const part of parts) await terminateBatch(input, part, result)
  }
}

function isGone({ State }: Ec2Instance): boolean {
  return State?.Name === 'terminated' || State?.Name === 'shutting-down'
}

function chunks<T>(items: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, index) =>
    items.slice(index * size, (index + 1) * size),
  )
}
