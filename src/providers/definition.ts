// The definition of a provider: everything the rest of the program needs to know about a cloud, in one object.

import type { AgentFacts, Machine, MachineProof } from '../agent-setup/index.ts'
import type { CommonProviderConfig, ProviderBlock } from '../config/index.ts'
import type { CapacityType, Offering } from '../planner/index.ts'
import { type MetadataOptions, neededValue } from '../platform/index.ts'
import type { Problem } from '../problems/index.ts'
import type {
  CheckItem,
  ClusterContext,
  ClusterProvider,
  LaunchRequest,
  Location,
  Provider,
  ProviderContext,
  RequestInput,
} from './contract.ts'
import type { JoinProofContext, JoinProofVerifier } from './join-proof.ts'

/**
 * One for each cloud, and one for this machine. `C` is its configuration block after defaults and rules; the members of
 * `ProviderBlock` parse and validate it (`providerBlock` makes them from a schema).
 *
 * Loading the file of a definition loads no SDK: only `open` and `check` do, behind `import()`. Everything else uses no
 * network, clock, environment or file.
 */
export interface ProviderDefinition<C extends CommonProviderConfig = CommonProviderConfig>
  extends ProviderBlock<C>,
    Pick<Machine, 'meaning' | 'partial' | 'userData'> {
  /** The part of the script that makes its proofs (`MachineProof`), where it has `proofKinds`. */
  readonly proofPartial?: MachineProof['template']
  /** The display name, such as `Google Cloud`. */
  readonly name: string

  /**
   * Keys that locate the VMs. After a change the existing VMs would be orphaned, so a running provisioner does not apply
   * such a change. `type` always counts.
   */
  readonly identityKeys: readonly (keyof C & string)[]

  /**
   * Paths of keys, such as `rollout.images`, that a running loop applies at once for other providers, but that decide what a
   * launch of this one sends: a change of them restarts the pool's loop. Default: none.
   */
  readonly launchKeys?: readonly string[]

  /**
   * VMs are processes on this machine and are terminated when the provider is closed; those of other providers keep
   * running.
   */
  readonly onThisMachine: boolean

  /** Milliseconds, from 0, for which a complete listing may miss a launched VM. Used by the fleet loop. */
  readonly visibilityMs: number

  /**
   * Instances of one launch for jobs at most; the rest follows when it was answered. Default: any number. For clouds that
   * recommend small requests, or whose answers contain every instance in full.
   */
  readonly largestLaunch?: number

  /** The ways to buy a VM, at least one, in the order they are tried; the planner chooses among them. */
  offerings(config: C): Offering[]

  /**
   * Whether each job that needs several instances gets a launch of its own (`Intent.gang`), so that the provider can place
   * its instances near each other. Default: jobs share launches, which need fewer calls.
   */
  separatesGangs?(config: C): boolean

  /**
   * What instances of the pool are made from, beside their user data: an instance that was made from something else is drifted
   * (docs/rollouts.md). Default: every key of its own but `identityKeys`.
   */
  madeFrom?(config: C): MadeFrom

  /** Facts about agents that the startup script needs. `ownAgent`: the command that starts this program as an agent. */
  agent(config: C, ownAgent: readonly string[]): AgentFacts

  /** What a launch would send, as far as it is known offline: a dry run prints it. */
  request(input: RequestInput<C>): LaunchRequest

  /** What `GET /api/v1/resource-pools` returns for such a pool. */
  resourcePool(config: C): ResourcePoolFacts

  /** The address for one of `hostAliases` on the host of the provisioner; undefined when it has none. */
  resolveAlias?(alias: string, options: MetadataOptions): Promise<string | undefined>

  /**
   * The minimal permissions for launching these pools, in the cloud's own format: `provision check --print-iam-policy`.
   * `clusterId` throws CLUSTER_ID_UNKNOWN when the configuration sets no cluster id and was never started.
   */
  leastRights?(pools: readonly C[], clusterId: () => string): Promise<object>

  /** Opens the cloud for the calls of one pool. Rejects with a ProvisionError when the pool can never be run. */
  open(context: ProviderContext<C>): Promise<Provider>

  /** The pool's name as the tag of its instances shows it, where that differs from the name. */
  poolShownAs?(pool: string): string

  /**
   * The instances of a whole cluster at a location that `Provider.location` returned earlier, including those of pools
   * that are no longer configured. Without it, such instances are not found.
   */
  openCluster?(location: Location, context: ClusterContext): Promise<ClusterProvider>

  /** A verifier for each kind of proof that the pool accepts (`acceptedProofs`). Asks nothing before the first proof. */
  joinProofs?(config: C, context: JoinProofContext): JoinProofVerifier[]

  /** Why instances of the pool could not make the proofs that it requires, as far as it is known offline. */
  joinProblems?(config: C): Problem[]

  /** URLs of the cloud's APIs that the pool's calls go to, as far as they are known offline. Throws a ProvisionError. */
  endpoints?(config: C, env: ProviderContext['env']): Promise<string[]>
  /**
   * Asks the cloud whether a launch would succeed, without launching: permissions, image, network, types. A check that is
   * unanswered when `signal` is aborted is an item with that reason as its problem; all other items are still reported.
   */
  check?(context: ProviderContext<C>, offerings: Offering[], signal?: AbortSignal): Promise<CheckItem[]>
}

