// The owner of the plans of all pools, which are made again when the certificate or the configuration changes. The last
// good plans stay.

import { type MasterConfig, masterAddressOf } from '../config/index.ts'
import { keepsTrust, type TlsCredentials } from '../pki/index.ts'
import { type Clock, type Logger, limit, tellProblems } from '../platform/index.ts'
import { isError, type Problem, problem } from '../problems/index.ts'
import { type AnyProvider, type Ownership, resolveHost } from '../providers/index.ts'
import { type Identity, ownerOf } from './identity.ts'
import { isProvided, isReady, planPools, type ReadyPlan } from './prepare.ts'

export interface PoolPlans {
  names: string[]
  get(pool: string): ReadyPlan
  ownerOf(pool: string): Ownership
  /** Plans with the current certificate. A pool it does not fit keeps its plan; the problems give the reason. */
  renew(): Promise<Problem[]>
  /**
   * Plans with another configuration of the same pools. If a problem is an error, nothing changes; otherwise
   * `takeOver` is called, which puts that configuration in force.
   */
  use(config: MasterConfig, takeOver: () => void): Promise<Problem[]>
}

export interface PoolPlansInput {
  /** In force now; read again each time. */
  config: () => MasterConfig
  certificate: () => TlsCredentials | undefined
  identity: Identity
  /** What agents dial, by pool. */
  hosts: ReadonlyMap<string, string>
  now: () => number
  localAgent?: string[]
  /** Every kind of provider there is. */
  providers: readonly AnyProvider[]
}

/** There are plans only when every pool can be launched; warnings are in the problems too. */
export async function openPlans(input: PoolPlansInput): Promise<{ plans?: PoolPlans; problems: Problem[] }> {
  const { identity, hosts, localAgent, providers } = input
  const current = new Map<string, ReadyPlan>()
  // A certificate and a configuration that change at the same time must not overwrite each other.
  const oneByOne = limit(1)

  async function planBy(config: MasterConfig): Promise<{ ready: ReadyPlan[]; problems: Problem[] }> {
    const certificate = input.certificate()
    const common = { config, certificate, identity, hosts, localAgent, providers, now: input.now() }
    const plans = await planPools(config.resource_pools.filter(isProvided), common)
    return { ready: plans.filter(isReady), problems: plans.flatMap((plan) => plan.problems) }
  }
  function keep(plans: ReadyPlan[]): void {
    for (const plan of plans) current.set(plan.pool.pool_name, plan)
  }

  const { ready, problems } = await planBy(input.config())
  if (problems.some(isError)) return { problems }
  keep(ready)
  return {
    problems,
    plans: {
      names: [...current.keys()],
      get: (pool) => current.get(pool)!,
      ownerOf: (pool) => ownerOf(identity, pool),
      renew: () =>
        oneByOne(async () => {
          const { ready, problems } = await planBy(input.config())
          keep(ready)
          return problems
        }),
      use: (config, takeOver) =>
        oneByOne(async () => {
          const { ready, problems } = await planBy(config)
          if (problems.some(isError)) return problems
          takeOver()
          keep(ready)
          return problems
        }),
    },
  }
}

// What a renewed certificate means for VMs.

export interface Renewal {
  plans: Pick<PoolPlans, 'names' | 'get' | 'renew'>
  /** There are new plans: the next VMs are launched with them. */
  onPlanned: () => void
  logger: Logger
}

/** Embeds the certificate that is served now in new VMs. A failure is logged; nothing stops. */
export async function usePlansForLaunches(
  renewed: TlsCredentials,
  { plans, onPlanned, logger }: Renewal,
): Promise<void> {
  try {
    tellProblems(logger, strandedBy(renewed, plans))
    tellProblems(logger, await plans.renew())
    onPlanned()
    logger.info('new instances get the renewed certificate', { sha256: renewed.leaf.sha256 })
  } catch (error) {
    logger.error('the renewed certificate could not be prepared for new instances', { error })
  }
}

/** Agents trust what was embedded when they were launched; call this before the pools are planned again. */
function strandedBy(renewed: TlsCredentials, plans: Pick<PoolPlans, 'names' | 'get'>): Problem[] {
  const stranded = plans.names.filter((name) => {
    const { certificate, setup } = plans.get(name)
    return setup.trust.mode === 'embed' && certificate && !keepsTrust(certificate, renewed)
  })
  if (stranded.length === 0) return []
  return [
    problem(
      'TLS_RENEWED_UNDER_OTHER_ROOT',
      `running agents trust no certificate that signs the renewed one: running agents of ${stranded.join(', ')} cannot connect again`,
    ),
  ]
}

// The address agents dial where the configuration names an alias, such as `local-ipv4`: read from the cloud's metadata server.

export interface DialledHostsInput {
  config: MasterConfig
  providers: readonly AnyProvider[]
  env: Readonly<Record<string, string | undefined>>
  clock: Clock
}

/** Host by pool name. Throws CLOUD_METADATA_UNAVAILABLE when an alias cannot be resolved on this machine. */
export async function dialledHosts({
  config,
  providers,
  env,
  clock,
}: DialledHostsInput): Promise<Map<string, string>> {
  const hosts = new Map<string, string>()
  for (const pool of config.resource_pools.filter(isProvided)) {
    const { host } = masterAddressOf(config, pool, { providers }).address
    hosts.set(pool.pool_name, await resolveHost(host, providers, { fetch: globalThis.fetch, clock, env }))
  }
  return hosts
}
