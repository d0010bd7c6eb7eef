// The endpoints of a running provisioner as functions: each returns the result or throws a ProvisionError.
import type * as z from 'zod/mini'
import { type ProblemCode, ProvisionError, problem, problemCodes } from '../problems/index.ts'
import { type AgentList, agentsSchema } from './agent-view.ts'
import type { Answer, Client } from './client.ts'
import { type EventQuery, eventsSchema, type LoggedEvent } from './event-view.ts'
import { type InstanceList, instancesSchema } from './instance-view.ts'
import {
  acceptedSchema,
  adoptedOrphansSchema,
  adoptedSchema,
  type DrainOrder,
  type LaunchOrder,
  launchedSchema,
  type Removed,
  removedSchema,
  type TerminateOrder,
} from './order-view.ts'
import { type OrphansView, orphansSchema } from './orphan-view.ts'
import { type FleetStatus, type PoolStatusView, poolStatusSchema, statusSchema } from './pool-view.ts'
import { refusalSchema } from './reason-view.ts'
import { checkView } from './view.ts'

export function fleetStatus(client: Client): Promise<FleetStatus> {
  return get(client, '/v1/status', statusSchema)
}

/** Throws POOL_UNKNOWN, or POOL_NOT_RUNNING with the reason. */
export async function poolStatus(client: Client, pool: string): Promise<PoolStatusView> {
  return (await get(client, doorOf(pool), poolStatusSchema)).pool
}

/** Of all pools, or of one: throws POOL_UNKNOWN. With what the list must be read with. */
export function instanceList(client: Client, pool?: string): Promise<InstanceList> {
  return get(client, `/v1/instances${ofPool(pool)}`, instancesSchema)
}

export function agentList(client: Client, pool?: string): Promise<AgentList> {
  return get(client, `/v1/agents${ofPool(pool)}`, agentsSchema)
}

/** Events, oldest first: none older than `since` (milliseconds since the epoch), the newest `limit`. */
export async function listEvents(client: Client, query: EventQuery): Promise<LoggedEvent[]> {
  const words = new URLSearchParams()
  for (const [name, value] of Object.entries(query)) if (value !== undefined) words.set(name, String(value))
  return (await get(client, `/v1/events?${words}`, eventsSchema)).events
}

export async function pausePool(client: Client, pool: string): Promise<void> {
  await post(client, `${doorOf(pool)}/pause`, acceptedSchema)
}

export async function resumePool(client: Client, pool: string): Promise<void> {
  await post(client, `${doorOf(pool)}/resume`, acceptedSchema)
}

export async function pauseRollout(client: Client, pool: string): Promise<void> {
  await post(client, `${doorOf(pool)}/rollout/pause`, acceptedSchema)
}

/** Resumes a paused rollout, and tries one again that failed. */
export async function restartRollout(client: Client, pool: string): Promise<void> {
  await post(client, `${doorOf(pool)}/rollout/restart`, acceptedSchema)
}

export function listOrphans(client: Client): Promise<OrphansView> {
  return get(client, '/v1/orphans', orphansSchema)
}

/** Returns the provisioners whose instances without a configured pool are now managed by this one. */
export async function adoptOrphans(client: Client): Promise<string[]> {
  return (await post(client, '/v1/orphans/adopt', adoptedOrphansSchema)).writers
}

/** Returns the provisioners whose instances are now managed by this one. */
export async function adoptPool(client: Client, pool: string): Promise<string[]> {
  return (await post(client, `${doorOf(pool)}/adopt`, adoptedSchema)).writers
}

/** All or none; throws the reason that blocks it. Returns the id of the intent. */
export async function launchInstances(client: Client, pool: string, count: number): Promise<string> {
  const order: LaunchOrder = { count }
  return (await post(client, `${doorOf(pool)}/launch`, launchedSchema, order)).intent
}

export function drainInstances(client: Client, ids: string[]): Promise<Removed> {
  return post(client, '/v1/instances/drain', removedSchema, { ids } satisfies DrainOrder)
}

/** The removal of the instances in `ids` was cancelled. */
export function undrainInstances(client: Client, ids: string[]): Promise<Removed> {
  return post(client, '/v1/instances/undrain', removedSchema, { ids } satisfies DrainOrder)
}

/** Throws INSTANCE_BUSY for instances with jobs, unless `force`. */
export function terminateInstances(client: Client, ids: string[], force: boolean): Promise<Removed> {
  return post(client, '/v1/instances/terminate', removedSchema, { ids, force } satisfies TerminateOrder)
}

function doorOf(pool: string): string {
  return `/v1/pools/${encodeURIComponent(pool)}`
}

function ofPool(pool: string | undefined): string {
  return pool === undefined ? '' : `?pool=${encodeURIComponent(pool)}`
}

async function get<View>(client: Client, path: string, schema: z.ZodMiniType<View, View>): Promise<View> {
  return repliedBy(client.url, await client.ask('GET', path), schema)
}

async function post<View>(
  client: Client,
  path: string,
  schema: z.ZodMiniType<View, View>,
  body: object = {},
): Promise<View> {
  return repliedBy(client.url, await client.ask('POST', path, body), schema)
}

/** The value of a successful reply; throws the problem of another one. `url`: who replied, for messages. */
export function repliedBy<View>(
  url: string,
  { status, value }: Answer,
  schema: z.ZodMiniType<View, View>,
): View {
  if (status < 200 || status > 299) throw refusal(url, status, value)
  checkView(schema, value, (issue) => {
    const place = issue?.path.join('.') || 'the whole body'
    return new ProvisionError(problem('MASTER_FAULT', `unexpected response from ${url}: ${place}`))
  })
  return value
}

/** A problem reported by the provisioner is passed on unchanged; a code this version does not know keeps its message. */
function refusal(url: string, status: number, value: unknown): ProvisionError {
  const refused = refusalSchema.safeParse(value)
  if (!refused.success)
    return new ProvisionError(problem('MASTER_FAULT', `${url} answered with status ${status} and no reason`))
  const { code, message, remedy, details } = refused.data.error
  if (isKnown(code))
    return new ProvisionError({ ...problem(code, message, { remedy, details }), severity: 'error' })
  return new ProvisionError(problem('REQUEST_REFUSED', `${code}: ${message}`, { remedy }))
}

function isKnown(code: string): code is ProblemCode {
  return Object.hasOwn(problemCodes, code)
}
