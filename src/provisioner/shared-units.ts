// How what is led is called in the store, for views and orders.
import type { OrderPlace } from '../http/index.ts'
import type { Leading } from './leading.ts'
import type { Work } from './work.ts'

/** What the parts for sharing need to know about who leads what. */
export interface SharedUnits {
  unitOf(place: OrderPlace): string
  /** This process leads it, now. */
  epochOf: Leading['epochOf']
  leaderOf: Leading['leaderOf']
}

export function sharedUnits(
  work: () => Pick<Work, 'unitOf' | 'searcher'>,
  leading: () => Pick<Leading, 'epochOf' | 'leaderOf'>,
): SharedUnits {
  return {
    unitOf: (place) => (place === 'orphans' ? work().searcher : work().unitOf(place.pool)),
    epochOf: (unit) => leading().epochOf(unit),
    leaderOf: (unit) => leading().leaderOf(unit),
  }
}

/** No pool is called as the orphans are. */
export function viewNameOf(place: OrderPlace): string {
  return place === 'orphans' ? 'orphans' : `pool/${place.pool}`
}
