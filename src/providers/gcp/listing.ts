// Listings of a pool and of a whole cluster, instances by name, and the reason of their stop where it is known.
import type { Instance } from '../../planner/index.ts'
import type { Clock } from '../../platform/index.ts'
import { problem } from '../../problems/index.ts'
import type { Listing, Ownership } from '../contract.ts'
import type { GceApi, GceInstance } from './client.ts'
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
  namesFilter,
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

/** Names in one query, which keeps its URL short. */
export const namesAtOnce = 50

export interface FindInput extends ClusterInput {
  ids: string[]
  /** Pool of an instance, if its label alone is not enough. */
  poolOf?: (instance: GceInstance) => string
  /** Zone in which an instance was last observed. */
  zoneOf?: (id: string) => string | undefined
}

/**
 * The instances with these names in all zones. A zone that does not respond matters only if it may contain a missing
 * instance.
 */
export async function findInstances({ ids, poolOf, zoneOf, ...input }: FindInput): Promise<Listing> {
  const { clusterId } = input
  const names = ids.filter(isName)
  // No instance can have the name `0`: without names, a short query proves that the project responds.
  const batches: string[][] = names.length ? [] : [[]]
  for (let from = 0; from < names.length; from += namesAtOnce)
    batches.push(names.slice(from, from + namesAtOnce))
  const combined: Listing = { instances: [], complete: true, problems: [] }
  for (const batch of batches) {
    const found = await runQuery({
      ...input,
      filter: batch.length ? namesFilter(batch) : `${clusterFilter(clusterId)} AND (name = "0")`,
      includes: (instance) => isOfCluster(instance, clusterId),
      poolOf: poolOf ?? poolOfLabel,
      missingZones: ({ instances, unreachable }) => {
        const seen = new Set(instances.map(({ name }) => name))
        return relevantZones(
          batch.filter((name) => !seen.has(name)),
          unreachable,
          zoneOf,
        )
      },
      doing: `find ${names.length} instances of cluster ${clusterId}`,
    })
    combined.instances.push(...found.instances)
    combined.problems.push(...found.problems)
    combined.complete &&= found.complete
    if (found.account !== undefined) combined.account = found.account
    if (combined.at === undefined && found.at !== undefined) combined.at = found.at
  }
  return combined
}

/** Whether any instance has the cluster's label, in any state. Rejects when a zone did not respond. */
export async function hasInstances({ api, clusterId, project, signal }: ClusterInput): Promise<boolean> {
  const { instances, unreachable, error } = await queryInstances(
    api,
    { project, filter: clusterFilter(clusterId) },
    signal,
  )
  if (instances.some((instance) => isOfCluster(instance, clusterId))) return true
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
  missingZones(answer: Answer): string[]
  /** Completes "could not …". */
  doing: string
  signal?: AbortSignal | undefined
}

async function runQuery(question: Question): Promise<Listing> {
  const { api, project, filter, signal, includes, poolOf, doing } = question
  signal?.throwIfAborted()
  const answer = await queryInstances(api, { project, filter }, signal)
  const listing: Listing = {
    instances: answer.instances.filter(includes).map((instance) => instanceOf(instance, poolOf(instance))),
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
