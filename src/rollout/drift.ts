// Drift: by which keys an instance differs from what its pool launches now.

import type { KnownInstance, Offering } from '../planner/index.ts'
import type { Generation, LaunchedNow } from './generation.ts'

interface PoolNow extends LaunchedNow {
  offerings: readonly Offering[]
}

type Compared = Pick<KnownInstance, 'instanceType' | 'capacityType' | 'offeredZone' | 'image'>

/**
 * Returns a function that lists the keys, in alphabetical order, by which an instance differs from `now`; none for an
 * instance whose generation is not known, or was computed by another version. Fast for many instances of few generations.
 */
export function drifted(
  now: PoolNow,
): (instance: Compared, held: Generation | undefined) => readonly string[] {
  const known = new Map<string, readonly string[]>()
  const offered = offeredBy(now.offerings)
  return (instance, held) => {
    if (held?.version !== now.generation.version) return none
    const { instanceType, capacityType, offeredZone = '', image = '' } = instance
    const kind = `${held.id} ${capacityType} ${instanceType} ${offeredZone} ${image}`
    const before = known.get(kind)
    if (before) return before
    const keys = new Set([
      ...(held.id === now.generation.id ? none : differing(held, now.generation, capacityType)),
      ...notOffered(instance, offered, now),
    ])
    const found = keys.size > 0 ? [...keys].sort() : none
    known.set(kind, found)
    return found
  }
}

const none: readonly string[] = []

/** Without the keys of other capacity types. */
function differing(held: Generation, present: Generation, capacityType: string): string[] {
  const keys = new Set([...Object.keys(held.keys), ...Object.keys(present.keys)])
  return [...keys].flatMap((key) => {
    if (held.keys[key] === present.keys[key]) return []
    const [name = key, capacity = capacityType] = key.split('@')
    return capacity === capacityType ? name : []
  })
}

interface Offered {
  types: ReadonlySet<string>
  zones: ReadonlySet<string>
  capacity: ReadonlySet<Offering['capacityType']>
}

function offeredBy(offerings: readonly Offering[]): Offered {
  return {
    types: new Set(offerings.map(({ instanceType }) => instanceType)),
    zones: new Set(offerings.map(({ zone }) => zone)),
    capacity: new Set(offerings.map(({ capacityType }) => capacityType)),
  }
}

/** What the cloud did not report, or is the cloud's choice, is no difference. */
function notOffered(
  { instanceType, capacityType, offeredZone, image }: Compared,
  { types, zones, capacity }: Offered,
  { chosenBy, newestImage }: PoolNow,
): string[] {
  const found: (string | undefined)[] = []
  if (instanceType && !types.has(instanceType)) found.push(chosenBy.instanceType)
  if (offeredZone && !zones.has('') && !zones.has(offeredZone)) found.push(chosenBy.zone)
  if (image && newestImage && image !== newestImage) found.push(chosenBy.image)
  // Clouds may put an instance into a reservation that the pool does not name.
  const isSpot = capacityType === 'spot'
  if (isSpot ? !capacity.has('spot') : capacity.size === 1 && capacity.has('spot')) found.push(chosenBy.spot)
  if (capacityType === 'on_demand' && capacity.has('reserved') && !capacity.has('on_demand'))
    found.push(chosenBy.reserved)
  return found.filter((key) => key !== undefined)
}
