// The definition of a provider: everything the rest of the program needs to know about a cloud, in one object.

import type { AgentFacts, Machine } from '../agent-setup/index.ts'
import type { CommonProviderConfig, ProviderBlock } from '../config/index.ts'
import type { Offering } from '../planner/index.ts'
import { type MetadataOptions, neededValue } from '../platform/index.ts'
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

/**
 * One for each cloud, and one for this machine. `C` is its block of the configuration after defaults and rules; the
 * members of `ProviderBlock` read it and say what it may hold (`providerBlock` makes them from a schema).
 *
 * Loading the file of a definition loads no SDK: only `open` and `check` do, behind `import()`. Everything else is
 * plain: no network, clock, environment or file.
 */
export interface ProviderDefinition<C extends CommonProviderConfig = CommonProviderConfig>
  extends ProviderBlock<C>,
    Pick<Machine, 'meaning' | 'partial' | 'userData'> {
  /** As people call it in a sentence, such as `Google Cloud`. */
  readonly name: string

  /**
   * Keys that locate the VMs. After a change the existing VMs would be orphaned, so a running provisioner does not apply
   * such a change. `type` always counts.
   */
  readonly identityKeys: readonly (keyof C & string)[]

  /** VMs are processes on this machine, and are terminated when the provider is closed. Otherwise they keep running. */
  readonly onThisMachine: boolean

  /** Milliseconds, from 0, for which a complete listing may not show a VM that was launched. Asked by the fleet loop. */
  readonly visibilityMs: number

  /** The ways to buy a VM, at least one, in the order they are tried: the planner chooses among them. */
  offerings(config: C): Offering[]

  /** What the startup script has to know of agents here. `ownAgent`: how this program itself is started as an agent. */
  agent(config: C, ownAgent: readonly string[]): AgentFacts

  /** What a launch would send, from what is known offline: a dry run prints it. */
  request(input: RequestInput<C>): LaunchRequest

  /** What `GET /api/v1/resource-pools` tells of such a pool. */
  resourcePool(config: C): ResourcePoolFacts

  /** What one of `hostAliases` stands for on the machine this program runs on; undefined when it has none. */
  resolveAlias?(alias: string, options: MetadataOptions): Promise<string | undefined>

  /**
   * The least rights that launching these pools needs, in the cloud's own form: `provision check --print-iam-policy`.
   * `clusterId` throws CLUSTER_ID_UNKNOWN before the first start of a configuration that names none.
   */
  leastRights?(pools: readonly C[], clusterId: () => string): Promise<object>

  /** The cloud, ready for the calls of one pool. Rejects with a ProvisionError when the pool can never be run. */
  open(context: ProviderContext<C>): Promise<Provider>

  /** What the tag of its instances shows of a pool's name, where that is not the name itself. */
  poolShownAs?(pool: string): string

  /**
   * The instances of a whole cluster at a location that `Provider.location` once named: also those of pools that the
   * configuration does not name any more. Without it, such instances are not found.
   */
  openCluster?(location: Location, context: ClusterContext): Promise<ClusterProvider>

  /**
   * Asks the cloud whether a launch would go well, without launching: permissions, image, network, types. What has no
   * answer when `signal` is aborted is an item with the problem that is its reason; the other items are told all the same.
   */
  check?(context: ProviderContext<C>, offerings: Offering[], signal?: AbortSignal): Promise<CheckItem[]>
}

/** The words of Determined's API for a pool (Determined: proto/src/determined/resourcepool/v1/resourcepool.proto). */
export interface ResourcePoolFacts {
  /** Such as `RESOURCE_POOL_TYPE_AWS`; of a cloud that Determined does not know, `RESOURCE_POOL_TYPE_STATIC`. */
  type: string
  /** Region or zone; empty when it is not known offline, or there is none. */
  location: string
  /** The first to be tried; empty when there is none. */
  instanceType: string
  /** Of that type. */
  slotsPerAgent: number
  /** VMs may be interrupted by the cloud. */
  preemptible: boolean
}

/**
 * A definition whose block is known only while its own functions run. That a function is given a block of its own kind
 * is held by `definitionOf`, which finds the definition by the block.
 */
export interface AnyProvider extends Omit<ProviderDefinition, 'identityKeys'> {
  readonly identityKeys: readonly string[]
}

/** The one a block was read by. Throws a TypeError for a configuration that was read with other providers. */
export function definitionOf(providers: readonly AnyProvider[], config: { type: string }): AnyProvider {
  const own = providers.find(({ kind }) => kind === config.type)
  if (own) return own
  throw new TypeError(`unknown provider type ${JSON.stringify(config.type)}`)
}

/** These and those; throws a TypeError where two are of one kind. */
export function withProviders(
  known: readonly AnyProvider[],
  more: readonly AnyProvider[] = [],
): readonly AnyProvider[] {
  const all = [...known, ...more]
  const twice = all.find(({ kind }, index) => all.findIndex((other) => other.kind === kind) !== index)
  if (!twice) return all
  throw new TypeError(`duplicate provider type ${JSON.stringify(twice.kind)}`)
}

/** The kinds of machines in the words of startup scripts. */
export function machineOf({ kind, meaning, partial, userData }: AnyProvider): Machine {
  return { kind, meaning, partial, userData }
}

/**
 * The address behind a host alias such as `local-ipv4`; any other host comes back as it is, without a request
 * (Determined: provconfig/config.go). Throws CLOUD_METADATA_UNAVAILABLE when this machine is not on the alias's cloud, or
 * has no such address: agents can dial no alias.
 */
export async function resolveHost(
  host: string,
  providers: readonly AnyProvider[],
  options: MetadataOptions,
): Promise<string> {
  const owner = providers.find(({ hostAliases }) => Object.hasOwn(hostAliases, host))
  return owner?.resolveAlias ? neededValue(host, owner.resolveAlias(host, options)) : host
}
