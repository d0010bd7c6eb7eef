// From an intent to the calls that fulfil it: one per machine type and way of buying, in the order they are tried.

import type { Offering } from '../../planner/instance.ts'
import { derivedUuid } from '../../platform/derived-id.ts'
import type { Problem } from '../../problems/problem.ts'
import type { RegionalBulkInsert, ZonalBulkInsert } from './compute-types.ts'
import { namesOf } from './names.ts'
import { type PropertiesInput, propertiesOf } from './properties.ts'

export type LaunchStep = { offerings: Offering[]; names: string[]; problems: Problem[] } & (
  | { call: 'instances.bulkInsert'; request: ZonalBulkInsert }
  | { call: 'regionInstances.bulkInsert'; request: RegionalBulkInsert }
)

/** What one call may create (https://cloud.google.com/compute/docs/instances/multiple/about-bulk-creation). */
const largestBulk = 5000

/** A launch of more VMs than one call may create is several. Offerings that differ only in the zone of one region are one step: the cloud finds the zones that have capacity. */
export function launchSteps(input: PropertiesInput): LaunchStep[] {
  const groups = new Map<string, Offering[]>()
  for (const offering of input.intent.offerings) {
    const settled = { ...offering, zone: offering.zone || input.facts.zone }
    const key = [offering.capacityType, offering.instanceType, regionOf(settled.zone)].join(' ')
    groups.set(key, [...(groups.get(key) ?? []), settled])
  }
  const { count } = input.intent
  const starts = Array.from({ length: Math.ceil(count / largestBulk) }, (_, batch) => batch * largestBulk)
  return [...groups.values()].flatMap((group, index) =>
    starts.map((from) => bulkInsert(input, group, index, from, count - from)),
  )
}

/** The same step for fewer VMs: what an earlier step has already given is not asked for again. */
export function withCount(step: LaunchStep, wanted: number): LaunchStep {
  const names = step.names.slice(0, wanted)
  const count = names.length
  const perInstanceProperties = Object.fromEntries(names.map((name) => [name, {}]))
  const resource = { ...step.request.bulkInsertInstanceResourceResource, count, perInstanceProperties }
  // One branch for each call, so that each keeps its own type.
  return step.call === 'instances.bulkInsert'
    ? { ...step, names, request: { ...step.request, bulkInsertInstanceResourceResource: resource } }
    : { ...step, names, request: { ...step.request, bulkInsertInstanceResourceResource: resource } }
}

/** The `index`-th group asked for `count` VMs, named from number `from` on. Request id and names are the intent's. */
function bulkInsert(
  input: PropertiesInput,
  offerings: Offering[],
  index: number,
  from: number,
  count: number,
): LaunchStep {
  const { config, intent, facts } = input
  const [first, ...others] = offerings
  const region = regionOf(first!.zone)
  const { properties, problems } = propertiesOf(input, first!, region)
  const prefix = config.name_prefix ?? `${facts.identity}-`
  const names = namesOf(prefix, intent.id, index, from, Math.min(count, largestBulk))
  const shared = {
    project: facts.project,
    requestId: derivedUuid(intent.id, 'bulkInsert', String(index), String(from)),
  }
  const resource = {
    count: names.length,
    minCount: 1,
    // Names rather than a pattern: with a pattern a second effect counts on instead of clashing.
    perInstanceProperties: Object.fromEntries(names.map((name) => [name, {}])),
    instanceProperties: properties,
  }
  if (!others.length)
    return {
      call: 'instances.bulkInsert',
      offerings,
      names,
      problems,
      request: { ...shared, zone: first!.zone, bulkInsertInstanceResourceResource: resource },
    }
  const named = offerings.map(({ zone }) => zone)
  const locationPolicy = { targetShape: 'ANY', locations: locationsOf(named, region, facts.zones) }
  return {
    call: 'regionInstances.bulkInsert',
    offerings,
    names,
    problems,
    request: { ...shared, region, bulkInsertInstanceResourceResource: { ...resource, locationPolicy } },
  }
}

/** `us-central1` of `us-central1-a`. */
export function regionOf(zone: string): string {
  if (zone.startsWith('<')) return '<its region>'
  return zone.replace(/-[^-]+$/, '')
}

/** Zones that are not named are allowed unless they are denied, so the region's others are. */
function locationsOf(named: string[], region: string, all: string[] = []) {
  const others = all.filter((zone) => regionOf(zone) === region && !named.includes(zone))
  const preferences = [
    ...named.map((zone) => [zone, 'ALLOW'] as const),
    ...others.map((zone) => [zone, 'DENY'] as const),
  ]
  return Object.fromEntries(preferences.map(([zone, preference]) => [`zones/${zone}`, { preference }]))
}
