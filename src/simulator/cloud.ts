// The simulated cloud: VMs with tags, launch tokens, and the true state, which callers may not know.
import type { FailureClass, Instance, Offering } from '../planner/index.ts'
import type { Clock } from '../platform/index.ts'
import { type ProblemCode, problem } from '../problems/index.ts'
import type { LaunchFailure, LaunchOrder, LaunchResult, Ownership } from '../providers/index.ts'

export interface CloudInstance {
  instance: Instance
  clusterId: string
  /** The writer whose call made it: not its tag's when a copy of that writer's state sent the same launch. */
  madeBy: string
  /** By the true clock. */
  createdAt: number
  visibleAt: number
  /** When it began to stop. */
  endedAt?: number
  goneAt?: number
  /** When its agent first joined with all of its slots. */
  joinedAt?: number
  slots: number
  sha256: string
  console: string
}

/** Hooks: the world controls the lives of VMs, the invariants observe them. */
export interface CloudEvents {
  /** A launch reaches the cloud for the first time, or again. */
  onLaunchRequest?(order: LaunchOrder, isRepeat: boolean): void
  onCreated?(vm: CloudInstance): void
  onEnded?(vm: CloudInstance): void
  /** The cloud is about to carry out a termination that a pool's provisioner has sent, perhaps long ago. */
  onTerminating?(vm: CloudInstance): void
  /** A token was reused for another request. */
  onMismatch?(order: LaunchOrder): void
}

export interface Cloud {
  readonly clock: Clock
  readonly faults: Faults
  readonly instances: Map<string, CloudInstance>
  readonly catalogue: Readonly<Record<string, number>>
  readonly tokens: Map<string, { request: string; result: LaunchResult }>
  readonly buckets: Record<'launch' | 'list' | 'terminate', Bucket>
  readonly events: CloudEvents
  /** The largest user data it accepts, in bytes. */
  readonly userDataLimit: number
  created: number
}

export interface CloudOptions {
  clock: Clock
  faults: Faults
  /** Slots by instance type. */
  catalogue: Readonly<Record<string, number>>
  events?: CloudEvents
}

export function createCloud({ clock, faults, catalogue, events = {} }: CloudOptions): Cloud {
  return {
    clock,
    faults,
    catalogue,
    events,
    instances: new Map(),
    tokens: new Map(),
    buckets: {
      launch: createBucket(ec2Buckets.launch),
      list: createBucket(ec2Buckets.list),
      terminate: createBucket(ec2Buckets.terminate),
    },
    userDataLimit: 16_384,
    created: 0,
  }
}

/** Handles a caller's launch request. The same token gives the same VMs, whatever happened to them since. */
export function performLaunch(
  cloud: Cloud,
  order: LaunchOrder,
  caller: string = order.owner.writerId,
): LaunchResult {
  const request = requestOf(order)
  const known = cloud.tokens.get(order.intent.id)
  cloud.events.onLaunchRequest?.(order, known !== undefined)
  if (known && known.request !== request) {
    cloud.events.onMismatch?.(order)
    return refused(order, 'config', 'PROVIDER_CONFIG', 'the token was used for another request')
  }
  if (known) return { ...known.result, instances: known.result.instances.map(({ id }) => shown(cloud, id)) }
  if (order.userData.packed.byteLength > cloud.userDataLimit)
    return refused(order, 'config', 'PROVIDER_CONFIG', 'the user data is too large')
  const result = fulfil(cloud, order, caller)
  // A refusal is not stored: the same request may succeed later.
  if (result.instances.length > 0) cloud.tokens.set(order.intent.id, { request, result })
  return result
}

function requestOf({ intent, owner, userData }: LaunchOrder): string {
  return JSON.stringify([intent, owner, userData.sha256, Buffer.from(userData.packed).toString('base64')])
}

