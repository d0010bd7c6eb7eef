// One owner's view of the simulated cloud: calls that take time, fail, or act without a response.

import { lastStage } from '../agent-setup/index.ts'
import type { FailureClass, Instance } from '../planner/index.ts'
import type { Clock } from '../platform/index.ts'
import { type Problem, problem } from '../problems/index.ts'
import type {
  ClusterProvider,
  LaunchResult,
  Listing,
  Ownership,
  Provider,
  TerminateResult,
} from '../providers/index.ts'
import { type CallKind, type Cloud, endInstance, isOwned, performLaunch } from './cloud.ts'

/** The caller's result; a failure when the response is lost. */
type Answer<T> = { answer: T } | { failure: { class: FailureClass; problem: Problem } }

export function simulatedProvider(cloud: Cloud, owner: Ownership): Provider {
  return {
    kind: 'simulated',

    async list(signal): Promise<Listing> {
      const outcome = await call(cloud, 'list', signal, () => cloud.faults.listing(visible(cloud, owner)))
      await pause(cloud.clock, cloud.faults.listingTakes())
      if ('failure' in outcome) return { instances: [], complete: false, problems: [outcome.failure.problem] }
      return listed(outcome.answer, cloud)
    },

    partOf: (cluster) => ({
      ...cluster,
      instances: cluster.instances.filter(({ pool }) => pool === owner.pool),
    }),

    async find(ids, signal): Promise<Listing> {
      const outcome = await call(cloud, 'list', signal, () => {
        const { complete } = cloud.faults.listing([])
        return { complete, instances: cloud.faults.finding(known(cloud, owner, ids)) }
      })
      if ('failure' in outcome) return { instances: [], complete: false, problems: [outcome.failure.problem] }
      return listed(outcome.answer, cloud, 'simulated')
    },

    async hasTraces() {
      if (!cloud.faults.listing([]).complete) throw new Error('a page is missing')
      return [...cloud.instances.values()].some((vm) => vm.clusterId === owner.clusterId)
    },

    async launch(order, signal): Promise<LaunchResult> {
      const outcome = await call(cloud, 'launch', signal, () => performLaunch(cloud, order, owner.writerId))
      if ('answer' in outcome) return outcome.answer
      return { instances: [], failures: [{ ...outcome.failure, missing: order.intent.count }] }
    },

    async terminate(ids, signal): Promise<TerminateResult> {
      const outcome = await call(cloud, 'terminate', signal, () => terminate(cloud, owner, ids))
      if ('answer' in outcome) return outcome.answer
      return { terminated: [], failures: ids.map((id) => ({ id, ...outcome.failure })) }
    },

    async slotsOf(instanceType) {
      return cloud.catalogue[instanceType]
    },

    async consoleStage(id, signal) {
      const outcome = await call(cloud, 'console', signal, () => cloud.instances.get(id)?.console ?? '')
      return 'answer' in outcome ? lastStage(outcome.answer) : undefined
    },

    async close() {},
  }
}

function listed(
  { instances, complete }: Pick<Listing, 'instances' | 'complete'>,
  { clock, faults }: Cloud,
  account?: string,
): Listing {
  const problems = complete ? [] : [problem('PROVIDER_TRANSIENT', 'a page is missing')]
  const at = clock.now() + faults.clockSkew
  return { instances, complete, problems, at, ...(account === undefined ? {} : { account }) }
}

/** Every instance of a cluster, whatever pool launched it. */
export function simulatedCluster(cloud: Cloud, clusterId: string): ClusterProvider {
  const all = { clusterId, pool: '', writerId: '' }
  const { find, ...rest } = simulatedProvider(cloud, all)
  return {
    find: find!,
    close: rest.close,
    async list(signal) {
      const outcome = await call(cloud, 'list', signal, () => cloud.faults.listing(shownOf(cloud, clusterId)))
      await pause(cloud.clock, cloud.faults.listingTakes())
      if ('failure' in outcome) return { instances: [], complete: false, problems: [outcome.failure.problem] }
      return listed(outcome.answer, cloud)
    },
    async terminate(ids, signal) {
      const outcome = await call(cloud, 'terminate', signal, () => terminate(cloud, { clusterId }, ids))
      if ('answer' in outcome) return outcome.answer
      return { terminated: [], failures: ids.map((id) => ({ id, ...outcome.failure })) }
    },
  }
}

