// Orders about what a pool remembers: each is carried out, or certainly not, or its answer says that nobody can know.

import type { ManagedInstance } from './memory.ts'
import type { PoolRecord } from './records.ts'
import { isRightLost, orderUncertain } from './right.ts'
import { orderedRollout } from './rollouts.ts'
import type { PoolRun } from './run.ts'

type How = ManagedInstance['ordered']

/** All throw ORDER_UNCERTAIN, or STATE_RIGHT_LOST when the order is not carried out. */
export interface FleetOrders {
  setPaused(paused: boolean): Promise<void>
  setRollout(order: 'pause' | 'restart'): Promise<void>
  addAdopted(writers: readonly string[]): Promise<void>
  /** `how` undefined: those that are meant stay. Returns the ids of the instances that have the order now. */
  setOrdered(
    ids: readonly string[],
    how: How,
    isMeant: (track: ManagedInstance) => boolean,
  ): Promise<string[]>
  /** For a launch that was decided. */
  launchWritten(id: string): Promise<void>
}

/** `turn` decides with the order, before it is written down. */
export function createFleetOrders(run: PoolRun, turn: () => void): FleetOrders {
  /** `undo`: for an order that is certainly not written down, and must not be carried out later. */
  async function written(writing: Promise<void>, undo: () => void): Promise<void> {
    try {
      await writing
    } catch (error) {
      if (!isRightLost(error)) throw orderUncertain(run.deps.pool, error)
      undo()
      throw error
    }
  }

  function order(record: PoolRecord, undo: () => void): Promise<void> {
    turn()
    return written(run.write(record), undo)
  }

  return {
    setPaused(paused) {
      const { memory } = run
      const before = memory.paused
      memory.paused = paused
      return order({ at: run.now(), kind: 'paused', paused }, () => {
        memory.paused = before
      })
    },
    setRollout(kind) {
      const { memory } = run
      const before = memory.rollout
      memory.rollout = orderedRollout(before, kind)
      return order({ at: run.now(), kind: 'rollout', rollout: memory.rollout }, () => {
        memory.rollout = before
      })
    },
    async addAdopted(writers) {
      const { adopted } = run.memory
      const added = writers.filter((writer) => !adopted.has(writer))
      for (const writer of added) adopted.add(writer)
      if (writers.length === 0) return
      await written(run.write({ at: run.now(), kind: 'adopted', writers: [...writers] }), () => {
        for (const writer of added) adopted.delete(writer)
      })
    },
    async setOrdered(ids, how, isMeant) {
      const before = ids
        .flatMap((id) => run.memory.tracks.get(id) ?? [])
        .filter(isMeant)
        .map((track) => ({ track, ordered: track.ordered }))
      // Other pools have the others.
      if (before.length === 0) return []
      for (const { track } of before) set(track, how)
      const meant = before.map(({ track: { id } }) => id)
      const at = run.now()
      await order(how ? { at, kind: 'ordered', ids: meant, how } : { at, kind: 'kept', ids: meant }, () => {
        for (const { track, ordered } of before) set(track, ordered)
      })
      return meant
    },
    // Without its record it is not sent, so there is nothing to undo.
    launchWritten: (id) => written(run.writing.get(id) ?? Promise.resolve(), () => {}),
  }
}

function set(track: ManagedInstance, how: How): void {
  if (how === undefined) delete track.ordered
  else track.ordered = how
}

/** A condemned instance is terminated without the order, too. */
export function isKeepable({ ordered, ending, condemned, busyWith }: ManagedInstance): boolean {
  return ordered !== undefined && !ending && !condemned && busyWith !== 'end'
}