function fulfil(cloud: Cloud, order: LaunchOrder, caller: string): LaunchResult {
  const { faults, catalogue } = cloud
  const instances: Instance[] = []
  const failures: LaunchFailure[] = []
  let left = order.intent.count
  for (const offering of order.intent.offerings) {
    if (left === 0) break
    if (catalogue[offering.instanceType] === undefined) {
      failures.push(failureOf('config', offering, `there is no type ${offering.instanceType}`))
      continue
    }
    const inQuota = Math.max(0, faults.quota() - liveCount(cloud))
    const inStock = Math.max(0, faults.stock(offering))
    const count = Math.min(left, inQuota, inStock)
    for (let n = 0; n < faults.gives(count); n++)
      instances.push(create(cloud, order, caller, offering).instance)
    left -= count
    if (left > 0 && inQuota < inStock) failures.push(failureOf('quota', offering, 'the quota is used up'))
    else if (left > 0) failures.push(failureOf('capacity', offering, 'there are no more of them'))
  }
  const last = failures.at(-1)
  if (last) last.missing = left
  return { instances: instances.map((instance) => ({ ...instance })), failures }
}

function liveCount(cloud: Cloud): number {
  let count = 0
  for (const vm of cloud.instances.values()) if (vm.endedAt === undefined) count++
  return count
}

function create(
  cloud: Cloud,
  order: LaunchOrder,
  caller: string,
  { instanceType, zone, capacityType, slots }: Offering,
): CloudInstance {
  const { faults, clock } = cloud
  const now = clock.now()
  const id = `i-${(++cloud.created).toString(16).padStart(17, '0')}`
  const vm: CloudInstance = {
    instance: {
      id,
      pool: order.owner.pool,
      state: 'starting',
      launchedAt: now + faults.clockSkew,
      instanceType,
      zone,
      capacityType,
      intentId: order.intent.id,
      writerId: order.owner.writerId,
    },
    clusterId: order.owner.clusterId,
    madeBy: caller,
    createdAt: now,
    visibleAt: now + faults.hiddenFor(),
    slots,
    sha256: order.userData.sha256,
    console: '',
  }
  cloud.instances.set(id, vm)
  cloud.events.onCreated?.(vm)
  const startsAfter = faults.startsAfter()
  if (startsAfter === 0) vm.instance.state = 'running'
  else if (startsAfter !== undefined)
    void clock.sleep(startsAfter).then(() => {
      if (vm.instance.state === 'starting') vm.instance.state = 'running'
    })
  return vm
}

/** Starts to stop a VM; `state` is `stopped` for one that still exists and can be deleted. */
export function endInstance(
  cloud: Cloud,
  vm: CloudInstance,
  reason: string,
  state: 'stopping' | 'stopped' = 'stopping',
): void {
  const isOver = vm.instance.state === 'stopping' || vm.instance.state === 'terminated'
  if (isOver || vm.instance.state === state) return
  const wasLive = vm.endedAt === undefined
  vm.instance.state = state
  vm.instance.stateReason = reason
  vm.endedAt ??= cloud.clock.now()
  if (state === 'stopping') stopThenLeave(cloud, vm)
  if (wasLive) cloud.events.onEnded?.(vm)
}

/** It stops for a while; then listings drop it, or show it as terminated for longer. */
function stopThenLeave({ clock, faults }: Cloud, vm: CloudInstance): void {
  const stopsFor = faults.lingersFor()
  const remainsFor = faults.remainsFor()
  vm.goneAt = clock.now() + stopsFor + remainsFor
  if (remainsFor > 0)
    void clock.sleep(stopsFor).then(() => {
      vm.instance.state = 'terminated'
    })
}

/** A VM as a reply shows it; one that ended long ago is shown as terminated. */
function shown({ instances: vms }: Cloud, id: string): Instance {
  return { ...vms.get(id)!.instance }
}

export function isOwned(
  vm: CloudInstance,
  { clusterId, pool }: Pick<Ownership, 'clusterId' | 'pool'>,
): boolean {
  return vm.clusterId === clusterId && vm.instance.pool === pool
}

function failureOf(failureClass: FailureClass, offering: Offering, message: string): LaunchFailure {
  const code =
    failureClass === 'quota'
      ? 'PROVIDER_QUOTA'
      : failureClass === 'config'
        ? 'PROVIDER_CONFIG'
        : 'PROVIDER_CAPACITY'
  const { slots: _, ...words } = offering
  return {
    class: failureClass,
    offering,
    missing: 0,
    problem: problem(code, `${words.instanceType} in ${words.zone}: ${message}`),
  }
}

