// Demand of a Determined master, over its REST API: what is asked is read anew, and a slow look around tells of changes.

import type { MasterConfig } from '../../config/master-config.ts'
import type { Demand } from '../../planner/demand.ts'
import type { Clock, Logger } from '../../platform/ports.ts'
import { isError, type Problem, ProvisionError, problem } from '../../problems/problem.ts'
import type { DemandSource } from '../source.ts'
import { createApi } from './api.ts'
import { createChanges } from './changes.ts'
import { createDrains } from './drains.ts'
import { endpointOf } from './endpoint.ts'
import { createLimitReader } from './job-limits.ts'
import { fileWarnings } from './login.ts'
import { createLooker } from './looker.ts'
import { watchOutage } from './outage.ts'
import { poolRefusal } from './refusals.ts'
import { type MasterFacts, openSession } from './session.ts'
import { demandOf } from './to-demand.ts'

export interface DeterminedDemandOptions {
  config: Pick<MasterConfig, 'file' | 'port' | 'security' | 'demand'>
  /** Ours, for the master's log. */
  version?: string
  clock: Clock
  /** From 0 up to 1. */
  random: () => number
  logger: Logger
  /** Milliseconds between two looks of our own, while the master is quick; default 2 s. */
  lookEvery?: number
  /** Milliseconds for one request; default 10 s. */
  timeoutMs?: number
}

export interface DeterminedDemand extends DemandSource {
  /** What anybody may know of the master: its version and cluster id. Throws why it does not answer. */
  facts(signal?: AbortSignal): Promise<MasterFacts>
  /** Everything wrong with the master, the login and these pools; never throws. Pools are run in spite of warnings. */
  check(pools: readonly string[], signal?: AbortSignal): Promise<Problem[]>
  /** Why the master cannot be used now; undefined while it can. */
  outage(): Problem | undefined
}

/** Opens no connection yet. */
export function determinedDemand(options: DeterminedDemandOptions): DeterminedDemand {
  const { config, version, clock, random, logger, lookEvery = 2_000, timeoutMs = 10_000 } = options
  const session = openSession({
    endpoint: () => endpointOf(config, clock.now()),
    login: config.demand,
    userAgent: version === undefined ? 'provision' : `provision/${version}`,
    timeoutMs,
  })
  const api = createApi(session)
  const closed = new AbortController()
  const outage = watchOutage({ clock, random, logger, signal: closed.signal })
  const looker = createLooker({
    api,
    limits: createLimitReader(api, clock),
    clock,
    outage,
    signal: closed.signal,
  })
  const changes = createChanges({ looker, outage, clock, random, logger, lookEvery, signal: closed.signal })
  const drains = createDrains(api, looker)

  return {
    kind: 'determined',
    async read(pool, signal): Promise<Demand> {
      const { view, memory } = await looker.look(pool, signal)
      const refusal = poolRefusal(pool, view)
      if (refusal) throw new ProvisionError(refusal)
      return demandOf(pool, view, memory)
    },
    onChange: changes.onChange,
    drain: drains.drain,
    undrain: drains.undrain,
    facts: (signal) => session.facts(signal),
    outage: () => outage.problem(),
    async check(pools, signal) {
      const problems: Problem[] = []
      try {
        problems.push(...session.endpoint().warnings, ...fileWarnings(config.demand))
        if ((await api.isAdmin(signal)) === false)
          problems.push(problem('DETERMINED_NOT_ADMIN', `${config.demand.user ?? 'the user'} is no admin`))
        for (const pool of pools) {
          const refusal = poolRefusal(pool, (await looker.look(pool, signal)).view)
          if (refusal) problems.push(refusal)
        }
      } catch (error) {
        if (!(error instanceof ProvisionError)) throw error
        problems.push(...error.problems.filter(isError))
      }
      return problems
    },
    async close() {
      if (closed.signal.aborted) return
      closed.abort(new Error('the source of demand is closed'))
      await session.close()
    },
  }
}
