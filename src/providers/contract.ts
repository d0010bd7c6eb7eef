// The contract of every provider; src/testing/provider-contract.ts tests it.

import type { AgentSetup, Stage, UserData } from '../agent-setup/index.ts'
import type { CommonProviderConfig } from '../config/index.ts'
import type { MasterAddress } from '../pki/index.ts'
import type { FailureClass, Instance, Offering } from '../planner/index.ts'
import type { Clock, Logger, MayAct } from '../platform/index.ts'
import type { Problem } from '../problems/index.ts'

export interface Provider {
  /** The `kind` of its definition. */
  readonly kind: string

  /** All managed instances of the pool, all pages. Never throws for a response of the cloud: see `Listing.complete`. */
  list(signal?: AbortSignal): Promise<Listing>

  /**
   * This pool's part of a listing of the whole cluster, or of a lookup by id, from the `ClusterProvider` of the same
   * location. With it, all pools of a location share one listing; without it, each pool calls `list`.
   */
  partOf?(cluster: Listing): Listing

  /** Launches up to `order.intent.count` VMs. Sending the same intent again never launches more. */
  launch(order: LaunchOrder, signal?: AbortSignal): Promise<LaunchResult>

  /** Terminates managed VMs of the pool. Unknown or gone ids count as terminated; foreign ones are rejected. */
  terminate(ids: string[], signal?: AbortSignal): Promise<TerminateResult>

  /**
   * Where its instances are, with what is needed to find them again: `{ region }` on AWS, `{ project }` on Google Cloud.
   * Default: there is only one location.
   */
  readonly location?: Location

  /**
   * The instances with these ids that carry our cluster's tag, in any pool, queried by id and not by pool.
   * `complete`: the cloud was queried for every id, so that it does not know a missing instance at this moment. Never
   * throws for a response of the cloud. Without this method, only listings show that an instance is gone.
   */
  find?(ids: string[], signal?: AbortSignal): Promise<Listing>

  /**
   * Whether the cloud has any resource of our cluster, in any pool: instances in any state, launch templates. Rejects when
   * that cannot be determined. Without this method, such resources are assumed.
   */
  hasTraces?(signal?: AbortSignal): Promise<boolean>

  /** Slots of an agent on this instance type, or undefined when the cloud does not know the type. */
  slotsOf(instanceType: string, signal?: AbortSignal): Promise<number | undefined>

  /**
   * The image that a launch uses now, as `Instance.image` shows it; undefined if the configuration names one that is always the
   * same. Rejects when the cloud could not be asked. Without this method, a newer image is never noticed.
   */
  newestImage?(signal?: AbortSignal): Promise<string | undefined>

  /** The last stage the VM's script reported, or undefined when nothing can be read. */
  consoleStage(id: string, signal?: AbortSignal): Promise<Stage | undefined>

  /**
   * Releases connections and timers. VMs keep running, except those of `local`, which terminates its processes, whatever
   * `mayAct` says: nobody else could.
   */
  close(): Promise<void>
}

/**
 * Strings by name, such as `{ region: 'us-west-2' }`, stored in `state_dir` so that instances can be listed there
 * again.
 */
export type Location = Readonly<Record<string, string>>

/** What `openCluster` is given. */
export interface ClusterContext {
  clusterId: string
  /** Absolute; `state_dir` itself. */
  stateDir: string
  env: Readonly<Record<string, string | undefined>>
  clock: Clock
  logger: Logger
  /** See `ProviderContext`. */
  mayAct?: MayAct | undefined
}

/** All instances of the cluster at one location, in any pool. It cannot launch. */
export interface ClusterProvider {
  /** All instances with the cluster's tag, all pages; `pool` of each is the value of its own tag. */
  list(signal?: AbortSignal): Promise<Listing>
  find(ids: string[], signal?: AbortSignal): Promise<Listing>
  /** Rejects instances without the cluster's tag. */
  terminate(ids: string[], signal?: AbortSignal): Promise<TerminateResult>
  /**
   * Deletes what launches made besides instances, as far as no instance needs it any more: placement groups on AWS. `isUsed`
   * tells whether an instance of that intent may exist. Returns how many things are left; rejects when the cloud could not be
   * asked or refused. Called after a complete listing. Without this method, launches make only instances.
   */
  deleteUnused?(isUsed: (intentId: string) => boolean, signal?: AbortSignal): Promise<number>
  close(): Promise<void>
}

