// Agents on Amazon EC2.

import { limit } from '../../platform/limit.ts'
import type { MetadataOptions } from '../../platform/metadata-server.ts'
import { ProvisionError } from '../../problems/problem.ts'
import type { Provider, ProviderContext } from '../contract.ts'
import type { LaunchOrder, LaunchResult } from '../launch.ts'
import type { AwsConfig } from './aws-config.ts'
import { ec2Client, regionOfSdk } from './client.ts'
import { consoleStage } from './console-stage.ts'
import type { Ec2Api } from './ec2-api.ts'
import { ec2Failure } from './errors.ts'
import { launchVms } from './launch.ts'
import { listPool } from './list.ts'
import { onlineFacts } from './online-facts.ts'
import { regionOf } from './region.ts'
import { awsLaunch } from './request.ts'
import { slotsOf } from './slots.ts'
import { launchTemplates } from './templates.ts'
import { terminatePool } from './terminate.ts'

export { check } from './aws-check.ts'

/** EC2 shows new VMs within seconds, and within a minute at its worst. */
const newMs = 300_000

/** Throws PROVIDER_CONFIG when no region is known. Credentials are looked for at the first call. */
export async function create(context: ProviderContext): Promise<Provider> {
  const config = context.config as AwsConfig
  const metadata: MetadataOptions = { fetch: globalThis.fetch, clock: context.clock, env: context.env }
  const region = await regionOf(config.region, regionOfSdk, metadata)
  return awsProvider(context, ec2Client(region), region, metadata)
}

/** The provider over any EC2. */
export function awsProvider(
  context: ProviderContext,
  api: Ec2Api,
  region: string,
  metadata: MetadataOptions,
): Provider {
  const { owner, clock, logger, master } = context
  const config = context.config as AwsConfig
  const factsOf = onlineFacts({ api, config, owner, clock, metadata })
  const templates = launchTemplates({ api, owner, clock, logger })
  const launchedAt = new Map<string, number>()
  const slots = new Map<string, number>()
  // Consoles are read when many VMs have failed at once, and EC2's limit for that is low.
  const fewConsoles = limit(2)

  async function prepare({ owner: by, intent, userData }: LaunchOrder, signal?: AbortSignal) {
    const base64 = Buffer.from(userData.packed).toString('base64')
    const facts = { ...(await factsOf(signal)), region, userData: base64 }
    return awsLaunch({ config, owner: by, setup: { master }, intent }, facts)
  }

  async function launch(order: LaunchOrder, signal?: AbortSignal): Promise<LaunchResult> {
    const result = await launchVms(order, { api, clock, templates, prepare }, signal)
    for (const [id, at] of launchedAt) if (clock.now() - at > newMs) launchedAt.delete(id)
    for (const { id } of result.instances) launchedAt.set(id, clock.now())
    return result
  }

  async function slotsOfType(type: string, signal?: AbortSignal): Promise<number | undefined> {
    const known = slots.get(type) ?? (await slotsOf(api, type, config.cpu_slots_allowed, signal))
    if (known !== undefined) slots.set(type, known)
    return known
  }

  return {
    kind: 'aws',
    list: (signal) => listPool(api, owner, signal),
    launch,
    terminate: (ids, signal) => terminatePool({ api, owner, ids, isNew: (id) => launchedAt.has(id), signal }),
    slotsOf: (type, signal) => orProblem(`describe ${type}`, () => slotsOfType(type, signal), signal),
    consoleStage: (id, signal) =>
      fewConsoles(() => orProblem(`read the console of ${id}`, () => consoleStage(api, id, signal), signal)),
    async close() {
      api.close()
    },
  }
}

/** A question that has no place for a failure in its answer throws it, as a problem of ours. */
async function orProblem<T>(doing: string, ask: () => Promise<T>, signal?: AbortSignal): Promise<T> {
  try {
    return await ask()
  } catch (error) {
    signal?.throwIfAborted()
    throw new ProvisionError(ec2Failure(error, doing).problem)
  }
}
