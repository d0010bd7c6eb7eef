// Demand of a Determined master: looked at before the pools are run, so that what can never work is said at once.

import type { ProvidedPool } from '../agent-setup/pool-trust.ts'
import type { MasterConfig } from '../config/master-config.ts'
import { endpointOf } from '../demand/determined/endpoint.ts'
import { warningsFor } from '../demand/determined/refusals.ts'
import { type DeterminedDemand, determinedDemand } from '../demand/determined/source.ts'
import type { Clock, Logger } from '../platform/ports.ts'
import { tellProblems } from '../platform/tell-problems.ts'
import type { ProblemCode } from '../problems/codes.ts'
import { isError, type Problem, ProvisionError } from '../problems/problem.ts'
import { offeringsOf } from '../providers/offerings.ts'
import { holdPlaceholder } from '../standalone/agent/placeholder.ts'
import type { DemandContext, OpenedDemand } from './demand.ts'
import { isProvided } from './prepare.ts'
import { knownClusterId } from './state.ts'

/** What passes by itself: the pools are held until it has. */
const passing: readonly ProblemCode[] = ['DETERMINED_UNREACHABLE', 'DETERMINED_FAULT']

/** Throws a ProvisionError when no pool could ever be run for this master. */
export async function openDeterminedDemand(context: DemandContext): Promise<OpenedDemand> {
  const provided = context.config.resource_pools.filter(isProvided)
  const source = sourceOf(context)
  const pools = provided.map((pool) => pool.pool_name)
  const { demand } = context.config
  const problems = [...provided.flatMap((pool) => warningsFor(pool, demand)), ...(await source.check(pools))]
  if (isHopeless(problems, pools)) {
    await source.close()
    throw new ProvisionError(problems)
  }
  tellProblems(context.logger, problems)
  const leave = demand.placeholder_agent ? provided.flatMap((pool) => holdOpen(pool, source, context)) : []
  return {
    source,
    async close() {
      await Promise.all(leave.map((stop) => stop()))
      await source.close()
    },
  }
}

/** Nothing where the pool always has a VM, or none of its VMs has a slot. */
function holdOpen(
  { pool_name: pool, provider }: ProvidedPool,
  source: DeterminedDemand,
  { config, version, clock, logger }: DemandContext,
): (() => Promise<void>)[] {
  const slots = Math.max(...offeringsOf(provider).map((offering) => offering.slots))
  if (provider.min_instances > 0 || slots === 0) return []
  const endpoint = () => endpointOf(config, clock.now())
  return [holdPlaceholder({ pool, slots, endpoint, source, version, clock, logger })]
}

/** Something is wrong with the master or the login, or with each of the pools. */
function isHopeless(problems: Problem[], pools: string[]): boolean {
  const lasting = problems.filter((problem) => isError(problem) && !passing.includes(problem.code))
  const refused = new Set(lasting.flatMap(({ details }) => (details?.['pool'] ? [details['pool']] : [])))
  return (
    lasting.some(({ details }) => !details?.['pool']) || (refused.size > 0 && refused.size === pools.length)
  )
}

/** The same questions without running anything, and which master answered them. */
export async function checkDeterminedDemand(
  context: SourceContext,
): Promise<{ note?: string; problems: Problem[] }> {
  const { config } = context
  const provided = config.resource_pools.filter(isProvided)
  const source = sourceOf(context)
  try {
    const problems = await source.check(provided.map((pool) => pool.pool_name))
    problems.push(...provided.flatMap((pool) => warningsFor(pool, config.demand)))
    if (problems.some(isError)) return { problems }
    const { version, clusterName, clusterId } = await source.facts()
    return { note: `Determined ${version}, cluster ${clusterName || clusterId}`, problems }
  } catch (error) {
    if (error instanceof ProvisionError) return { problems: error.problems }
    throw error
  } finally {
    await source.close()
  }
}

interface SourceContext {
  config: MasterConfig
  version?: string
  clock: Clock
  logger: Logger
}

function sourceOf({ config, version, clock, logger }: SourceContext): DeterminedDemand {
  return determinedDemand({ config, version, clock, random: Math.random, logger })
}

/**
 * The master's own cluster id, so that every provisioner beside it knows the VMs of the others. Asked once, before the
 * first start; undefined where an id is known already. Throws why the master does not answer.
 */
export async function learnClusterId(context: SourceContext): Promise<string | undefined> {
  const { config } = context
  if (config.demand.type !== 'determined' || knownClusterId(config)) return undefined
  const source = sourceOf(context)
  try {
    const { clusterId } = await source.facts()
    return /^[a-z0-9](?:[a-z0-9_-]{0,61}[a-z0-9])?$/.test(clusterId) ? clusterId : undefined
  } catch (error) {
    const [found] = error instanceof ProvisionError ? error.problems : []
    if (!found || !passing.includes(found.code)) throw error
    const remedy =
      'The first start needs the master, for its cluster id. Start the master, or set cluster_id.'
    throw new ProvisionError({ ...found, remedy })
  } finally {
    await source.close()
  }
}
