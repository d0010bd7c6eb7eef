// Counts what work gets: how long it waited, and how long each VM had some. VMs are of use only while they exist.
import type { Work, WorkWatcher } from './scheduler.ts'

export interface Use {
  /** Milliseconds with any work on it. */
  busy: number
  /** Slots in use times milliseconds. */
  slotTime: number
}

export interface Meter extends WorkWatcher {
  /** Milliseconds from submission to the first start, of all work that has started. */
  readonly waits: readonly number[]
  readonly finished: number
  /** Starts that came to nothing since a VM was lost. */
  readonly lost: number
  readonly starts: number
  /** By VM, up to `until`. */
  uses(until: number): Map<string, Use>
}

interface Load {
  /** Work on it now, with the slots it takes and since when. */
  work: Map<string, { slots: number; from: number }>
  busySince: number
  use: Use
}

/** @param endOf when the VM of that name ended; undefined while it is there */
export function createMeter(now: () => number, endOf: (vm: string) => number | undefined): Meter {
  const loads = new Map<string, Load>()
  const waits: number[] = []
  let finished = 0
  let lost = 0
  let starts = 0

  function loadOf(vm: string): Load {
    let load = loads.get(vm)
    if (!load) {
      load = { work: new Map(), busySince: 0, use: { busy: 0, slotTime: 0 } }
      loads.set(vm, load)
    }
    return load
  }

  /** From then until now, or until the VM ended. */
  const lasted = (vm: string, from: number, until: number) =>
    Math.max(0, Math.min(until, endOf(vm) ?? until) - from)

  return {
    waits,
    get finished() {
      return finished
    },
    get lost() {
      return lost
    },
    get starts() {
      return starts
    },
    isUp: (vm) => endOf(vm) === undefined,
    onStart({ id, slots, agents, since, starts: times }: Work) {
      starts++
      if (times === 1) waits.push(now() - since)
      for (const vm of agents) {
        const load = loadOf(vm)
        if (load.work.size === 0) load.busySince = now()
        load.work.set(id, { slots: slots / agents.length, from: now() })
      }
    },
    onEnd({ id, agents }, how) {
      if (how === 'done') finished++
      else lost++
      for (const vm of agents) {
        const load = loadOf(vm)
        const { slots, from } = load.work.get(id)!
        load.work.delete(id)
        load.use.slotTime += slots * lasted(vm, from, now())
        if (load.work.size === 0) load.use.busy += lasted(vm, load.busySince, now())
      }
    },
    uses: (until) =>
      new Map(
        [...loads].map(([vm, { work, busySince, use }]) => {
          const total = { ...use }
          for (const { slots, from } of work.values()) total.slotTime += slots * lasted(vm, from, until)
          if (work.size > 0) total.busy += lasted(vm, busySince, until)
          return [vm, total]
        }),
      ),
  }
}
