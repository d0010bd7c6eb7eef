// Orders to remove VMs: every id is looked at before anything is done about one.
import type { Track } from '../fleet/memory.ts'
import { type Problem, ProvisionError, problem } from '../problems/problem.ts'
import type { Provisioner } from '../provisioner/provisioner.ts'
import { reasonView } from './reason-view.ts'

type Fleet = Pick<Provisioner, 'status' | 'drain' | 'undrain' | 'terminate'>

/** Throws INSTANCE_UNKNOWN; nothing is done then. */
export async function drainVms(fleet: Fleet, ids: string[]) {
  const pools = poolsOf(fleet, ids)
  return { ids: await fleet.drain(ids), waits: waitsOf(fleet, pools, blind) }
}

/** Throws INSTANCE_UNKNOWN; nothing is done then. `ids` are those that stay: others had no such order, or are ended already. */
export async function undrainVms(fleet: Fleet, ids: string[]) {
  poolsOf(fleet, ids)
  return { ids: await fleet.undrain(ids), waits: [] }
}

/** Throws INSTANCE_UNKNOWN, or INSTANCE_BUSY without `force`; nothing is done then. */
export async function terminateVms(fleet: Fleet, ids: string[], force: boolean) {
  const pools = poolsOf(fleet, ids)
  const busy = force ? [] : busyOnes(fleet, ids)
  if (busy.length > 0) throw new ProvisionError(isBusy(busy))
  // Without force each is drained first and looked at again, so work that came this moment is not lost either.
  const ended = await (force ? fleet.terminate(ids) : fleet.drain(ids))
  // By force no word of the master is needed.
  const needs = force ? blind.filter((code) => code !== 'DEMAND_MISSING') : blind
  return { ids: ended, waits: waitsOf(fleet, pools, needs) }
}

function poolsOf({ status }: Fleet, ids: string[]): Set<string> {
  const poolOf = new Map(
    status().pools.flatMap(({ pool, instances }) => instances.map((track: Track) => [track.id, pool])),
  )
  const missing = ids.filter((id) => !poolOf.has(id))
  if (missing.length > 0) throw new ProvisionError(isUnknown(missing))
  return new Set(ids.map((id) => poolOf.get(id)!))
}

function busyOnes({ status }: Fleet, ids: string[]): string[] {
  const busy = new Set(
    status().pools.flatMap(({ snapshot }) =>
      (snapshot?.agents ?? []).flatMap((agent) => (agent.busy ? [agent.id] : [])),
    ),
  )
  return ids.filter((id) => busy.has(id))
}

/** What keeps the pools from removing anything now: the order stands, and is carried out when that is over. */
function waitsOf({ status }: Fleet, pools: Set<string>, blind: readonly string[]) {
  return status()
    .pools.filter(({ pool }) => pools.has(pool))
    .flatMap(({ pool, holds, snapshot }) =>
      holds
        .filter(({ code }) => blind.includes(code) || isStopping(code, snapshot?.holds ?? []))
        .map((hold) => ({ pool, ...reasonView(hold) })),
    )
}

const blind: readonly string[] = ['DEMAND_MISSING', 'LISTING_MISSING', 'LISTING_PARTIAL']

function isStopping(code: string, holds: readonly { code: string; stops: readonly string[] }[]): boolean {
  return holds.some((hold) => hold.code === code && hold.stops.includes('remove'))
}

function isUnknown(ids: string[]): Problem {
  return problem('INSTANCE_UNKNOWN', `not among the VMs of this provisioner: ${ids.join(', ')}`)
}

function isBusy(ids: string[]): Problem {
  const message = `${ids.join(', ')} ${ids.length === 1 ? 'has' : 'have'} work`
  return problem('INSTANCE_BUSY', message, { details: { ids } })
}
