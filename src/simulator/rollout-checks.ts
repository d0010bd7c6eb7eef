// Promise 22: a rollout keeps its budget, min_instances, its schedule, and the old instances until a new one has proven
// itself; and it ends.
import type { FleetEvent } from '../fleet/index.ts'
import { type InstanceShare, isLive, outdatedBy } from '../planner/index.ts'
import { type CloudInstance, isOwned } from './cloud.ts'
import { launchedWith } from './drift-checks.ts'
import type { Observations, ObservedWorld } from './observations.ts'
import { scheduleOf } from './rollout-draws.ts'
import { clusterId, mainName, poolName } from './scenario.ts'

const minute = 60_000
/** An instance that stays for so long after its agent joined shows that its generation works. */
const lasts = 2 * minute

/** The generation that the instance was made from: it is part of its user data. */
export function generationIn(sha256: string): number {
  return Number(/-g(\d+)$/.exec(sha256)?.[1] ?? 1)
}

/** The name of what is launched now in the pool's memory. */
function currentName({ userData }: ObservedWorld): string {
  return launchedWith(userData.sha256).generation.id
}

export function noteRolloutEvent(world: ObservedWorld, seen: Observations, event: FleetEvent): void {
  const { rollout } = seen
  if (event.kind !== 'decided') return
  noteFailures(world, seen)
  const { code, numbers } = event.reason
  if (event.move === 'undrain') for (const id of event.ids) rollout.rolled.delete(id)
  if (event.move === 'drain' && (code === 'DRIFTED' || code === 'MAX_LIFETIME'))
    checkRolled(world, seen, event.ids)
  if (event.move === 'launch' && (numbers['forRollout'] ?? 0) > 0)
    checkSurge(world, seen, numbers['forRollout']!)
}

/** Instances that count as failed launches while others wait to be replaced. */
function noteFailures(world: ObservedWorld, { name, rollout }: Observations): void {
  const { fleet } = world.provisioners.get(name)!
  const { instances } = fleet.status()
  const failed = instances.filter(
    (i) => i.judged && !i.ending && i.endedAt === undefined && !rollout.failures.has(i.id),
  )
  for (const { id } of failed) rollout.failures.add(id)
  const isOutdated = instances.some(({ drifted, state }) => drifted && state === 'running')
  const isFirst = failed.some(({ generation, drifted }) => generation === currentName(world) && !drifted)
  if (isFirst && isOutdated && world.policy.rollout && !isProven(world)) rollout.failed = currentName(world)
}

/** A person tries what failed again. */
export function noteRestarted(world: ObservedWorld, seen: Observations): void {
  noteFailures(world, seen)
  delete seen.rollout.failed
}

/** Drains that were decided and not sent are forgotten with the process; a stop gives the others back. */
export function forgetRolled({ rollout: { rolled } }: Observations, isStop: boolean): void {
  for (const [id, { isSent }] of rolled) if (isStop || !isSent) rolled.delete(id)
}

/** The memory of the provisioner is lost, or a part of it. */
export function forgetRollout({ rollout }: Observations): void {
  rollout.rolled.clear()
  delete rollout.failed
  delete rollout.pausedSince
}

function checkRolled(world: ObservedWorld, seen: Observations, ids: readonly string[]): void {
  const { clock, policy, invariants, provisioners, scenario } = world
  const { rolled, pausedSince, failed } = seen.rollout
  const { fleet, clockOffset } = provisioners.get(seen.name)!
  const { instances, inFlight } = fleet.status()
  const fresh = ids.filter((id) => !rolled.has(id))
  const live = instances.filter(isLive)
  const sound = live.filter((i) => !i.ending && !i.ordered && i.interruptedAt === undefined)
  const agentOf = (id: string) => seen.demand?.agents.find((agent) => agent.id === id)
  const out = sound.filter(({ id, slots = 0 }) => rolled.has(id) && (agentOf(id)?.slots ?? 0) >= slots)
  for (const id of ids) if (!rolled.has(id)) rolled.set(id, { at: clock.now(), isSent: false })
  if (fresh.length === 0) return
  const violated = (why: string) => invariants.violated(22, `${fresh} leave for a rollout, ${why}`)
  const { when, maxUnavailable } = policy.rollout!
  const most = shareOf(maxUnavailable, live.length)
  if (when === 'never') violated('although rollout.when is never')
  if (out.length + fresh.length > most)
    violated(`${out.length} others are out of service already, max_unavailable is ${most}`)
  if (pausedSince !== undefined) violated('although the rollout is paused')
  const { window } = scenario
  if (window && !scheduleOf(window).isOpen(clock.now() + clockOffset)) violated('outside the schedule')
  if (when === 'idle' && fresh.some((id) => agentOf(id)?.busy)) violated('although they are busy')
  const isServing = ({ id, lostSince = 0 }: (typeof live)[number]) =>
    agentOf(id)?.connected || clock.now() + clockOffset - lostSince < policy.reconnectWait
  const staying = sound.filter((i) => isServing(i) && !rolled.has(i.id)).length
  if (policy.maxInstances > policy.minInstances && staying < policy.minInstances)
    violated(`${staying} remain in service, min_instances is ${policy.minInstances}`)
  if (isProven(world)) return
  if (failed === currentName(world)) violated('although the first instance of the new generation failed')
  // Without room for a new instance, one old one makes it.
  if (live.length + inFlight < policy.maxInstances || fresh.length + out.length > 1)
    violated('although no instance of the new generation has lasted')
}

