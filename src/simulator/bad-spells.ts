// A bad day: in every hour of the trace comes a spell of 8 to 20 minutes in which the chosen faults happen.
import type { FaultKind } from './fault-kinds.ts'
import { createRandom } from './random.ts'
import { createScenario, type Scenario } from './scenario.ts'

const hour = 3_600_000

/** Weather and incidents from `startsAt` on, and when they are over. `span` is milliseconds. */
export function badSpells(
  seed: string,
  faults: readonly FaultKind[],
  startsAt: number,
  span: number,
): Pick<Scenario, 'weather' | 'incidents' | 'calmAt'> {
  const spells: Pick<Scenario, 'weather' | 'incidents' | 'calmAt'> = {
    weather: [],
    incidents: [],
    calmAt: startsAt,
  }
  if (faults.length === 0) return spells
  const random = createRandom(seed)
  const hours = Math.max(1, Math.ceil(span / hour))
  for (let n = 0; n < hours; n++) {
    const drawn = createScenario(`${seed}/hour ${n}`, faults)
    const length = drawn.calmAt - drawn.startsAt
    const from = startsAt + n * hour + random.fork('spell', n).whole(0, hour - length)
    const shift = from - drawn.startsAt
    for (const weather of drawn.weather)
      spells.weather.push({ ...weather, from: weather.from + shift, to: weather.to + shift })
    for (const incident of drawn.incidents) spells.incidents.push({ ...incident, at: incident.at + shift })
  }
  spells.calmAt = startsAt + hours * hour
  return spells
}
