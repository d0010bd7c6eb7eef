// What is noted of a cluster in addition to its pools: where instances were launched, and whose instances and agents are ours.
import * as z from 'zod/mini'

const place = z.object({
  /** The kind of provider. */
  provider: z.string(),
  /** Such as `{ region: 'us-west-2' }`. */
  location: z.readonly(z.record(z.string(), z.string())),
  /** The account in which instances were launched there, once it is known. */
  account: z.optional(z.string()),
})

const adoption = z.object({ writer: z.string(), pool: z.string() })

export const clusterNotes = z.object({
  locations: z.array(place),
  /** Writers whose instances of a pool a person has adopted. */
  adopted: z.array(adoption),
  /** Instances whose agents were drained as orphans: undrained when their pool is configured again. */
  drained: z._default(z.array(z.string()), []),
})

export type ClusterNotes = z.output<typeof clusterNotes>
/** A location of the cluster: one that a pool uses, or one that a pool once used. */
export type ClusterLocation = z.output<typeof place>
export type Adoption = z.output<typeof adoption>

/**
 * Shared by all provisioners of the cluster, whichever pools they lead. Every change adds or removes its own entries, so that
 * those of several provisioners at once are all in force. Resolves once the change survives a crash. Only while the state is held.
 */
export interface StoredCluster {
  read(): Promise<ClusterNotes>
  /** Nothing is launched at a location before this. One that is known without an account gets it; a known account stays. */
  addLocation(place: ClusterLocation): Promise<void>
  adopt(adopted: readonly Adoption[]): Promise<void>
  addDrained(ids: readonly string[]): Promise<void>
  removeDrained(ids: readonly string[]): Promise<void>
  /**
   * Adds what an earlier state in the folder of this machine has noted, once, and leaves it there; nothing where the folder
   * itself is the state. Throws STATE_DIR_UNUSABLE for a file that this program did not write.
   */
  takeOver(): Promise<void>
}

/** Equal for equal locations, whatever the order of the keys. */
export function keyOf({ provider, location }: Pick<ClusterLocation, 'provider' | 'location'>): string {
  return JSON.stringify([provider, Object.entries(location).sort()])
}

// The changes. What changes nothing returns the notes themselves.

export function withLocation(notes: ClusterNotes, added: ClusterLocation): ClusterNotes {
  const known = notes.locations.find((one) => keyOf(one) === keyOf(added))
  if (known && (known.account !== undefined || added.account === undefined)) return notes
  return { ...notes, locations: [...notes.locations.filter((one) => one !== known), added] }
}

export function withAdopted(notes: ClusterNotes, more: readonly Adoption[]): ClusterNotes {
  const adopted = [...notes.adopted]
  for (const { writer, pool } of more)
    if (!adopted.some((one) => one.writer === writer && one.pool === pool)) adopted.push({ writer, pool })
  return adopted.length === notes.adopted.length ? notes : { ...notes, adopted }
}

export function withDrained(notes: ClusterNotes, ids: readonly string[]): ClusterNotes {
  const drained = [...new Set([...notes.drained, ...ids])]
  return drained.length === notes.drained.length ? notes : { ...notes, drained }
}

export function withoutDrained(notes: ClusterNotes, ids: readonly string[]): ClusterNotes {
  const drained = notes.drained.filter((id) => !ids.includes(id))
  return drained.length === notes.drained.length ? notes : { ...notes, drained }
}
