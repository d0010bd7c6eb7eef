// What is remembered of VMs: the zone each is in, because Compute Engine asks for it, and when it was first seen.
import type { Instance } from '../../planner/instance.ts'
import type { Clock } from '../../platform/ports.ts'
import type { Listing } from '../launch.ts'

/** A listing shows new VMs within seconds, and within a minute at its worst. */
const newMs = 300_000

interface Known {
  zone: string
  firstSeen: number
  /** Launched by this provider, rather than found. */
  launched: boolean
}

export function whereabouts(clock: Clock) {
  let known = new Map<string, Known>()

  function remember(instance: Instance, launched: boolean): [id: string, Known] {
    const { zone, id } = instance
    return [id, known.get(id) ?? { zone, firstSeen: clock.now(), launched }]
  }

  const isNew = ({ launched, firstSeen }: Known) => launched && clock.now() - firstSeen < newMs

  return {
    /** The instances of a listing; a complete one says who is gone, too. Unreadable times become that of the first sight. */
    seen({ instances, complete }: Pick<Listing, 'instances' | 'complete'>): Instance[] {
      const kept = [...known].filter(([, one]) => !complete || isNew(one))
      known = new Map([...kept, ...instances.map((one) => remember(one, false))])
      return instances.map(dated)
    },
    launched(instances: Instance[]): Instance[] {
      for (const instance of instances) known.set(...remember(instance, true))
      return instances.map(dated)
    },
    zoneOf: (id: string): string | undefined => known.get(id)?.zone,
    zoneOfNew(id: string): string | undefined {
      const one = known.get(id)
      return one && isNew(one) ? one.zone : undefined
    },
  }

  function dated(instance: Instance): Instance {
    if (!Number.isNaN(instance.launchedAt)) return instance
    return { ...instance, launchedAt: known.get(instance.id)!.firstSeen }
  }
}
