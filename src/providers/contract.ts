// The contract every cloud (and this machine) fulfils. test/contract/provider-contract.ts holds what it means.
import type { AgentSetup } from '../agent-setup/setup.ts'
import type { Stage } from '../agent-setup/stages.ts'
import type { ProviderConfig, ProviderKind } from '../config/provider-config.ts'
import type { MasterAddress } from '../pki/master-address.ts'
import type { Offering } from '../planner/instance.ts'
import type { Clock, Logger } from '../platform/ports.ts'
import type { Problem } from '../problems/problem.ts'
import type { LaunchOrder, LaunchRequest, LaunchResult, Listing, TerminateResult } from './launch.ts'
import type { Ownership } from './ownership.ts'

export interface Provider {
  readonly kind: ProviderKind

  /** Everything we own in the pool, every page. Never throws for what the cloud answers: see `Listing.complete`. */
  list(signal?: AbortSignal): Promise<Listing>

  /** Launches up to `order.intent.count` VMs. The same intent never gives more than that, however often it is sent. */
  launch(order: LaunchOrder, signal?: AbortSignal): Promise<LaunchResult>

  /** Ends VMs we own in the pool. Ids that are unknown or gone count as terminated; foreign ones are refused. */
  terminate(ids: string[], signal?: AbortSignal): Promise<TerminateResult>

  /** Slots an agent on this instance type has, or undefined when the cloud does not know the type. */
  slotsOf(instanceType: string, signal?: AbortSignal): Promise<number | undefined>

  /** The last stage the VM's script reported, or undefined when nothing can be read. */
  consoleStage(id: string, signal?: AbortSignal): Promise<Stage | undefined>

  /** Frees connections and timers. VMs are left running, except by `local`, which ends its processes. */
  close(): Promise<void>
}

export interface ProviderContext {
  config: ProviderConfig
  owner: Ownership
  /** Where agents of the pool dial the master: VMs are tagged with it. */
  master: MasterAddress
  /** Absolute; the pool's own folder under `state_dir`. */
  stateDir: string
  /** The provisioner's own environment; what of it reaches a VM is the provider's decision. */
  env: Readonly<Record<string, string | undefined>>
  clock: Clock
  logger: Logger
}

/** One thing `provision check` has looked at. Without a problem it is as it should be. */
export interface CheckItem {
  what: string
  problem?: Problem
  /** Why nobody looked: never to be taken for passed. */
  notChecked?: string
}

/** What a provider folder exports; the registry loads it only when a pool needs it. */
export interface ProviderModule {
  create(context: ProviderContext): Promise<Provider>

  /** Asks the cloud whether a launch would go well, without launching: permissions, image, network, types. */
  check?(context: ProviderContext, offerings: Offering[], signal?: AbortSignal): Promise<CheckItem[]>
}

/** What each cloud's `request.ts` builds from: shared by launch and dry-run, without SDK, network or credentials. */
export interface RequestInput<C extends ProviderConfig> {
  config: C
  owner: Ownership
  setup: AgentSetup
  intent: LaunchOrder['intent']
}

export type BuildRequest<C extends ProviderConfig> = (input: RequestInput<C>) => LaunchRequest
