// One world from its seed until it comes to rest, with every promise checked after every step.

import { createOrphanWatch } from '../fleet/index.ts'
import { leaderOf } from './host.ts'
import { calmHosts, followTerms, happenToHosts, startHosts } from './hosts.ts'
import { promises } from './invariants.ts'
import type { Violation } from './observations.ts'
import { simulatedCluster } from './provider.ts'
import type { StartProvisioner } from './provisioner.ts'
import {
  clusterId,
  createScenario,
  type FaultKind,
  faultKinds,
  type Incident,
  mainName,
  nameOfWriter,
  poolName,
  type Scenario,
  secondName,
} from './scenario.ts'
import { type Entry, printTimeline } from './virtual-clock.ts'
import { createWorld, diskOf, settingsOf, startClone, startInWorld, type World } from './world.ts'

export interface WorldReport {
  scenario: Scenario
  violations: readonly Violation[]
  timeline: readonly Entry[]
  /** Number of steps: the length of the world. */
  steps: number
  /** Virtual milliseconds from its start until it came to rest. */
  lasted: number
  vms: number
  workDone: number
}

export interface WorldOptions {
  /** The provisioner to run; default: ours. */
  start?: StartProvisioner
  /** Continue after a broken promise, to find others. */
  continueAfterFailure?: boolean
}

/** Milliseconds after it became calm, after which a world ends even if it has not come to rest. */
const longest = 4 * 3_600_000

/** The same seed and faults give the same world, step by step. */
export async function runWorld(
  seed: string,
  faults: readonly FaultKind[] = faultKinds,
  { start, continueAfterFailure = false }: WorldOptions = {},
): Promise<WorldReport> {
  const scenario = createScenario(seed, faults)
  const world = createWorld(scenario, start)
  // The loop of Determined's provisioner has no leases.
  if (scenario.oddities.has('several_provisioners') && start === undefined) world.hosts = startHosts(world)
  else startInWorld(world, mainName)
  scheduleIncidents(world)
  const { clock, invariants } = world
  await clock.run(() => {
    if (world.hosts) followTerms(world, world.hosts)
    const rests = invariants.check()
    const isBroken = invariants.violations.length > 0 && !continueAfterFailure
    return rests || isBroken || clock.now() > scenario.calmAt + longest
  })
  for (const { life } of [...world.provisioners.values(), ...(world.hosts?.all ?? [])]) life.kill()
  return {
    scenario,
    violations: world.invariants.violations,
    timeline: world.timeline.entries,
    steps: world.clock.steps,
    lasted: world.clock.now() - scenario.startsAt,
    vms: world.cloud.created,
    workDone: [...world.master.work.values()].filter(({ state }) => state === 'done').length,
  }
}

/** The broken promises and the steps before: enough to understand them and to run the world again. */
export function printFailure(report: WorldReport, entries = 120): string {
  const { scenario, violations, timeline } = report
  const broken = violations.map(
    ({ promise, step, message }) =>
      `promise ${promise} (${promises[promise]}) is broken in step ${step}: ${message}`,
  )
  const again = `seed ${JSON.stringify(scenario.seed)}, faults ${JSON.stringify(scenario.faults)}`
  return [...broken, again, printTimeline(timeline.slice(-entries), scenario.startsAt)].join('\n')
}

// Incidents of the provisioner and around it: crashes, lost memory, a second one, changed limits, people.

export function scheduleIncidents(world: World): void {
  for (const incident of world.scenario.incidents) world.clock.at(incident.at, () => happen(world, incident))
  world.clock.at(world.scenario.calmAt, () => calmDown(world))
}

