// The cloud's faults over time, as the simulated cloud asks for them.
import type { Offering } from '../planner/instance.ts'
import { offeringKey } from '../planner/instance.ts'
import type { Cloud } from './cloud.ts'
import type { WeatherKind } from './fault-kinds.ts'
import type { CallKind, Fate, Faults } from './faults.ts'
import type { Random } from './random.ts'
import type { Scenario, Weather } from './scenario.ts'
import { lifeOf } from './vm-life.ts'

const second = 1000
/** A VM is left out of at most one listing in such a time. */
const flickerApart = 300 * second

export interface WeatherStation {
  faults: Faults
  /** The weather of this kind now, if any. */
  now(kind: WeatherKind): Weather | undefined
}

/** `cloud` is asked how many VMs there were, since the life of a VM begins with its number. */
export function createWeather(
  scenario: Scenario,
  random: Random,
  now: () => number,
  cloud: () => Cloud,
): WeatherStation {
  const draw = random.fork('fates')
  const flickered = new Map<string, number>()
  const plenty = Math.max(1000, 2 * scenario.policy.maxInstances)

  function active(kind: WeatherKind): Weather | undefined {
    const time = now()
    return scenario.weather.find((w) => w.kind === kind && w.from <= time && time < w.to)
  }

  function fate(call: CallKind): Fate {
    if (active('auth_lost')) return 'refused'
    if (active('outage')) return draw.chance(50) ? 'failed' : 'silent'
    if (active('server_errors') && draw.chance(60)) return 'failed'
    if (active('throttle') && draw.chance(60)) return 'throttled'
    if (active('silent_calls') && draw.chance(30)) return 'silent'
    if (call === 'list' && active('failed_listing') && draw.chance(80)) return 'failed'
    if (call === 'launch' && active('effect_late') && draw.chance(50)) return 'effect_late'
    if ((call === 'launch' || call === 'terminate') && active('reply_lost') && draw.chance(50))
      return 'reply_lost'
    return 'done'
  }

  function stock(offering: Offering): number {
    const weather = active('stock_out')
    if (!weather) return plenty
    // One zone, one type, or everything, with now and then a last VM.
    const left = draw.chance(20) ? 1 : 0
    const first = scenario.offerings[0]!
    if (weather.draw < 0.3) return offering.zone === first.zone ? left : plenty
    if (weather.draw < 0.6) return offeringKey(offering) === offeringKey(first) ? left : plenty
    return left
  }

  const faults: Faults = {
    fate,
    latency: (call) => {
      const slow = call === 'launch' ? 1500 : 600
      return { there: draw.whole(10, slow), back: draw.whole(10, slow) }
    },
    clientTimeout: 30 * second,
    lateness: () => draw.whole(30, 110) * second,
    stock,
    quota: () => {
      const weather = active('quota')
      return weather ? Math.floor(weather.draw * scenario.policy.maxInstances) : plenty
    },
    gives: (count) => (active('partial_launch') && count > 0 ? draw.whole(0, count) : count),
    hiddenFor: () =>
      scenario.oddities.has('late_visibility') ? draw.whole(0, 60) * second : draw.whole(0, 2) * second,
    startsAfter: () => lifeOf(scenario, random, cloud().created, now()).startsAfter,
    lingersFor: () => draw.whole(1, 60) * second,
    listing(instances) {
      if (active('partial_listing') && draw.chance(60))
        return { instances: instances.filter(() => draw.chance(60)), complete: false }
      if (!active('flickering_listing')) return { instances, complete: true }
      return {
        complete: true,
        instances: instances.filter(({ id }) => {
          const hidden = draw.chance(15) && now() - (flickered.get(id) ?? 0) > flickerApart
          if (hidden) flickered.set(id, now())
          return !hidden
        }),
      }
    },
    clockSkew: scenario.oddities.has('clock_skew') ? random.fork('skew').whole(-600, 600) * second : 0,
  }
  return { faults, now: active }
}
