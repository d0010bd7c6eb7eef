// What a provider needs so that the contract can test it: an endpoint, and ways to cause faults.
import type { ClusterProvider, LaunchOrder, Ownership, Provider } from '../providers/index.ts'

/**
 * What the endpoint behind a provider can show. A clause whose needs are not met is skipped, and printed by name.
 * - `max_count`: one launch gives as many VMs as it asks for
 * - `token_idempotency`: remembers the tokens or names of launches
 * - `partial_launch`: can give some of the VMs asked for and refuse the rest
 * - `capacity_errors`: can be out of stock for one offering
 * - `size_limit`: refuses user data above the cloud's limit
 * - `late_visibility`: can keep new VMs out of listings for a while
 * - `foreign_vms`: can hold VMs that nobody's provisioner launched
 * - `broken_listing`: can fail while it lists
 * - `self_ending`: VMs can end by themselves
 * - `console`: gives back what a VM printed
 * - `vms_outlive_close`: VMs run on when the provider is closed; without it the opposite is the promise (`local`)
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
 * What a provider has that may be left out of the contract.
 * - `find`: `Provider.find`
 * - `account`: listings tell which account answered, which a harness can change
 * - `cloud_time`: listings tell when the cloud answered
 * - `traces`: `Provider.hasTraces`
 * - `clusters`: `ProviderDefinition.openCluster`, and `Provider.location`
 */
export const optionalAbilities = ['find', 'account', 'cloud_time', 'traces', 'clusters'] as const

export type Ability = (typeof abilities)[number] | (typeof optionalAbilities)[number]

/** What can be left out is needed only by harnesses that claim an ability it shows. */
export interface ProviderHarness {
  /** Opened for `owner`, over an empty cloud. */
  provider: Provider
  owner: Ownership
  /** A provider over the same cloud: as after a restart, or for another owner. Closed with the harness. */
  open(owner: Ownership): Promise<Provider>
  /** An order the cloud can fulfil, with a new intent, for `owner` unless it says otherwise. */
  order(count: number, owner?: Ownership): LaunchOrder
  /** A type the cloud knows, and the slots an agent on it has. */
  knownType: { instanceType: string; slots: number }
  /** Shaped like an id of this cloud, so that the cloud, and not a look at the id, has to say that there is no such VM. */
  unknownId: string
  /** What an agent on this VM calls itself, as the VM itself would find out. */
  agentId(id: string): Promise<string>
  /** Ends everything, the endpoint too. */
  dispose(): Promise<void>

  /** Makes the cloud refuse the VMs of this order after the first `count`. */
  partialLaunch?(order: LaunchOrder, count: number): unknown
  /** Makes the order's first offering run out of stock, after `count` VMs. The order has at least two offerings. */
  outOfStock?(order: LaunchOrder, count: number): void
  hideNewInstances?(): void
  /** Makes a VM without our tags and tells its id. */
  foreignInstance?(): Promise<string>
  breakListing?(): void
  endInstance?(id: string): Promise<void>
  printOnConsole?(id: string, text: string): Promise<void>
  /** What listings tell as the account. */
  account?: string
  /** Makes the credentials those of another account, and tells which. */
  changeAccount?(): string | Promise<string>
  /** Where `provider` is, for the cluster of this id. Closed by the clause. */
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

/** Throws a TypeError where an ability is claimed that the harness has no way to show. */
export function checkHarness(harness: ProviderHarness, can: readonly Ability[]): void {
  for (const ability of can) {
    const member = shownBy[ability]
    if (member && !harness[member])
      throw new TypeError(`to show ${ability}, the harness has to have ${member}`)
  }
}