function happen(world: World, { kind, lasts, draw }: Incident): void {
  const { clock, timeline, master, random } = world
  timeline.add('incident', kind, { lasts: lasts / 1000 })
  if (world.hosts && happenToHosts(world, world.hosts, { kind, at: 0, lasts, draw })) return
  const main = world.provisioners.get(mainName)!
  const isDown = !isUp(world)
  switch (kind) {
    case 'crash':
      if (!isDown) crash(world, lasts)
      break
    case 'crash_in_call':
      if (isDown) break
      main.life.killAtCall(1 + Math.floor(draw * 40), draw * 1000 - Math.floor(draw * 1000) < 0.5)
      clock.after(lasts, () => revive(world))
      break
    case 'crash_loop':
      if (!isDown) crashAgain(world, clock.now() + 2 * lasts, draw)
      break
    case 'restart':
      if (!isDown) restart(world, lasts)
      break
    case 'journal_lost':
      if (isDown) break
      main.life.kill()
      diskOf(world, mainName).erase()
      world.invariants.onMemoryLost(mainName)
      clock.after(lasts, () => revive(world))
      break
    case 'second_writer':
      if (world.provisioners.has(secondName)) break
      startInWorld(world, secondName)
      clock.after(lasts, () => world.provisioners.get(secondName)?.life.kill())
      break
    case 'cloned_writer':
      if (world.provisioners.has(secondName)) break
      startClone(world, secondName)
      clock.after(lasts, () => world.provisioners.get(secondName)?.life.kill())
      break
    case 'clock_set':
      if (isDown) break
      world.clockOffset = Math.floor((draw * 2 - 1) * 3 * 3_600_000)
      if (draw * 1000 - Math.floor(draw * 1000) < 0.3) {
        world.boots++
        world.invariants.onTimeUnknown(mainName)
      }
      crash(world, Math.min(lasts, 20_000))
      break
    case 'clock_moves':
      // The running process does not notice; the next one gets the new time.
      world.clockOffset = Math.floor((draw * 2 - 1) * 3 * 3_600_000)
      clock.after(lasts, () => {
        const { life } = world.provisioners.get(mainName)!
        if (life.alive && !life.suspended) crash(world, 2000)
      })
      break
    case 'suspended':
      if (isDown) break
      main.life.suspend()
      world.invariants.onSuspended(mainName)
      clock.after(3 * lasts, () => wakeUp(world))
      break
    case 'pool_leaves':
      if (!isDown) leavePool(world, lasts)
      break
    case 'certificate_renewed':
      world.certificate++
      closeGate(world, Math.min(lasts, 10_000))
      break
    case 'gate_closed':
      closeGate(world, lasts)
      break
    case 'max_changed':
      setMax(world, Math.max(1, Math.floor(draw * 12)))
      break
    case 'generation_changed':
      changeGeneration(world, draw)
      break
    case 'rollout_paused':
      if (isDown) break
      void main.fleet
        .rollout('pause')
        .then(() => world.invariants.onRolloutPaused(mainName, true), ignored)
        .then(() => clock.after(lasts, () => restartRollout(world)))
      break
    case 'paused':
      if (isDown) break
      world.invariants.onPaused(mainName, true)
      void main.fleet.pause().then(() => world.invariants.onPauseConfirmed(mainName), ignored)
      clock.after(lasts, () => resume(world))
      break
    case 'drained_by_person': {
      const ids = [...master.agents.keys()]
      if (ids.length === 0) break
      const id = random.fork('person', draw).pick(ids)
      master.setEnabled(id, false)
      clock.after(lasts, () => master.setEnabled(id, true))
      break
    }
    case 'disabled_by_person': {
      const ids = [...master.agents.keys()]
      if (ids.length === 0) break
      const id = random.fork('disables', draw).pick(ids)
      master.setDisabled(id, true)
      clock.after(lasts, () => master.setDisabled(id, false))
      break
    }
    case 'strangers': {
      const ids = Array.from({ length: 1 + Math.floor(draw * 3) }, (_, n) => `stranger-${clock.now()}-${n}`)
      master.intrude(ids, 4)
      clock.after(lasts, () => master.expel(ids))
      break
    }
    case 'removal_ordered': {
      const ids = main.fleet.status().instances.map((track) => track.id)
      if (isDown || ids.length === 0) break
      const id = random.fork('order', draw).pick(ids)
      const how = draw < 0.5 ? 'when_idle' : 'even_if_busy'
      world.invariants.orders.set(id, how)
      void main.fleet.remove([id], how).catch(() => world.invariants.orders.delete(id))
    }
  }
}

/** A process decides about the world's pool. */
function isUp({ provisioners, hosts }: World): boolean {
  const main = provisioners.get(mainName)
  if (hosts && !leaderOf(hosts)) return false
  return main?.life.alive === true && !main.life.suspended
}

/** The store is out of reach, or the lease is over: a person would order it again. */
const ignored = () => {}

function crash(world: World, downFor: number): void {
  world.provisioners.get(mainName)!.life.kill()
  world.clock.after(downFor, () => revive(world))
}

/** Crashes repeatedly, each time before a checkpoint is written. */
function crashAgain(world: World, until: number, draw: number): void {
  const { clock, random } = world
  const upFor = random.fork('crash loop', draw, clock.now()).whole(5, 30) * 1000
  clock.after(upFor, () => {
    if (!world.provisioners.get(mainName)!.life.alive) return
    crash(world, 1000)
    if (clock.now() < Math.min(until, world.scenario.calmAt)) crashAgain(world, until, draw + 1)
  })
}

function restart(world: World, downFor: number): void {
  const main = world.provisioners.get(mainName)!
  world.invariants.onStopping(mainName)
  void main.fleet.stop().then(() => {
    if (main.life.alive) world.invariants.onStopped(mainName)
    main.life.kill()
    world.clock.after(downFor, () => revive(world))
  })
}

