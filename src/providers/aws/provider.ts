// Agents on Amazon EC2.
import { lastStage, type Stage } from '../../agent-setup/index.ts'
import { limit, type MetadataOptions } from '../../platform/index.ts'
import type {
  LaunchOrder,
  LaunchResult,
  Ownership,
  Provider,
  ProviderContext,
  TerminateResult,
} from '../contract.ts'
import { orProblem } from '../failure.ts'
import { terminateOwn } from '../launch-steps.ts'
import { keptSlots } from '../online-facts.ts'
import {
  chunks,
  type Ec2Api,
  type Ec2Instance,
  ec2Client,
  instancePages,
  regionOf,
  regionOfSdk,
} from './client.ts'
import { codeOf, ec2Failure } from './errors.ts'
import { onlineFacts, slotsOf } from './image.ts'
import { isOurs, listPool } from './instances.ts'
import { launchTemplates, launchVms } from './launch.ts'
import { awsLaunch } from './request.ts'
import type { AwsConfig } from './rules.ts'

export { check } from './check.ts'

/** EC2 shows new VMs within seconds, and within a minute at its worst. */
const newMs = 300_000

/** Throws PROVIDER_CONFIG when no region is known. Credentials are looked for at the first call. */
export async function create(context: ProviderContext<AwsConfig>): Promise<Provider> {
  const { config } = context
  const metadata: MetadataOptions = { fetch: globalThis.fetch, clock: context.clock, env: context.env }
  const region = await regionOf(config.region, regionOfSdk, metadata)
  return awsProvider(context, ec2Client(region), region, metadata)
}

/** The provider over any EC2. */
export function awsProvider(
  context: ProviderContext<AwsConfig>,
  api: Ec2Api,
  region: string,
  metadata: MetadataOptions,
): Provider {
  const { config, owner, clock, logger, master } = context
  const factsOf = onlineFacts({ api, config, owner, clock, metadata })
  const templates = launchTemplates({ api, owner, clock, logger })
  const launchedAt = new Map<string, number>()
  const slotsOfType = keptSlots((type, signal) => slotsOf(api, type, config.cpu_slots_allowed, signal))
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

  return {
    kind: 'aws',
    list: (signal) => listPool(api, owner, signal),
    launch,
    terminate: (ids, signal) => terminatePool({ api, owner, ids, isNew: (id) => launchedAt.has(id), signal }),
    slotsOf: (type, signal) =>
      orProblem(ec2Failure, `describe ${type}`, () => slotsOfType(type, signal), signal),
    consoleStage: (id, signal) =>
      fewConsoles(() =>
        orProblem(ec2Failure, `read the console of ${id}`, () => consoleStage(api, id, signal), signal),
      ),
    async close() {
      api.close()
    },
  }
}

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_TerminateInstances.html, and of values in a filter. */
const largestBatch = 1000
const filterValues = 200

export interface TerminateInput {
  api: Ec2Api
  owner: Ownership
  ids: string[]
  /** Launched by this provider a moment ago: ours, although EC2 may not show it yet. */
  isNew: (id: string) => boolean
  signal?: AbortSignal | undefined
}

export function terminatePool(input: TerminateInput): Promise<TerminateResult> {
  const { ids, owner, isNew, signal } = input
  const rules = {
    owner,
    look: () => look(input),
    isOurs,
    targetOf: (id: string, instance?: Ec2Instance) =>
      (instance ? !isGone(instance) : isNew(id)) ? id : undefined,
    async end(toEnd: string[], result: TerminateResult) {
      for (const batch of chunks(toEnd, largestBatch)) await end(input, batch, result)
    },
    failureOf: ec2Failure,
  }
  return terminateOwn(ids, rules, signal)
}

/** By filter, because `InstanceIds` fails as a whole over one unknown id. */
async function look({ api, ids, signal }: TerminateInput): Promise<Map<string, Ec2Instance>> {
  const known = new Map<string, Ec2Instance>()
  for (const Values of chunks(ids, filterValues))
    for await (const page of instancePages(api, { Filters: [{ Name: 'instance-id', Values }] }, signal))
      for (const instance of page) known.set(instance.InstanceId ?? '', instance)
  return known
}

/**
 * EC2 refuses a batch over a single VM that is protected or unknown and names it; it has ended none, or those of other
 * zones. Those named are reported, the rest is asked for again, in halves when nothing was named.
 */
async function end(input: TerminateInput, batch: string[], result: TerminateResult): Promise<void> {
  if (!batch.length) return
  try {
    await input.api.terminateInstances({ InstanceIds: batch }, input.signal)
    result.terminated.push(...batch)
  } catch (error) {
    input.signal?.throwIfAborted()
    const failure = ec2Failure(error, 'end VMs')
    const named = batch.filter((id) => String(error instanceof Error && error.message).includes(id))
    const refused = batch.length === 1 ? batch : named
    const aboutOne = failure.class === 'config' || codeOf(error) === 'InvalidInstanceID.NotFound'
    if (!aboutOne) return void result.failures.push(...batch.map((id) => ({ id, ...failure })))
    result.failures.push(...refused.map((id) => ({ id, ...ec2Failure(error, `end VM ${id}`) })))
    const rest = batch.filter((id) => !refused.includes(id))
    const parts = named.length ? [rest] : chunks(rest, Math.ceil(rest.length / 2))
    for (const part of parts) await end(input, part, result)
  }
}

function isGone({ State }: Ec2Instance): boolean {
  return State?.Name === 'terminated' || State?.Name === 'shutting-down'
}

/**
 * The last stage the VM's script wrote to its serial console. `Latest` is what is on the console now, which only Nitro
 * instances can tell; others show it some minutes late.
 */
async function consoleStage(api: Ec2Api, id: string, signal?: AbortSignal): Promise<Stage | undefined> {
  try {
    return await read(api, id, true, signal)
  } catch (error) {
    switch (codeOf(error)) {
      case 'UnsupportedOperation':
        return read(api, id, false, signal)
      case 'InvalidInstanceID.NotFound':
      case 'InvalidInstanceID.Malformed':
        return undefined
      default:
        throw error
    }
  }
}

async function read(api: Ec2Api, InstanceId: string, Latest: boolean, signal?: AbortSignal) {
  const { Output = '' } = await api.getConsoleOutput({ InstanceId, Latest }, signal)
  return lastStage(Buffer.from(Output, 'base64').toString('utf8'))
}