function shownOf({ instances: vms, clock }: Cloud, clusterId: string): Instance[] {
  const now = clock.now()
  return [...vms.values()]
    .filter((vm) => vm.clusterId === clusterId && vm.visibleAt <= now && (vm.goneAt ?? now + 1) > now)
    .map((vm) => ({ ...vm.instance }))
}

/** Instances of the cluster by id, as soon as the cloud shows them at all. */
function known(
  { instances: vms, clock }: Cloud,
  { clusterId }: Ownership,
  ids: readonly string[],
): Instance[] {
  const now = clock.now()
  return ids
    .flatMap((id) => vms.get(id) ?? [])
    .filter((vm) => vm.clusterId === clusterId && vm.visibleAt <= now && (vm.goneAt ?? now + 1) > now)
    .map((vm) => ({ ...vm.instance }))
}

/** VMs with the owner's tags that listings show at this moment. */
function visible({ instances: vms, clock }: Cloud, owner: Ownership): Instance[] {
  const now = clock.now()
  return [...vms.values()]
    .filter((vm) => isOwned(vm, owner) && vm.visibleAt <= now && (vm.goneAt === undefined || vm.goneAt > now))
    .map((vm) => ({ ...vm.instance }))
}

function terminate(
  cloud: Cloud,
  owner: Pick<Ownership, 'clusterId'> & { pool?: string },
  ids: readonly string[],
): TerminateResult {
  const result: TerminateResult = { terminated: [], failures: [] }
  for (const id of ids) {
    const vm = cloud.instances.get(id)
    if (vm && !isOwned(vm, { clusterId: owner.clusterId, pool: owner.pool ?? vm.instance.pool })) {
      const foreign = problem(
        'PROVIDER_NOT_OURS',
        `${id} does not belong to ${owner.pool ?? owner.clusterId}`,
      )
      result.failures.push({ id, class: 'config', problem: foreign })
      continue
    }
    if (vm && owner.pool !== undefined) cloud.events.onTerminating?.(vm)
    if (vm) endInstance(cloud, vm, 'terminated by its owner')
    result.terminated.push(id)
  }
  return result
}

/** Applies the fault drawn for a call. Effects happen whether or not the caller still waits. */
async function call<T>(
  { clock, faults, buckets }: Cloud,
  kind: CallKind,
  signal: AbortSignal | undefined,
  effect: () => T,
): Promise<Answer<T>> {
  signal?.throwIfAborted()
  const fate = faults.fate(kind)
  const { there, back } = faults.latency(kind)
  if (fate === 'effect_late') void pause(clock, faults.lateness()).then(effect)
  if (fate === 'silent' || fate === 'effect_late') return unanswered()
  await pause(clock, there)
  if (kind !== 'console' && !buckets[kind](clock.now())) return refused(back, 'throttled')
  if (fate !== 'done' && fate !== 'reply_lost' && fate !== 'garbled') return refused(back, fate)
  const answer = effect()
  if (fate === 'garbled') return refused(back, 'garbled')
  if (fate === 'reply_lost') return unanswered()
  await pause(clock, back)
  return { answer }

  async function unanswered(): Promise<Answer<T>> {
    await pause(clock, faults.clientTimeout)
    return { failure: { class: 'transient', problem: problem('PROVIDER_TRANSIENT', 'no response') } }
  }

  async function refused(after: number, how: keyof typeof refusals): Promise<Answer<T>> {
    await pause(clock, after)
    const { class: failureClass, code, message } = refusals[how]
    return { failure: { class: failureClass, problem: problem(code, message) } }
  }
}

const refusals = {
  throttled: { class: 'throttle', code: 'PROVIDER_THROTTLED', message: 'too many calls' },
  refused: { class: 'auth', code: 'PROVIDER_AUTH', message: 'the credentials are not valid' },
  garbled: { class: 'transient', code: 'PROVIDER_TRANSIENT', message: 'returned an HTML page' },
  failed: { class: 'transient', code: 'PROVIDER_TRANSIENT', message: 'the cloud failed' },
} as const

/** Zero latency creates no event: a cloud without latency responds at the same moment. */
async function pause(clock: Clock, ms: number): Promise<void> {
  if (ms > 0) await clock.sleep(ms)
}