/** The provisioner is started without the pool, and treats its instances as orphans until the pool is back. */
function leavePool(world: World, lasts: number): void {
  const { clock, cloud, master, invariants, timeline } = world
  const main = world.provisioners.get(mainName)!
  const isBack = () => world.provisioners.get(mainName)!.life.alive
  const watch = createOrphanWatch({
    locations: () => [{ provider: 'simulated', location: {} }],
    async open() {
      const cluster = simulatedCluster(cloud, clusterId)
      return {
        ...cluster,
        terminate(ids, signal) {
          invariants.onOrphansTerminated(mainName, ids)
          return cluster.terminate(ids, signal)
        },
      }
    },
    onAccount: () => {},
    isConfigured: (_, pool) => pool !== poolName || isBack(),
    isOwnWriter: (writer = '') =>
      nameOfWriter(writer) === mainName || invariants.seen.get(mainName)!.adopted.has(writer),
    isFileTrusted: () => true,
    rules: () => ({ terminateAfter: 20_000, terminateUnknown: false }),
    demand: master.source('orphans'),
    clock,
    logger: { debug() {}, info() {}, warn() {}, error() {} },
    onEvent: (event) => timeline.add('orphans', event.kind, { ...event }),
  })
  invariants.onStopping(mainName)
  void main.fleet.stop().then(() => {
    if (main.life.alive) invariants.onStopped(mainName)
    main.life.kill()
    watch.start()
    clock.after(60_000 + lasts, () => void watch.stop().then(() => revive(world)))
  })
}

function revive(world: World): void {
  if (!world.provisioners.get(mainName)!.life.alive) startInWorld(world, mainName)
}

function wakeUp(world: World): void {
  const main = world.provisioners.get(mainName)!
  if (!main.life.alive || !main.life.suspended) return
  world.timeline.add(mainName, 'resumes')
  world.invariants.onAwake(mainName)
  main.life.resume()
  main.fleet.reconfigure(settingsOf(world))
}

function resume(world: World): void {
  if (!isUp(world)) return
  const { fleet } = world.provisioners.get(mainName)!
  world.invariants.onPaused(mainName, false)
  void fleet.resume().catch(() => world.invariants.onPaused(mainName, true))
}

const badGenerations = ['never_joins', 'script_fails', 'short_of_slots', 'vanishes'] as const

/** With a draw of 1 or more, to one that works. */
function changeGeneration(world: World, draw: number): void {
  world.generation++
  if (draw < 0.4) world.badGenerations.set(world.generation, badGenerations[Math.floor(draw * 10)]!)
  world.timeline.add('world', 'launches another generation', {
    generation: world.generation,
    fault: world.badGenerations.get(world.generation),
  })
  reconfigure(world)
}

function restartRollout(world: World): void {
  if (!isUp(world)) return
  world.invariants.onRolloutPaused(mainName, false)
  void world.provisioners.get(mainName)!.fleet.rollout('restart').catch(ignored)
}

function closeGate(world: World, ms: number): void {
  world.gateClosedAt ??= world.clock.now()
  const closedAt = world.gateClosedAt
  world.clock.after(ms, () => {
    if (world.gateClosedAt === closedAt) world.gateClosedAt = undefined
  })
}

function setMax(world: World, maxInstances: number): void {
  const { policy } = world
  world.policy = { ...policy, maxInstances, minInstances: Math.min(policy.minInstances, maxInstances) }
  reconfigure(world)
}

function reconfigure(world: World): void {
  for (const { life, fleet } of world.provisioners.values())
    if (life.alive && !life.suspended) fleet.reconfigure(settingsOf(world))
}

/** No more faults from here on: stopped processes restart, paused pools resume, VMs of other writers are adopted. */
function calmDown(world: World): void {
  world.timeline.add('world', 'has no faults from here on')
  world.gateClosedAt = undefined
  world.neighbours.leave()
  if (world.badGenerations.has(world.generation)) changeGeneration(world, 1)
  const { rollout } = world.policy
  if (rollout) world.policy = { ...world.policy, rollout: { ...rollout, maxLifetime: undefined } }
  reconfigure(world)
  world.provisioners.get(secondName)?.life.kill()
  for (const work of world.master.work.values()) if (work.unplaceable) work.state = 'done'
  if (world.hosts) calmHosts(world, world.hosts)
  else {
    world.provisioners.get(mainName)!.life.killAtCall(Number.POSITIVE_INFINITY, false)
    wakeUp(world)
    revive(world)
  }
  for (const after of [1, 60, 120, 240, 360])
    world.clock.after(after * 1000, () => {
      resume(world)
      if (world.policy.rollout) restartRollout(world)
      void world.provisioners.get(mainName)!.fleet.adopt().catch(ignored)
    })
}
