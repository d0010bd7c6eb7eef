// The Compute Engine requests of a launch as data: `--dry-run` shows exactly what the provider sends.
import type { AgentSetup } from '../../agent-setup/index.ts'
import type { Offering } from '../../planner/index.ts'
import { derivedName, derivedUuid, type MetadataOptions } from '../../platform/index.ts'
import { type Problem, ProvisionError, problem } from '../../problems/index.ts'
import type { CloudCall, LaunchRequest, RequestInput } from '../contract.ts'
import type { RegionalBulkInsert, ZonalBulkInsert } from './base-config.ts'
import { type GceValue, gceMetadata } from './metadata-client.ts'
import { type GcpFacts, type PropertiesInput, propertiesOf, settleFacts } from './properties.ts'
import type { GcpConfig } from './rules.ts'

export type GcpRequestInput = Omit<RequestInput<GcpConfig>, 'setup'> & { setup: Pick<AgentSetup, 'master'> }

export interface GcpLaunch {
  steps: LaunchStep[]
  problems: Problem[]
}

/** All calls of a launch in order, and their problems and unknown values. Pure. */
export function gcpLaunch(
  { config, owner, intent, setup }: GcpRequestInput,
  known: GcpFacts = {},
): GcpLaunch {
  const { facts, problems } = settleFacts(config, known)
  const pinned = facts.image === undefined ? config : { ...config, boot_disk_source_image: facts.image }
  const steps = launchSteps({ config: pinned, owner, master: setup.master, intent, facts })
  const prefix = config.name_prefix ?? ''
  return {
    steps,
    problems: once([...problems, ...prefixProblems(prefix), ...steps.flatMap((step) => step.problems)]),
  }
}

/** The first call, then the calls for VMs that it cannot launch. */
export function buildRequest(input: GcpRequestInput, known?: GcpFacts): LaunchRequest {
  const { steps, problems } = gcpLaunch(input, known)
  const [first, ...others] = steps.map(callOf)
  return { ...first!, ...(others.length ? { fallbacks: others } : {}), problems }
}

function callOf({ call, request }: LaunchStep): CloudCall {
  return { call, body: { ...request } }
}

/** Removes duplicates: steps of one pool have most of their problems in common. */
function once(problems: Problem[]): Problem[] {
  const seen = new Set<string>()
  return problems.filter(({ code, message }) => {
    const key = `${code} ${message}`
    return !seen.has(key) && seen.add(key)
  })
}

// From an intent to its calls: one for each machine type and capacity type, in the order they are tried.

export type LaunchStep = { offerings: Offering[]; names: string[]; problems: Problem[] } & (
  | { call: 'instances.bulkInsert'; request: ZonalBulkInsert }
  | { call: 'regionInstances.bulkInsert'; request: RegionalBulkInsert }
)

/**
 * Instances that one call may create (https://cloud.google.com/compute/docs/instances/multiple/about-bulk-creation).
 */
const largestBulk = 5000

/**
 * A launch of more VMs than one call may create has several steps. Offerings that differ only in the zone of one region
 * are one step, in which the cloud finds a zone with capacity.
 */
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

/** The same step for fewer VMs: without those that earlier steps have launched. */
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

/** Group `index` of `count` VMs, with names from number `from` on. Request id and names are derived from the intent. */
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
    // Names rather than a pattern: with a pattern, a repeated request would create further VMs instead of failing.
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

/** Zones that are not listed are allowed, so the other zones of the region are denied. */
function locationsOf(named: string[], region: string, all: string[] = []) {
  const others = all.filter((zone) => regionOf(zone) === region && !named.includes(zone))
  const preferences = [
    ...named.map((zone) => [zone, 'ALLOW'] as const),
    ...others.map((zone) => [zone, 'DENY'] as const),
  ]
  return Object.fromEntries(preferences.map(([zone, preference]) => [`zones/${zone}`, { preference }]))
}

// Project and zone of a pool: from the file, Google's environment variables, or the host of the provisioner.

export interface ProjectAndZone {
  project: string
  /** Zone for launches without one, and for queries about machine types. */
  zone: string
}

/** Throws PROVIDER_CONFIG when one of them is unknown. */
export async function projectAndZone(config: GcpConfig, metadata: MetadataOptions): Promise<ProjectAndZone> {
  const { env } = metadata
  return {
    project:
      config.project ??
      (env['GOOGLE_CLOUD_PROJECT'] || undefined) ??
      (await here('project', 'GOOGLE_CLOUD_PROJECT', metadata)),
    zone:
      config.zones[0] ??
      config.zone ??
      (env['CLOUDSDK_COMPUTE_ZONE'] || undefined) ??
      (await here('zone', 'CLOUDSDK_COMPUTE_ZONE', metadata)),
  }
}

async function here(value: GceValue, variable: string, metadata: MetadataOptions): Promise<string> {
  let why: string | undefined
  try {
    const known = await gceMetadata(metadata).get(value)
    if (known) return known
  } catch (error) {
    if (!(error instanceof ProvisionError)) throw error
    why = error.problems[0]?.message
  }
  const message = `no Google Cloud ${value} is known: none is configured, and this machine is not on Compute Engine`
  throw new ProvisionError(
    problem('PROVIDER_CONFIG', message, {
      remedy: `Set \`${value}\` in the pool's provider block, or ${variable}.`,
      ...(why ? { details: { why } } : {}),
    }),
  )
}

// Names of VMs, derived from the intent: a request that is carried out twice fails the second time.

const limit = 63
const hashLength = 12

/** `count` names from number `from` on: prefix, hash of the intent's step, number; at most 63 characters. */
export function namesOf(
  prefix: string,
  intentId: string,
  step: number,
  from: number,
  count: number,
): string[] {
  const hash = derivedName(hashLength, intentId, String(step))
  const room = limit - hashLength - 1 - String(from + count).length
  const start = prefix.startsWith('<') ? prefix : prefix.slice(0, room)
  return Array.from({ length: count }, (_, index) => `${start}${hash}-${from + index}`)
}

/**
 * Compute Engine requires RFC 1035 labels as names: a lower-case letter, then lower-case letters, digits and hyphens.
 */
export function prefixProblems(prefix: string): Problem[] {
  if (prefix.startsWith('<') || /^(?:[a-z][a-z0-9-]*)?$/.test(prefix)) return []
  return [
    problem('REQUEST_NAME_REFUSED', `Google Cloud would reject instance names that start with "${prefix}"`),
  ]
}