function checkSurge(world: ObservedWorld, seen: Observations, count: number): void {
  const { clock, policy, invariants, provisioners } = world
  const { rollout } = seen
  rollout.surgeAt = clock.now()
  const violated = (why: string) =>
    invariants.violated(22, `${count} instances are launched for a rollout, ${why}`)
  const status = provisioners.get(seen.name)!.fleet.status()
  if (rollout.pausedSince !== undefined) violated('although it is paused')
  if (count > shareOf(policy.rollout!.surge, status.instances.length)) violated('more than surge allows')
  if (isProven(world)) return
  if (rollout.failed === currentName(world)) violated('although the first instance of the generation failed')
  const name = currentName(world)
  const isTried = (i: (typeof status.instances)[number]) =>
    i.generation === name && !i.ending && !i.judged && i.joinedAt === undefined && isLive(i)
  if (count > 1 || status.instances.some(isTried))
    violated('although the first instance of the generation is being tried')
}

/** As the cloud and the master know it. */
function isProven({ cloud, clock, userData, scenario, hosts }: ObservedWorld): boolean {
  // How long ago it joined is not known by a clock that was set, or by that of another host.
  const isExact = !hosts && !scenario.faults.some((kind) => kind === 'clock_set' || kind === 'clock_moves')
  return [...cloud.instances.values()].some(
    ({ sha256, joinedAt, endedAt }) =>
      sha256 === userData.sha256 &&
      joinedAt !== undefined &&
      (endedAt ?? clock.now()) - joinedAt >= (isExact ? lasts : 0),
  )
}

function shareOf(share: InstanceShare, of: number): number {
  return 'count' in share ? share.count : Math.max(1, Math.floor((of * share.percent) / 100))
}

/** A busy instance may be terminated for a rollout only after `drain_timeout`. */
export function mayEndBusy({ policy, clock }: ObservedWorld, seen: Observations, id: string): boolean {
  const { drainTimeout } = policy.rollout ?? {}
  if (drainTimeout === undefined || seen.reasons.get(id) !== 'DRAIN_TIMEOUT') return false
  const { at } = seen.rollout.rolled.get(id) ?? {}
  return at === undefined || clock.now() - at >= drainTimeout
}

/** Whether a launch that no job needs was decided for a rollout, a moment ago. */
export function isForRollout({ clock }: ObservedWorld, { rollout: { surgeAt } }: Observations): boolean {
  return surgeAt !== undefined && clock.now() - surgeAt <= minute
}

// It ends: in a calm world no outdated instance stays.

/** Pauses of the breaker, and one instance after the other. */
const longest = 150 * minute

export interface RolloutProgress {
  outdatedSince: number | undefined
}

/** Those that are known to be outdated, and that a rollout should replace. */
function outdatedIn({ cloud, policy, provisioners, clock }: ObservedWorld): CloudInstance[] {
  const { when = 'never' } = policy.rollout ?? {}
  if (when === 'never') return []
  const main = provisioners.get(mainName)!
  const tracks = new Map(main.fleet.status().instances.map((track) => [track.id, track]))
  return [...cloud.instances.values()].filter((vm) => {
    const track = tracks.get(vm.instance.id)
    if (vm.endedAt !== undefined || !isOwned(vm, { clusterId, pool: poolName }) || !track) return false
    return outdatedBy(track, policy, clock.now() + main.clockOffset) !== undefined
  })
}

/** Returns whether nothing is outdated any more. */
export function checkRolloutEnds(world: ObservedWorld, progress: RolloutProgress): boolean {
  const { clock, scenario, invariants } = world
  if (clock.now() < scenario.calmAt) return true
  const outdated = outdatedIn(world)
  if (outdated.length === 0) progress.outdatedSince = undefined
  else progress.outdatedSince ??= clock.now()
  if (progress.outdatedSince !== undefined && clock.now() - progress.outdatedSince > longest) {
    invariants.violated(22, `${outdated.map(({ instance }) => instance.id)} are outdated for too long`)
    progress.outdatedSince = Number.POSITIVE_INFINITY
  }
  return outdated.length === 0
}

export function noteDrainSent(seen: Observations, id: string): void {
  const rolled = seen.rollout.rolled.get(id)
  if (rolled) rolled.isSent = true
}
