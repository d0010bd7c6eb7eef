// What a provider needs so that the contract can test it: an endpoint, and ways to cause faults.
import type { ClusterProvider, LaunchOrder, Ownership, Provider } from '../providers/index.ts'

/**
 * What the endpoint behind a provider can simulate. A clause whose needs are not met is skipped and printed.
 * - `max_count`: one launch can return several VMs
 * - `token_idempotency`: remembers the tokens or names of launches
 * - `partial_launch`: can launch some of the requested VMs and refuse the rest
 * - `capacity_errors`: can be out of stock for one offering
 * - `size_limit`: refuses user data above the cloud's limit
 * - `late_visibility`: can keep new VMs out of listings for a while
 * - `foreign_vms`: can contain VMs that no provisioner launched
 * - `broken_listing`: can fail while it lists
 * - `self_ending`: VMs can stop by themselves
 * - `console`: returns the output of a VM
 * - `vms_outlive_close`: VMs keep running when the provider is closed; without it they must be terminated (`local`)
 */
export const abilities = [
  'max_count',
  'token_idempotency',
  'partial_launch',
  'capacity_errors',
  'size_limit',
  'late_visibility',
  'foreign_vms',
  'broken_listing',
  'self_ending',
  'console',
  'vms_outlive_close',
] as const

/**
 * Optional members of a provider.
 * - `find`: `Provider.find`
 * - `account`: listings report the account, and the harness can change it
 * - `cloud_time`: listings report the time of the cloud's answer
 * - `traces`: `Provider.hasTraces`
 * - `clusters`: `ProviderDefinition.openCluster`, and `Provider.location`
 * - `shared_listing`: `Provider.partOf`, beside `clusters`
 * - `gangs`: launches of gangs make something besides instances, and `ClusterProvider.deleteUnused` deletes it
 */
export const optionalAbilities = [
  'find',
  'account',
  'cloud_time',
  'traces',
  'clusters',
  'shared_listing',
  'gangs',
] as const

export type Ability = (typeof abilities)[number] | (typeof optionalAbilities)[number]

/** Optional members are required only for the abilities that the harness claims. */
export interface ProviderHarness {
  /** Opened for `owner`, with an empty cloud. */
  provider: Provider
  owner: Ownership
  /** A provider for the same cloud: as after a restart, or for another owner. Closed with the harness. */
  open(owner: Ownership): Promise<Provider>
  /** An order the cloud can fulfil, with a new intent, by default for `owner`. */
  order(count: number, owner?: Ownership): LaunchOrder
  /** A type the cloud knows, and the slots an agent on it has. */
  knownType: { instanceType: string; slots: number }
  /** An unused id in the format of this cloud, so that the cloud, not a format check, reports that it does not exist. */
  unknownId: string
  /** The id that an agent on this VM would use, determined as on the VM. */
  agentId(id: string): Promise<string>
  /** Stops everything, including the endpoint. */
  dispose(): Promise<void>

  /** Makes the cloud refuse the VMs of this order after the first `count`. */
  partialLaunch?(order: LaunchOrder, count: number): unknown
  /** Makes the order's first offering run out of stock, after `count` VMs. The order has at least two offerings. */
  outOfStock?(order: LaunchOrder, count: number): void
  hideNewInstances?(): void
  /** Creates a VM without the tags of the pool and returns its id. */
  foreignInstance?(): Promise<string>
  breakListing?(): void
  endInstance?(id: string): Promise<void>
  printOnConsole?(id: string, text: string): Promise<void>
  /** The account that listings report. */
  account?: string
  /** Changes to credentials of another account, and returns that account. */
  changeAccount?(): string | Promise<string>
  /** Opens the cluster of this id at the location of `provider`. The clause closes it. */
  openCluster?(clusterId: string): Promise<ClusterProvider>
}

export interface ProviderSubject {
  can: readonly Ability[]
  open(): Promise<ProviderHarness>
}

const shownBy: Partial<Record<Ability, keyof ProviderHarness>> = {
  partial_launch: 'partialLaunch',
  capacity_errors: 'outOfStock',
  late_visibility: 'hideNewInstances',
  foreign_vms: 'foreignInstance',
  broken_listing: 'breakListing',
  self_ending: 'endInstance',
  console: 'printOnConsole',
  account: 'changeAccount',
  clusters: 'openCluster',
}

/** Throws a TypeError when the harness lacks the member for a claimed ability. */
export function checkHarness(harness: ProviderHarness, can: readonly Ability[]): void {
  for (const ability of can) {
    const member = shownBy[ability]
    if (member && !harness[member])
      throw new TypeError(`for the ability ${ability}, the harness needs the member ${member}`)
  }
}
