// The doors of a running provisioner, as functions: each answer is what was asked for, or a problem.
import type * as z from 'zod/mini'
import { type ProblemCode, problemCodes } from '../problems/codes.ts'
import { ProvisionError, problem } from '../problems/problem.ts'
import type { Answer, Client } from './client.ts'
import {
  type AgentView,
  adoptedSchema,
  agentsSchema,
  eventsSchema,
  type FleetStatus,
  type InstanceView,
  instancesSchema,
  type LoggedEvent,
  launchedSchema,
  type PoolStatusView,
  poolStatusSchema,
  type Removed,
  refusedSchema,
  removedSchema,
  statusSchema,
  toldSchema,
} from './client-views.ts'

export function fleetStatus(client: Client): Promise<FleetStatus> {
  return get(client, '/v1/status', statusSchema)
}

/** Throws POOL_UNKNOWN, or POOL_NOT_RUNNING with the reason. */
export async function poolStatus(client: Client, pool: string): Promise<PoolStatusView> {
  return (await get(client, doorOf(pool), poolStatusSchema)).pool
}

/** Of all pools, or of one: throws POOL_UNKNOWN. */
export async function listInstances(client: Client, pool?: string): Promise<InstanceView[]> {
  return (await get(client, `/v1/instances${ofPool(pool)}`, instancesSchema)).instances
}

export async function listAgents(client: Client, pool?: string): Promise<AgentView[]> {
  return (await get(client, `/v1/agents${ofPool(pool)}`, agentsSchema)).agents
}

/** What happened, oldest first: nothing older than `since` (milliseconds since the epoch), the newest `limit`. */
export async function listEvents(
  client: Client,
  query: { pool?: string; since?: number; limit?: number },
): Promise<LoggedEvent[]> {
  const words = new URLSearchParams()
  for (const [name, value] of Object.entries(query)) if (value !== undefined) words.set(name, String(value))
  return (await get(client, `/v1/events?${words}`, eventsSchema)).events
}

export async function pausePool(client: Client, pool: string): Promise<void> {
  await post(client, `${doorOf(pool)}/pause`, toldSchema)
}

export async function resumePool(client: Client, pool: string): Promise<void> {
  await post(client, `${doorOf(pool)}/resume`, toldSchema)
}

/** The provisioners whose VMs are ours now. */
export async function adoptPool(client: Client, pool: string): Promise<string[]> {
  return (await post(client, `${doorOf(pool)}/adopt`, adoptedSchema)).writers
}

/** All or none; throws what forbids it. Returns the id of the intent. */
export async function launchVms(client: Client, pool: string, count: number): Promise<string> {
  return (await post(client, `${doorOf(pool)}/launch`, launchedSchema, { count })).intent
}

export function drainVms(client: Client, ids: string[]): Promise<Removed> {
  return post(client, '/v1/instances/drain', removedSchema, { ids })
}

/** Of those in `ids` an order to remove them was taken back. */
export function undrainVms(client: Client, ids: string[]): Promise<Removed> {
  return post(client, '/v1/instances/undrain', removedSchema, { ids })
}

/** Throws INSTANCE_BUSY for VMs with work, unless `force`. */
export function terminateVms(client: Client, ids: string[], force: boolean): Promise<Removed> {
  return post(client, '/v1/instances/terminate', removedSchema, { ids, force })
}

function doorOf(pool: string): string {
  return `/v1/pools/${encodeURIComponent(pool)}`
}

function ofPool(pool: string | undefined): string {
  return pool === undefined ? '' : `?pool=${encodeURIComponent(pool)}`
}

async function get<T>(client: Client, path: string, schema: z.ZodMiniType<T>): Promise<T> {
  return read(client, await client.ask('GET', path), schema)
}

async function post<T>(
  client: Client,
  path: string,
  schema: z.ZodMiniType<T>,
  body: object = {},
): Promise<T> {
  return read(client, await client.ask('POST', path, body), schema)
}

function read<T>({ url }: Client, { status, value }: Answer, schema: z.ZodMiniType<T>): T {
  if (status < 200 || status > 299) throw refusal(url, status, value)
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  const place = parsed.error.issues[0]?.path.join('.') || 'all of it'
  throw new ProvisionError(problem('MASTER_FAULT', `the answer of ${url} is not as expected: ${place}`))
}

/** A problem of the provisioner's is passed on as its own; codes this program does not know keep their words. */
function refusal(url: string, status: number, value: unknown): ProvisionError {
  const refused = refusedSchema.safeParse(value)
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
