// What the store has noted of the cluster, with a copy for those who cannot wait: changes are stored before they are seen here.
import { limit } from '../platform/index.ts'
import {
  type Adoption,
  type ClusterLocation,
  type ClusterNotes,
  keyOf,
  type StoredCluster,
  withAdopted,
  withDrained,
  withLocation,
  withoutDrained,
} from '../state/index.ts'

/** Every change rejects with a ProvisionError when it could not be stored; then nothing has changed here. */
export interface ClusterMemory {
  /** Reads what other provisioners of the cluster have noted meanwhile: once for all who ask before it is sent. */
  refresh(): Promise<void>
  locations(): readonly ClusterLocation[]
  /** Stored when it resolves: nothing is launched at a location that is not noted. */
  addLocation(place: ClusterLocation): Promise<void>
  adopted(pool: string): ReadonlySet<string>
  adopt(adopted: readonly Adoption[]): Promise<void>
  drained(): ReadonlySet<string>
  addDrained(ids: readonly string[]): Promise<void>
  removeDrained(ids: readonly string[]): Promise<void>
}

/** Takes over what an earlier state in the folder has noted, and reads. Throws a ProvisionError. */
export async function openClusterMemory(cluster: StoredCluster): Promise<ClusterMemory> {
  await cluster.takeOver()
  let notes: ClusterNotes = await cluster.read()
  // One at a time, so that no read from before a change takes its place.
  const inTurn = limit(1)

  function change(store: () => Promise<void>, by: (notes: ClusterNotes) => ClusterNotes): Promise<void> {
    return inTurn(async () => {
      await store()
      notes = by(notes)
    })
  }

  let next: Promise<void> | undefined

  return {
    refresh() {
      next ??= inTurn(async () => {
        next = undefined
        notes = await cluster.read()
      })
      return next
    },
    locations: () => notes.locations,
    async addLocation(place) {
      const known = notes.locations.find((one) => keyOf(one) === keyOf(place))
      // Locations are never removed, so an old copy is enough for that.
      if (known && (known.account !== undefined || place.account === undefined)) return
      await change(
        () => cluster.addLocation(place),
        (before) => withLocation(before, place),
      )
    },
    adopted: (pool) => new Set(notes.adopted.flatMap((one) => (one.pool === pool ? one.writer : []))),
    adopt: (more) =>
      change(
        () => cluster.adopt(more),
        (before) => withAdopted(before, more),
      ),
    drained: () => new Set(notes.drained),
    addDrained: (ids) =>
      change(
        () => cluster.addDrained(ids),
        (before) => withDrained(before, ids),
      ),
    removeDrained: (ids) =>
      change(
        () => cluster.removeDrained(ids),
        (before) => withoutDrained(before, ids),
      ),
  }
}
