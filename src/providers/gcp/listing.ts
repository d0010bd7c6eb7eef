// Listings of a pool and of a whole cluster, instances by name, and the reason of their stop where it is known.
import type { Instance } from '../../planner/index.ts'
import type { Clock } from '../../platform/index.ts'
import { problem } from '../../problems/index.ts'
import type { Listing, Ownership } from '../contract.ts'
import { type GceApi, type GceInstance, pageSize } from './client.ts'
import { gceFailure } from './errors.ts'
import {
  type Answer,
  allOperations,
  clusterFilter,
  instanceOf,
  isManaged,
  isName,
  isOfCluster,
  lastPart,
  nameQueries,
  noResponse,
  ownerFilter,
  poolOfLabel,
  queryInstances,
  relevantZones,
} from './instances.ts'
import { shownPool } from './labels.ts'

export interface ListInput {
  api: GceApi
  owner: Ownership
  project: string
  region: string
  signal?: AbortSignal | undefined
}

/** An interrupted instance is deleted, or stopped; the planner terminates it like any other stopped one. */
export function listPool({ owner, region, ...input }: ListInput): Promise<Listing> {
  return runQuery({
    ...input,
    filter: ownerFilter(owner),
    includes: (instance) => isManaged(instance, owner),
    poolOf: () => owner.pool,
    // Instances of all regions are listed, but an outage of another region must not make the listing incomplete.
    missingZones: ({ unreachable }) => unreachable.filter((zone) => isIn(region, lastPart(zone))),
    doing: `list the instances of pool ${owner.pool}`,
  })
}

function isIn(region: string, zone: string): boolean {
  return zone.startsWith(`${region}-`)
}

/** The pool's part of a listing of the cluster. An outage of another region does not make it incomplete. */
export function partOfCluster(listing: Listing, { pool }: Ownership, region: string): Listing {
  const { silent, ...answer } = listing
  const shown = shownPool(pool)
  const instances = listing.instances.flatMap((one) => (one.pool === shown ? { ...one, pool } : []))
  if (!silent || silent.zones.some((zone) => isIn(region, zone))) return { ...answer, instances }
  const problems = listing.problems.filter((one) => one !== silent.problem)
  return { ...answer, instances, problems, complete: true }
}

export interface ClusterInput {
  api: GceApi
  clusterId: string
  project: string
  signal?: AbortSignal | undefined
}

/** All instances with the cluster's label. A zone that does not respond may contain some. */
export function listCluster({ clusterId, ...input }: ClusterInput): Promise<Listing> {
  return runQuery({
    ...input,
    filter: clusterFilter(clusterId),
    includes: (instance) => isOfCluster(instance, clusterId),
    poolOf: poolOfLabel,
    missingZones: ({ unreachable }) => unreachable,
    doing: `list the instances of cluster ${clusterId}`,
  })
}

export interface FindInput extends ClusterInput {
  ids: string[]
  /** Selects the instances that are usually asked for, and how many are known; 0 before the first listing. */
  usual?: { filter: string; count: number }
  /** Pool of an instance, if its label alone is not enough. */
  poolOf?: (instance: GceInstance) => string
  /** Zone in which an instance was last observed. */
  zoneOf?: (id: string) => string | undefined
}

/**
 * The instances with these names in all zones. A zone that does not respond matters only if it may contain a missing
 * instance. Where names would take more queries than a listing has pages, the instances are listed first, and only those
 * that are not in it are queried by name.
 */
export async function findInstances({ ids, usual, poolOf, zoneOf, ...input }: FindInput): Promise<Listing> {
  const { clusterId } = input
  const names = ids.filter(isName)
  const combined: Listing = { instances: [], complete: true, problems: [] }
  const found = new Set<string>()

  async function ask(filter: string, missingZones: Question['missingZones']): Promise<Listing> {
    const part = await runQuery({
      ...input,
      filter,
      includes: (instance) => isOfCluster(instance, clusterId),
      poolOf: poolOf ?? poolOfLabel,
      missingZones,
      doing: `find ${names.length} instances of cluster ${clusterId}`,
    })
    combined.problems.push(...part.problems)
    combined.complete &&= part.complete
    if (part.account !== undefined) combined.account = part.account
    if (combined.at === undefined && part.at !== undefined) combined.at = part.at
    return part
  }

  function add({ instances }: Listing): void {
    for (const instance of instances) found.add(instance.id)
    combined.instances.push(...instances)
  }

  if (usual?.count && Math.ceil(usual.count / pageSize) < nameQueries(names).length) {
    const asked = new Set(names)
    // Instances of a silent zone are not in it, and are queried by name.
    const listed = await ask(usual.filter, () => [])
    add({ ...listed, instances: listed.instances.filter(({ id }) => asked.has(id)) })
    if (!listed.complete) return combined
  }
  for (const query of nameQueries(names.filter((name) => !found.has(name))))
    add(
      await ask(query.filter, ({ instances, unreachable }) => {
        const seen = new Set(instances.map(({ id }) => id))
        return relevantZones(
          query.names.filter((name) => !seen.has(name)),
          unreachable,
          zoneOf,
        )
      }),
    )
  // No instance can have the name `0`: without names, a short query proves that the project responds.
  if (!names.length)
    await ask(`${clusterFilter(clusterId)} AND (name = "0")`, ({ unreachable }) =>
      relevantZones([], unreachable, zoneOf),
    )
  return combined
}

