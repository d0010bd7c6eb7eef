// The requirements for a real EC2, in order: each trial returns what was wrong, or nothing.
import { DescribeInstanceAttributeCommand, DescribeTagsCommand } from '@aws-sdk/client-ec2'
import type { CapacityType } from '../../src/planner/snapshot.ts'
import { isError } from '../../src/problems/index.ts'
import { check } from '../../src/providers/aws/check.ts'
import { ownerTags } from '../../src/providers/contract.ts'
import { joined, requiresJoin } from './join.ts'
import { type Account, eventually, idsOf, launch, orderOf, scriptOf, type Trial } from './launches.ts'

/** `applies`: whether the pool is one for this trial; default: every pool is. */
export const trials: [name: string, trial: Trial, applies?: (account: Account) => boolean][] = [
  ['a check of the pool finds nothing wrong', checked],
  ['RunInstances gives two VMs, the same two for the same token', runTwice],
  ['a fleet of on-demand VMs gives one', (account, signal) => launchOne(account, 'on_demand', signal)],
  ['a fleet of spot VMs gives one, or says why not', spotOrReason],
  ['a listing shows all of them, running', listed],
  ['VMs have their user data, byte for byte', userDataArrived],
  ['VMs, disks and network interfaces carry our tags', tagged],
  ['a VM with `join: required` gets its certificate by aws-sts', joined, requiresJoin],
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
