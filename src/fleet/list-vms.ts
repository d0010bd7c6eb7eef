// One listing of the cloud, and what it changes.
import type { Instance, Offering } from '../planner/instance.ts'
import { withDeadline } from '../platform/deadline.ts'
import { problem } from '../problems/problem.ts'
import type { Track } from './memory.ts'
import { observeListing } from './observe-listing.ts'
import { type PoolRun, problemOf, tell } from './run.ts'
import { callDeadlines } from './settings.ts'
import { sayNeverJoined } from './useless-vms.ts'

/** Throws nothing. Tells whether the listing was complete. */
export async function listVms(run: PoolRun): Promise<boolean> {
  const { deps, memory, settings } = run
  const startedAt = run.now()
  try {
    const listing = await withDeadline(deps.clock, callDeadlines.list, 'a listing', (signal) =>
      deps.provider.list(signal),
    )
    const starting = [...memory.tracks.values()].filter(({ state }) => state === 'starting')
    const lost = observeListing(memory, listing, startedAt, run.now(), {
      writerId: deps.owner.writerId,
      visibility: settings.visibility,
      maxWordAge: settings.policy.maxSnapshotAge,
      slotsOf: (instance) => slotsOf(instance, settings.offerings),
    })
    lament(run, lost)
    countStarted(run, starting)
    if (listing.complete) memory.problems.delete('list')
    else
      tell(
        run,
        'list',
        listing.problems[0] ?? problem('LISTING_PARTIAL', 'a listing of the VMs was not complete'),
      )
    return listing.complete
  } catch (error) {
    if (memory.listing) memory.listing = { ...memory.listing, complete: false }
    tell(run, 'list', problemOf(error, 'INTERNAL', 'the VMs could not be listed'))
    return false
  }
}

/** `starting`: VMs that were starting before the listing. */
function countStarted({ deps, now }: PoolRun, starting: Track[]): void {
  for (const { state, knownSince } of starting)
    if (state === 'running')
      deps.metrics.observe('join_seconds', (now() - knownSince) / 1000, { pool: deps.pool, stage: 'running' })
}

function slotsOf({ instanceType }: Instance, offerings: readonly Offering[]): number | undefined {
  return offerings.find((offering) => offering.instanceType === instanceType)?.slots
}

/** VMs that ended without our doing. Those that had not joined count as failures, unless the cloud took them back. */
function lament(run: PoolRun, lost: Track[]): void {
  const useless = lost.filter((track) => track.joinedAt === undefined && track.interruptedAt === undefined)
  const fresh = useless.filter((track) => !track.told)
  if (fresh.length > 0) run.background(() => sayNeverJoined(run, fresh))
}