/** Whether any instance has the cluster's label, in any state. Rejects when a zone did not respond. */
export async function hasInstances({ api, clusterId, project, signal }: ClusterInput): Promise<boolean> {
  const { instances, unreachable, error } = await queryInstances(
    api,
    { project, filter: clusterFilter(clusterId) },
    (page) => page.filter((instance) => isOfCluster(instance, clusterId)),
    signal,
  )
  if (instances.length) return true
  if (error) throw error
  if (unreachable.length) throw noResponse(unreachable)
  return false
}

interface Question {
  api: GceApi
  project: string
  filter: string
  includes(instance: GceInstance): boolean
  poolOf(instance: GceInstance): string
  /** The silent zones that make the listing incomplete. */
  missingZones(answer: Answer<Instance>): string[]
  /** Completes "could not …". */
  doing: string
  signal?: AbortSignal | undefined
}

async function runQuery(question: Question): Promise<Listing> {
  const { api, project, filter, signal, includes, poolOf, doing } = question
  signal?.throwIfAborted()
  const read = (page: GceInstance[]) =>
    page.filter(includes).map((instance) => instanceOf(instance, poolOf(instance)))
  const answer = await queryInstances(api, { project, filter }, read, signal)
  const listing: Listing = {
    instances: answer.instances,
    complete: true,
    problems: [],
    ...(answer.pages ? { account: project } : {}),
    ...(answer.at === undefined ? {} : { at: answer.at }),
  }
  const missingZones = question.missingZones(answer)
  const error = answer.error ?? (missingZones.length ? noResponse(missingZones) : undefined)
  if (error) {
    const { problem: reason } = gceFailure(error, doing)
    listing.complete = false
    listing.problems.push(reason)
    if (!answer.error) listing.silent = { zones: missingZones.map(lastPart), problem: reason }
  }
  for (const { id, launchedAt } of listing.instances)
    if (Number.isNaN(launchedAt))
      listing.problems.push(
        problem('PROVIDER_TIME_UNREADABLE', `the creation time of instance ${id} cannot be read`),
      )
  await markPreempted(question, listing)
  return listing
}

/**
 * The operation `compute.instances.preempted` is the only trace of an interruption
 * (https://cloud.google.com/compute/docs/instances/create-use-spot). Queried while spot instances are stopping or stopped.
 */
async function markPreempted({ api, project, signal }: Question, listing: Listing): Promise<void> {
  const ending = listing.instances.filter(
    ({ capacityType, state }) => capacityType === 'spot' && (state === 'stopping' || state === 'stopped'),
  )
  const filter = '(operationType = "compute.instances.preempted")'
  const preempted = new Map<string, number>()
  try {
    for (const zone of new Set(ending.map((instance) => instance.zone)))
      for (const { targetLink, insertTime = '' } of await allOperations(
        api,
        { project, zone, filter },
        signal,
      ))
        preempted.set(lastPart(targetLink), Date.parse(insertTime) || 0)
  } catch (error) {
    signal?.throwIfAborted()
    // The listing is still complete: only the reason is missing.
    listing.problems.push(gceFailure(error, `list the preempted instances of project ${project}`).problem)
  }
  listing.instances = listing.instances.map((instance): Instance => {
    const interruptedAt = preempted.get(instance.id)
    const stateReason = 'preempted by Compute Engine'
    return interruptedAt === undefined ? instance : { ...instance, interruptedAt, stateReason }
  })
}

// Remembers the zone of each instance, which Compute Engine requires, and when it was first observed.

/** Milliseconds; a listing shows new instances within seconds, at worst within a minute. */
const newMs = 300_000

interface Known {
  zone: string
  firstObserved: number
  /** Launched by this provider, not only observed. */
  launched: boolean
}

export function zoneCache(clock: Clock) {
  let known = new Map<string, Known>()

  function remember(instance: Instance, launched: boolean): [id: string, Known] {
    const { zone, id } = instance
    return [id, known.get(id) ?? { zone, firstObserved: clock.now(), launched }]
  }

  const isNew = ({ launched, firstObserved }: Known) => launched && clock.now() - firstObserved < newMs

  return {
    /**
     * Records a listing; a complete one also shows which are gone. Unreadable times become the time of the first
     * observation.
     */
    seen({ instances, complete }: Pick<Listing, 'instances' | 'complete'>): Instance[] {
      const kept = [...known].filter(([, one]) => !complete || isNew(one))
      known = new Map([...kept, ...instances.map((one) => remember(one, false))])
      return instances.map(dated)
    },
    launched(instances: Instance[]): Instance[] {
      for (const instance of instances) known.set(...remember(instance, true))
      return instances.map(dated)
    },
    count: (): number => known.size,
    zoneOf: (id: string): string | undefined => known.get(id)?.zone,
    zoneOfNew(id: string): string | undefined {
      const one = known.get(id)
      return one && isNew(one) ? one.zone : undefined
    },
  }

  function dated(instance: Instance): Instance {
    if (!Number.isNaN(instance.launchedAt)) return instance
    return { ...instance, launchedAt: known.get(instance.id)!.firstObserved }
  }
}
