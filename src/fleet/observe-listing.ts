// What a listing of the cloud teaches. Listings show new VMs late, and now and then leave one out.
import type { Instance } from '../planner/instance.ts'
import type { Listing } from '../providers/launch.ts'
import { isLive, type PoolMemory, type Track, unknownWriter } from './memory.ts'

export interface ListingRules {
  writerId: string
  /** Milliseconds for which a VM may be missing although it exists. */
  visibility: number
  /** Milliseconds for which the master's word counts that an agent is connected. */
  maxWordAge: number
  /** Slots of the offering it comes from, when they are known. */
  slotsOf: (instance: Instance) => number | undefined
}

/** Looks at a listing that was begun at `startedAt`; returns the VMs that are gone, or going, without our doing. */
export function observeListing(
  memory: PoolMemory,
  listing: Listing,
  startedAt: number,
  now: number,
  rules: ListingRules,
): Track[] {
  const lost: Track[] = []
  const shown = new Set<string>()
  const foreign = new Map<string, string>()
  for (const instance of listing.instances) {
    shown.add(instance.id)
    if (!isOurs(memory, instance, rules.writerId)) {
      if (isLive(instance)) foreign.set(instance.id, instance.writerId ?? unknownWriter)
      continue
    }
    const track = see(memory, instance, now, rules)
    if (!isLive(track) && !track.ending) lost.push(track)
  }
  if (listing.complete) {
    memory.foreign = foreign
    lost.push(...forgetMissing(memory, shown, startedAt, now, rules))
    memory.firstCompleteAt ??= startedAt
  } else for (const [id, writer] of foreign) memory.foreign.set(id, writer)
  const completeAt = listing.complete ? startedAt : memory.listing?.completeAt
  memory.listing = completeAt === undefined ? undefined : { completeAt, complete: listing.complete }
  return lost
}

/** Ours by tags is what the provider lists; ours to touch is what this writer launched, or a person gave us. */
function isOurs(memory: PoolMemory, { writerId }: Instance, us: string): boolean {
  return writerId === us || memory.adopted.has(writerId ?? unknownWriter)
}

function see(memory: PoolMemory, instance: Instance, now: number, { slotsOf }: ListingRules): Track {
  const known = memory.tracks.get(instance.id)
  const track: Track = Object.assign(
    known ?? { ...instance, knownSince: now, slots: slotsOf(instance), listed: true },
    instance,
    { listed: true },
  )
  delete track.missingSince
  delete track.recalled
  memory.tracks.set(instance.id, track)
  const intent = memory.intents.get(instance.intentId ?? '')
  intent?.seen.add(instance.id)
  track.sha256 ??= intent?.sha256
  return track
}

/** Drops what two complete listings in a row do not show; one that was never shown has its time to appear first. */
function forgetMissing(
  memory: PoolMemory,
  shown: ReadonlySet<string>,
  startedAt: number,
  now: number,
  { visibility, maxWordAge }: ListingRules,
): Track[] {
  const gone: Track[] = []
  const isTold = (memory.demandAt ?? 0) >= startedAt - maxWordAge
  for (const track of memory.tracks.values()) {
    if (shown.has(track.id) || track.knownSince >= startedAt) continue
    // The master sees its agent: whatever the listing says, the VM is there.
    if (isTold && memory.agents.get(track.id)?.connected && !track.ending) continue
    const isMissing = isMissingAgain(track, startedAt) || visibility === 0
    if (!isMissing || (!track.listed && startedAt - track.knownSince < visibility)) continue
    memory.tracks.delete(track.id)
    memory.ended.set(track.id, now)
    if (!track.ending && !track.recalled && isLive(track)) gone.push(track)
  }
  return gone
}

/** True from the second listing in a row that does not show what earlier ones did. */
function isMissingAgain(track: Track, startedAt: number): boolean {
  track.missingSince ??= startedAt
  return startedAt > track.missingSince
}
