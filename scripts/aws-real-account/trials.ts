// The requirements for a real EC2, in order: each trial returns what was wrong, or nothing.
import { randomUUID } from 'node:crypto'
import { DescribeInstanceAttributeCommand, DescribeTagsCommand, type EC2Client } from '@aws-sdk/client-ec2'
import type { CapacityType, Instance, Offering } from '../../src/planner/snapshot.ts'
import { isError } from '../../src/problems/index.ts'
import { check } from '../../src/providers/aws/check.ts'
import type { AwsConfig } from '../../src/providers/aws/rules.ts'
import {
  type LaunchOrder,
  type Ownership,
  ownerTags,
  type Provider,
  type ProviderContext,
} from '../../src/providers/contract.ts'

export interface Account {
  ec2: EC2Client
  provider: Provider
  context: ProviderContext<AwsConfig>
  config: AwsConfig
  owner: Ownership
  offerings: Offering[]
  minutes: number
  /** Every VM in a response to a launch. */
  ids: Set<string>
}

export type Trial = (account: Account, signal: AbortSignal) => Promise<string | undefined>

/** Milliseconds; EC2 shows new VMs within a minute, and terminates them within a few. */
const timeoutMs = 300_000
const againMs = 2000

export const trials: [name: string, trial: Trial][] = [
  ['a check of the pool finds nothing wrong', checked],
  ['RunInstances gives two VMs, the same two for the same token', runTwice],
  ['a fleet of on-demand VMs gives one', (account, signal) => launchOne(account, 'on_demand', signal)],
  ['a fleet of spot VMs gives one, or says why not', spotOrReason],
  ['a listing shows all of them, running', listed],
  ['VMs have their user data, byte for byte', userDataArrived],
  ['VMs, disks and network interfaces carry our tags', tagged],
  ['all are ended, and one that never was does not stop that', ended],
]

async function checked({ context, offerings }: Account, signal: AbortSignal): Promise<string | undefined> {
  const items = await check(context, offerings, signal)
  const faults = items.flatMap(({ problem }) => (problem && isError(problem) ? [problem.message] : []))
  return faults.join('; ') || undefined
}

async function runTwice(account: Account, signal: AbortSignal): Promise<string | undefined> {
  const order = orderOf(account, 2, [{ ...account.offerings[0]!, capacityType: 'on_demand' }])
  const first = await launch(account, order, signal)
  if (first.instances.length !== 2) return `${first.instances.length} VMs. ${first.reasons}`
  const second = await launch(account, order, signal)
  const same = idsOf(second.instances).join() === idsOf(first.instances).join()
  return same ? undefined : `${idsOf(first.instances)} first, then ${idsOf(second.instances)}`
}

/** In two offerings, so that it is a fleet; the same twice when the pool has no second. */
async function launchOne(
  account: Account,
  capacityType: CapacityType,
  signal: AbortSignal,
): Promise<string | undefined> {
  const [first, second = first] = account.offerings
  const pair = [first!, second!].map((each) => ({ ...each, capacityType }))
  const { instances, reasons } = await launch(account, orderOf(account, 1, pair), signal)
  return instances.length === 1 ? undefined : `${instances.length} VMs. ${reasons}`
}

async function spotOrReason(account: Account, signal: AbortSignal): Promise<string | undefined> {
  const wrong = await launchOne(account, 'spot', signal)
  return wrong?.includes('(capacity)') || wrong?.includes('(quota)') ? undefined : wrong
}

async function listed(account: Account, signal: AbortSignal): Promise<string | undefined> {
  return eventually(account, signal, async () => {
    const { instances, complete } = await account.provider.list(signal)
    const running = instances.filter(({ state }) => state === 'running')
    const missing = [...account.ids].filter((id) => !running.some((instance) => instance.id === id))
    return complete && !missing.length ? undefined : `not shown as running: ${missing.join(', ')}`
  })
}

async function userDataArrived(account: Account): Promise<string | undefined> {
  const wanted = scriptOf(account)
  for (const InstanceId of account.ids) {
    const request = new DescribeInstanceAttributeCommand({ InstanceId, Attribute: 'userData' })
    const { UserData } = await account.ec2.send(request)
    const found = Buffer.from(UserData?.Value ?? '', 'base64').toString()
    if (found !== wanted) return `${InstanceId} has ${JSON.stringify(found)}`
  }
  return undefined
}

async function tagged({ ec2, owner, ids }: Account): Promise<string | undefined> {
  const Filters = [
    { Name: 'key', Values: [ownerTags.cluster] },
    { Name: 'value', Values: [owner.clusterId] },
  ]
  const { Tags = [] } = await ec2.send(new DescribeTagsCommand({ Filters }))
  const short = ['instance', 'volume', 'network-interface'].flatMap((kind) => {
    const count = Tags.filter(({ ResourceType }) => ResourceType === kind).length
    return count < ids.size ? [`${count} of ${kind}`] : []
  })
  return short.length ? `of ${ids.size} VMs only ${short.join(', ')}` : undefined
}

async function ended(account: Account, signal: AbortSignal): Promise<string | undefined> {
  const { failures } = await account.provider.terminate([...account.ids, 'i-0123456789abcdef0'], signal)
  if (failures.length) return failures.map(({ id, problem }) => `${id}: ${problem.message}`).join('; ')
  return eventually(account, signal, async () => {
    const { instances } = await account.provider.list(signal)
    const left = instances.filter(({ id, state }) => account.ids.has(id) && state !== 'terminated')
    return left.length ? `still there: ${idsOf(left).join(', ')}` : undefined
  })
}

async function launch(account: Account, order: LaunchOrder, signal: AbortSignal) {
  const { instances, failures } = await account.provider.launch(order, signal)
  for (const { id } of instances) account.ids.add(id)
  const reasons = failures.map(({ class: kind, problem }) => `(${kind}) ${problem.message}`).join('; ')
  return { instances, reasons }
}

/** The VM powers itself off, in case nothing else terminates it. */
function scriptOf({ minutes }: Account): string {
  return `#!/bin/bash\nshutdown -h +${Math.ceil(minutes)}\necho "trial ä"\n`
}

function orderOf(account: Account, count: number, offerings: Offering[]): LaunchOrder {
  const script = scriptOf(account)
  const packed = Buffer.from(script)
  const bytes = { script: packed.length, packed: packed.length, limit: 16_384 }
  const userData = { script, encoding: 'plain' as const, packed, bytes, sha256: '' }
  return { intent: { id: randomUUID(), count, offerings }, owner: account.owner, userData }
}

async function eventually(
  { context: { clock } }: Account,
  signal: AbortSignal,
  look: () => Promise<string | undefined>,
): Promise<string | undefined> {
  const until = clock.now() + timeoutMs
  for (;;) {
    const wrong = await look()
    if (!wrong || clock.now() > until) return wrong
    await clock.sleep(againMs, signal)
  }
}

function idsOf(instances: Instance[]): string[] {
  return instances.map(({ id }) => id).sort()
}