export interface ProviderContext<C extends CommonProviderConfig = CommonProviderConfig> {
  config: C
  owner: Ownership
  /** Master address for agents of the pool; VMs are tagged with it. */
  master: MasterAddress
  /** Absolute; the pool's own folder under `state_dir`. */
  stateDir: string
  /** The provisioner's environment; the provider decides which variables are passed to a VM. */
  env: Readonly<Record<string, string | undefined>>
  clock: Clock
  logger: Logger
  /**
   * Whether this process may still change something; default: it may. Asked right before each request that does, each attempt
   * of it, with `checkMayAct`: while it is false, nothing is launched, terminated, tagged or deleted. Reads are sent.
   */
  mayAct?: MayAct | undefined
}

/** One item of `provision check`. Without a problem, the item passed. */
export interface CheckItem {
  what: string
  problem?: Problem
  /** Why the item was skipped; a skipped item has not passed. */
  notChecked?: string
}

/** What each cloud's `request.ts` builds from: shared by launch and dry-run, without SDK, network or credentials. */
export interface RequestInput<C extends CommonProviderConfig = CommonProviderConfig> {
  config: C
  owner: Ownership
  setup: AgentSetup
  intent: LaunchOrder['intent']
}

// Requests to a provider, and results. Partial success is a result, not an exception.

/** A launch, recorded before it is requested. */
export interface Intent {
  /** UUID. Names and tokens are derived from it; a new attempt gets a new one. */
  id: string
  count: number
  /** In order of preference. A single call may offer several. */
  offerings: Offering[]
  /**
   * All instances are for one job that runs on all of them at once: a provider may place them near each other, and launch
   * all or none. Only where its definition `separatesGangs`; others may ignore it.
   */
  gang?: boolean
}

export interface LaunchOrder {
  intent: Intent
  owner: Ownership
  userData: UserData
}

export interface LaunchFailure {
  class: FailureClass
  /** The offering that failed; undefined when the whole call failed. */
  offering?: Offering
  /** VMs requested but not launched; 0 when an offering failed but another one replaced it. */
  missing: number
  problem: Problem
  /**
   * Nothing of this part of the launch can have taken effect: `mayAct` stopped its first request, or all that were sent before were
   * refused. Set only when that is certain.
   */
  notSent?: true
}

export interface LaunchResult {
  instances: Instance[]
  failures: LaunchFailure[]
}

export interface Listing {
  instances: Instance[]
  /** False when a page, zone or request failed. Nothing is terminated on the basis of such a listing. */
  complete: boolean
  problems: Problem[]
  /** Set if it is incomplete only because zones did not respond: their names, and which of `problems` says so. */
  silent?: { zones: string[]; problem: Problem }
  /**
   * The account that answered, if known: the AWS account id, the Google Cloud project. `find` determines it even when it
   * finds no instance, and when it is given no ids.
   */
  account?: string
  /** Time of the response by the cloud's clock (the `Date` header of RFC 9110), milliseconds since the epoch. */
  at?: number
}

export interface TerminateResult {
  /** Accepted by the cloud, or already gone. */
  terminated: string[]
  failures: { id: string; class: FailureClass; problem: Problem }[]
}

/** One API call, to be printed. User data, and values that only the cloud knows, are placeholders in `<>`. */
export interface CloudCall {
  /** The API call, such as `RunInstances`. */
  call: string
  body: Record<string, unknown>
}

/** The request that would be sent: what `--dry-run` shows. */
export interface LaunchRequest extends CloudCall {
  /** Where it is sent, if the body does not contain it: the AWS region. */
  region?: string
  /** Sent first, if what they create does not exist yet (a launch template, a placement group). */
  before?: CloudCall[]
  /** Sent in this order for the VMs that the cloud had no capacity for. */
  fallbacks?: CloudCall[]
  problems: Problem[]
}

// Managed VMs are those with our cluster tag and pool tag. No other property decides.

/** Tag keys on EC2; on GCE the same keys as labels, with `-` instead of `:`. */
export const ownerTags = {
  cluster: 'agent-provisioner:cluster',
  pool: 'agent-provisioner:pool',
  writer: 'agent-provisioner:writer',
  intent: 'agent-provisioner:intent',
} as const

export interface Ownership {
  clusterId: string
  pool: string
  writerId: string
}

export function ownerTagsOf(owner: Ownership, intentId: string): Record<string, string> {
  return {
    [ownerTags.cluster]: owner.clusterId,
    [ownerTags.pool]: owner.pool,
    [ownerTags.writer]: owner.writerId,
    [ownerTags.intent]: intentId,
  }
}