/** Without what only limits how many instances there are, or how they are watched. */
export interface MadeFrom {
  /**
   * By the key that a person would change. Settings that can be written in several ways have the same value in each of them;
   * undefined: not set.
   */
  keys: Readonly<Record<string, unknown>>
  /** The same, for instances of one capacity type only. */
  ofCapacity?: Readonly<Partial<Record<CapacityType, Readonly<Record<string, unknown>>>>>
  chosenBy?: ChosenBy
}

/**
 * Keys whose value is one of several, so that an instance is compared with all offerings of the pool. What has no key here is not
 * compared.
 */
export interface ChosenBy {
  instanceType?: string
  /** For an instance whose `offeredZone` is not offered any more. */
  zone?: string
  /** For a spot instance while no spot capacity is offered, and the other way round. */
  spot?: string
  /** For an on-demand instance while only reserved capacity is offered. */
  reserved?: string
  /** For an instance whose `image` is not `Provider.newestImage`. */
  image?: string
}

/** A pool in terms of Determined's API (Determined: proto/src/determined/resourcepool/v1/resourcepool.proto). */
export interface ResourcePoolFacts {
  /** Such as `RESOURCE_POOL_TYPE_AWS`; `RESOURCE_POOL_TYPE_STATIC` for a cloud that Determined does not support. */
  type: string
  /** Region or zone; empty when it is not known offline, or there is none. */
  location: string
  /** The type that is tried first; empty when there is none. */
  instanceType: string
  /** Slots of an agent of that type. */
  slotsPerAgent: number
  /** The cloud may interrupt VMs. */
  preemptible: boolean
}

/**
 * A definition whose type of block is known only to its own functions. `definitionOf` ensures that they are given a
 * block of that type: it finds the definition by the block.
 */
export interface AnyProvider extends Omit<ProviderDefinition, 'identityKeys'> {
  readonly identityKeys: readonly string[]
}

/** The definition that parsed a block. Throws a TypeError for a configuration that was parsed with other providers. */
export function definitionOf(providers: readonly AnyProvider[], config: { type: string }): AnyProvider {
  const own = providers.find(({ kind }) => kind === config.type)
  if (own) return own
  throw new TypeError(`unknown provider type ${JSON.stringify(config.type)}`)
}

/** Joins both lists; throws a TypeError for two definitions of the same kind. */
export function withProviders(
  known: readonly AnyProvider[],
  more: readonly AnyProvider[] = [],
): readonly AnyProvider[] {
  const all = [...known, ...more]
  const twice = all.find(({ kind }, index) => all.findIndex((other) => other.kind === kind) !== index)
  if (!twice) return all
  throw new TypeError(`duplicate provider type ${JSON.stringify(twice.kind)}`)
}

/** A provider's kind of machine, as the startup scripts need it. */
export function machineOf({
  kind,
  meaning,
  partial,
  userData,
  proofKinds,
  proofPartial,
}: AnyProvider): Machine {
  const proof = proofPartial && { kinds: proofKinds, template: proofPartial }
  return { kind, meaning, partial, userData, ...(proof && { proof }) }
}

/**
 * The address behind a host alias such as `local-ipv4`; any other host is returned unchanged, without a request
 * (Determined: provconfig/config.go). Throws CLOUD_METADATA_UNAVAILABLE when this host is not on the alias's cloud, or
 * has no such address, because agents cannot connect to an alias.
 */
export async function resolveHost(
  host: string,
  providers: readonly AnyProvider[],
  options: MetadataOptions,
): Promise<string> {
  const owner = providers.find(({ hostAliases }) => Object.hasOwn(hostAliases, host))
  return owner?.resolveAlias ? neededValue(host, owner.resolveAlias(host, options)) : host
}
