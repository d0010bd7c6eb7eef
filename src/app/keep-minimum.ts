// The simplest honest loop, until the planner decides: `min_instances` VMs, never more, each VM that ends replaced with growing pauses.
import { randomUUID } from 'node:crypto'
import type { Instance } from '../model/instance.ts'
import type { Ownership } from '../model/ownership.ts'
import type { Clock, Logger } from '../model/ports.ts'
import { type Problem, problem } from '../model/problem.ts'
import { failureStages, isFailureStage } from '../model/stage.ts'
import type { Provider } from '../providers/provider.ts'
import { offeringsOf } from './offerings.ts'
import type { PreparedPool } from './prepare-pool.ts'

/** `probe`: one VM only, more once it has joined. */
export interface Permission {
  launch: 'yes' | 'probe' | 'no'
  problems: Problem[]
}

export interface KeepMinimumOptions {
  /** As it is now: a renewed certificate changes it. */
  prepared: () => PreparedPool
  provider: Provider
  owner: Ownership
  /** May a VM be launched now? Asked before each launch. */
  permission: (signal: AbortSignal) => Promise<Permission>
  hasJoined: (instanceId: string) => boolean
  onListing: (instances: Instance[], complete: boolean) => void
  clock: Clock
  logger: Logger
}

const everyMs = 2000
const firstPauseMs = 5000
const longestPauseMs = 300_000

/** Runs until aborted. What goes wrong is logged, once while it stays the same, and tried again later. */
export async function keepMinimum(options: KeepMinimumOptions, signal: AbortSignal): Promise<void> {
  const { provider, clock, onListing } = options
  const pool = options.prepared().pool.pool_name
  const logger = onlyNews(options.logger, pool)
  let failures = 0
  let notBefore = 0

  while (!signal.aborted) {
    const listing = await provider.list(signal)
    onListing(listing.instances, listing.complete)
    for (const p of listing.problems) logger.tell(p)
    const { ended, live } = split(listing.instances)
    for (const instance of ended) {
      const joined = options.hasJoined(instance.id)
      failures = joined ? 0 : failures + 1
      notBefore = joined ? 0 : clock.now() + Math.min(longestPauseMs, firstPauseMs * 2 ** (failures - 1))
      logger.tell(await whyEnded(provider, instance, joined))
    }
    if (ended.length > 0 && listing.complete)
      await provider.terminate(
        ended.map(({ id }) => id),
        signal,
      )
    const missing = options.prepared().pool.provider.min_instances - live.length
    if (listing.complete && missing > 0 && clock.now() >= notBefore)
      await launch(options, missing, live, logger, signal)
    await clock.sleep(everyMs, signal).catch(() => {})
  }
}

async function launch(
  { prepared, provider, owner, permission, hasJoined, onListing }: KeepMinimumOptions,
  missing: number,
  live: Instance[],
  logger: Told,
  signal: AbortSignal,
): Promise<void> {
  const allowed = await permission(signal)
  for (const p of allowed.problems) logger.tell(p)
  if (allowed.launch === 'no' || signal.aborted) return
  // Without proof that agents can join, one VM at a time shows whether they do.
  if (allowed.launch === 'probe' && live.some(({ id }) => !hasJoined(id))) return
  const count = allowed.launch === 'probe' ? 1 : missing
  const { pool, userData } = prepared()
  const intent = { id: randomUUID(), count, offerings: offeringsOf(pool.provider) }
  const { instances, failures } = await provider.launch({ intent, owner, userData }, signal)
  onListing([...live, ...instances], false)
  for (const failure of failures) logger.tell(failure.problem)
  if (instances.length > 0) logger.forget()
}

function split(instances: Instance[]): { ended: Instance[]; live: Instance[] } {
  return {
    ended: instances.filter(({ state }) => state === 'stopped'),
    live: instances.filter(({ state }) => state === 'starting' || state === 'running'),
  }
}

async function whyEnded(provider: Provider, { id }: Instance, joined: boolean): Promise<Problem> {
  const stage = await provider.consoleStage(id)
  if (joined)
    return problem('AGENT_ENDED', `instance ${id} ended after its agent had joined`, {
      details: { id, stage },
    })
  const reason = stage === undefined ? 'its script said nothing' : stageMeaning(stage)
  return problem('AGENT_NEVER_JOINED', `instance ${id} ended before its agent joined: ${reason}`, {
    details: { id, stage },
  })
}

function stageMeaning(stage: string): string {
  return isFailureStage(stage) ? `${stage}, ${failureStages[stage].meaning}` : `its last stage was ${stage}`
}

interface Told {
  tell(p: Problem): void
  /** Whatever goes wrong from here on is news again. */
  forget(): void
}

/** A fault that lasts is said once, not at every look. */
function onlyNews(logger: Logger, pool: string): Told {
  const said = new Set<string>()
  return {
    tell({ code, message, remedy, severity }) {
      if (said.has(code + message)) return
      said.add(code + message)
      const log = severity === 'error' ? logger.error : logger.warn
      log(message, { pool, code, remedy })
    },
    forget: () => said.clear(),
  }
}
