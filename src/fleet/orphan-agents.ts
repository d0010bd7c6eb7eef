// The agents of orphans: their state at the master, draining and undraining.

import type { DemandSource } from '../demand/index.ts'
import type { Orphan, OrphanView } from '../planner/index.ts'
import { type Clock, type Logger, withDeadline } from '../platform/index.ts'
import { ProvisionError } from '../problems/index.ts'
import { callDeadlines } from './run.ts'

export interface OrphanAgentsDeps {
  demand: DemandSource
  /** Which agents are drained as orphans, kept across restarts; each change resolves when it is stored. */
  drained?: {
    drained(): ReadonlySet<string>
    addDrained(ids: readonly string[]): Promise<void>
    removeDrained(ids: readonly string[]): Promise<void>
  }
  clock: Clock
  logger: Logger
}

export interface OrphanAgents {
  /** The master's view of each, by its pool. A pool the master does not have shows no agent. */
  viewsOf(orphans: readonly Orphan[]): Promise<Map<string, OrphanView>>
  drain(orphan: Orphan): Promise<void>
  /** Those that are drained; where the master does not answer, they stay as they are. */
  giveBack(orphans: readonly Orphan[]): Promise<void>
  /** Agents drained as orphans by an earlier process whose pool is configured again: nothing else would undrain them. */
  giveBackConfigured(ids: readonly string[]): Promise<void>
  /** They are terminated: there is nothing to undrain. */
  forget(ids: readonly string[]): Promise<void>
}

export function createOrphanAgents({ demand, drained, clock, logger }: OrphanAgentsDeps): OrphanAgents {
  /** Drains that were sent, and neither undone nor followed by a termination. */
  const sent = new Set<string>()

  async function viewsOf(orphans: readonly Orphan[]): Promise<Map<string, OrphanView>> {
    const views = new Map<string, OrphanView>()
    for (const pool of new Set(orphans.map((orphan) => orphan.pool))) {
      const from = clock.now()
      const demand = await readPool(pool)
      const took = clock.now() - from
      if (!demand) continue
      const agents = new Map(demand.agents.map((agent) => [agent.id, agent]))
      for (const { id } of orphans.filter((orphan) => orphan.pool === pool))
        views.set(id, { at: demand.at, took, agent: agents.get(id) })
    }
    return views
  }

  async function readPool(pool: string) {
    try {
      return await withDeadline(clock, callDeadlines.demand, 'the master', (signal) =>
        demand.read(pool, signal),
      )
    } catch (error) {
      const isUnknown = error instanceof ProvisionError && error.problems[0]?.code === 'MASTER_POOL_UNKNOWN'
      return isUnknown ? { at: clock.now(), agents: [] } : undefined
    }
  }

  /** Remembered before the call: its answer may be lost, and the process may die. */
  async function drain(orphan: Orphan): Promise<void> {
    try {
      await drained?.addDrained([orphan.id])
      sent.add(orphan.id)
      const isKnown = await withDeadline(clock, callDeadlines.master, 'a drain', (signal) =>
        demand.drain(orphan.id, signal),
      )
      if (isKnown) orphan.drainedAt = clock.now()
      else await forget([orphan.id])
    } catch (error) {
      logger.warn('an orphan could not be drained', { instance: orphan.id, error })
    }
  }

  /** Where the master does not answer, the agent stays as it is. */
  async function undrain(orphan: Orphan): Promise<void> {
    try {
      await withDeadline(clock, callDeadlines.master, 'an undrain', (signal) =>
        demand.undrain(orphan.id, signal),
      )
      delete orphan.drainedAt
      await forget([orphan.id])
    } catch (error) {
      logger.warn('an orphan could not be undrained', { instance: orphan.id, error })
    }
  }

  function drainedIds(): Set<string> {
    return new Set(drained?.drained())
  }

  /** Where that cannot be stored, the worst is an undrain that nobody needs. */
  async function forget(ids: readonly string[]): Promise<void> {
    for (const id of ids) sent.delete(id)
    if (ids.length === 0) return
    await drained?.removeDrained(ids).catch((error: unknown) => {
      logger.warn('drains that are no longer in force could not be forgotten', { ids: ids.join(','), error })
    })
  }

  async function giveBackConfigured(ids: readonly string[]): Promise<void> {
    for (const id of ids.filter((one) => drainedIds().has(one)))
      try {
        await withDeadline(clock, callDeadlines.master, 'an undrain', (signal) => demand.undrain(id, signal))
        await forget([id])
      } catch (error) {
        logger.warn('an orphan could not be undrained', { instance: id, error })
      }
  }

  async function giveBack(orphans: readonly Orphan[]): Promise<void> {
    await Promise.all(
      orphans.filter(({ id, drainedAt }) => drainedAt !== undefined || sent.has(id)).map(undrain),
    )
  }

  return { viewsOf, drain, giveBack, giveBackConfigured, forget }
}