function refused(
  { intent }: LaunchOrder,
  failureClass: FailureClass,
  code: ProblemCode,
  message: string,
): LaunchResult {
  return {
    instances: [],
    failures: [{ class: failureClass, missing: intent.count, problem: problem(code, message) }],
  }
}

// A token bucket, as clouds throttle with it.

export interface BucketSize {
  burst: number
  perSecond: number
}

/**
 * EC2's numbers, as in Karpenter's fake of EC2 (karpenter-provider-aws: kwok/ec2/ratelimiting.go):
 * RunInstances 2 a second, burst 5; TerminateInstances 5, burst 100; describing 20, burst 100.
 */
export const ec2Buckets = {
  launch: { burst: 5, perSecond: 2 },
  terminate: { burst: 100, perSecond: 5 },
  list: { burst: 100, perSecond: 20 },
} as const satisfies Record<string, BucketSize>

/** Takes a token, or returns false if there is none. `now` is milliseconds. */
export type Bucket = (now: number) => boolean

export function createBucket({ burst, perSecond }: BucketSize): Bucket {
  let tokens = burst
  let filledAt: number | undefined
  return (now) => {
    tokens = Math.min(burst, tokens + ((now - (filledAt ?? now)) / 1000) * perSecond)
    filledAt = now
    if (tokens < 1) return false
    tokens--
    return true
  }
}

// The faults of the simulated cloud. By default there are none: it responds at once and completely.

export type CallKind = 'launch' | 'list' | 'terminate' | 'console'

/**
 * - `done`: acts and responds
 * - `refused`, `throttled`, `failed`: does nothing and returns an error (credentials, too many calls, an internal error)
 * - `reply_lost`: acts; the response is lost
 * - `garbled`: acts; the response is not the cloud's
 * - `effect_late`: acts long after the caller has given up
 * - `silent`: does nothing and never responds
 */
export type Fate =
  | 'done'
  | 'refused'
  | 'throttled'
  | 'failed'
  | 'reply_lost'
  | 'garbled'
  | 'effect_late'
  | 'silent'

export interface Faults {
  fate(call: CallKind): Fate
  /** Milliseconds until the cloud acts, and from then until its response arrives. */
  latency(call: CallKind): { there: number; back: number }
  /** Milliseconds until the client of the cloud gives up on a call without a response. */
  clientTimeout: number
  /** Milliseconds until a late effect, from the call. */
  lateness(): number
  /** VMs of this offering that the cloud can launch now. */
  stock(offering: Offering): number
  /** VMs the account may have at once. */
  quota(): number
  /** How many of these VMs are launched: sometimes fewer than available, without an error. */
  gives(count: number): number
  /** Milliseconds until listings show a new VM. */
  hiddenFor(): number
  /** Milliseconds until a new VM runs; undefined: it stays starting. */
  startsAfter(): number | undefined
  /** Milliseconds that a VM takes to stop. */
  lingersFor(): number
  /** Milliseconds that listings show it as terminated after that. */
  remainsFor(): number
  /** What a listing shows of these VMs; `complete`: whether it claims to be complete. */
  listing(instances: Instance[]): { instances: Instance[]; complete: boolean }
  /** Milliseconds that a listing takes in addition to the latency of a call. */
  listingTakes(): number
  /** What a response to a lookup by id shows of these instances. */
  finding(instances: Instance[]): Instance[]
  /** Milliseconds by which the cloud's clock is ahead of the local one. */
  clockSkew: number
}

export const noFaults: Faults = {
  fate: () => 'done',
  latency: () => ({ there: 0, back: 0 }),
  clientTimeout: 30_000,
  lateness: () => 60_000,
  stock: () => Number.POSITIVE_INFINITY,
  quota: () => Number.POSITIVE_INFINITY,
  gives: (count) => count,
  hiddenFor: () => 0,
  startsAfter: () => 0,
  lingersFor: () => 0,
  remainsFor: () => 0,
  listing: (instances) => ({ instances, complete: true }),
  listingTakes: () => 0,
  finding: (instances) => instances,
  clockSkew: 0,
}
