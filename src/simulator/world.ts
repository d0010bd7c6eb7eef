// A world: the cloud, the master, the lives of VMs, and the provisioners in it.
import type { UserData } from '../agent-setup/index.ts'
import type { LaunchInputs, PoolSettings } from '../fleet/index.ts'
import type { Policy } from '../planner/index.ts'
import { problem } from '../problems/index.ts'
import { type Cloud, type CloudInstance, createCloud, endInstance } from './cloud.ts'
import { createDisk, type Disk } from './disk.ts'
import { launchedWith } from './drift-checks.ts'
import { type BadGeneration, createFaults, type FaultSchedule, type InstanceLife, lifeOf } from './faults.ts'
import type { Hosts } from './host.ts'
import { createInvariants, type Invariants } from './invariants.ts'
import { createMaster, type Master, type PlacementRules } from './master.ts'
import { type Neighbours, noNeighbours, startNeighbours } from './neighbours.ts'
import { simulatedCluster, simulatedProvider } from './provider.ts'
import {
  type Provisioner,
  type ProvisionerOptions,
  type StartProvisioner,
  startProvisioner,
  type Watcher,
} from './provisioner.ts'
import { createRandom, type Random } from './random.ts'
import { generationIn } from './rollout-checks.ts'
import { scheduleOf } from './rollout-draws.ts'
import { clusterId, mainName, poolName, type Scenario, writerOf } from './scenario.ts'
import type { WorkWatcher } from './scheduler.ts'
import { createTimeline, createVirtualClock, type Timeline, type VirtualClock } from './virtual-clock.ts'

export interface World {
  readonly scenario: Scenario
  readonly random: Random
  readonly clock: VirtualClock
  readonly timeline: Timeline
  readonly faults: FaultSchedule
  readonly cloud: Cloud
  readonly master: Master
  readonly invariants: Invariants
  readonly neighbours: Neighbours
  /** The pool's current limits, which incidents change. */
  policy: Policy
  /** Number of renewals of the master's certificate: an agent joins only with the one its VM was launched with. */
  certificate: number
  readonly userData: UserData
  /** What instances are made from now, counted from 1, and what is wrong with some of them. */
  generation: number
  badGenerations: Map<number, BadGeneration>
  /** Since when a launched VM could not join; undefined while it could. */
  gateClosedAt: number | undefined
  /** The provisioner in this world: ours, or Determined's. */
  readonly start: StartProvisioner
  /** Provisioners by name; a dead one is replaced when it is started again. */
  provisioners: Map<string, Provisioner>
  disks: Map<string, Disk>
  lives: number
  /** By name of the provisioner: the writer names of each of its processes. */
  writers: Map<string, string[]>
  /** Milliseconds by which the machine's clock is wrong, and how often the machine was booted. */
  clockOffset: number
  boots: number
  /** Several provisioners that share a store; undefined: there is one, with a state folder. */
  hosts?: Hosts
}

/** `watcher` is called when a job starts or ends. */
export function createWorld(
  scenario: Scenario,
  start: StartProvisioner = startProvisioner,
  watcher?: WorkWatcher,
): World {
  const random = createRandom(scenario.seed)
  const clock = createVirtualClock(scenario.startsAt)
  const timeline = createTimeline(
    () => clock.now(),
    () => clock.steps,
  )
  const faults = createFaults(
    scenario,
    random,
    () => clock.now(),
    () => world.cloud,
    () => isWithoutMemory(world),
  )
  const world: World = {
    scenario,
    random,
    clock,
    timeline,
    faults: faults,
    cloud: createCloud({
      clock,
      faults: faults.faults,
      catalogue: Object.fromEntries(
        scenario.offerings.map(({ instanceType, slots }) => [instanceType, slots]),
      ),
      events: {
        onLaunchRequest: (order, isRepeat) =>
          timeline.add('cloud', `gets ${order.intent.id}${isRepeat ? ' again' : ''}`, {
            count: order.intent.count,
          }),
        onCreated: (vm) => {
          timeline.add('cloud', `makes ${vm.instance.id}`, { for: vm.instance.intentId })
          if (vm.instance.pool !== poolName) return world.neighbours.onCreated(vm)
          world.invariants.onCreated(vm)
          liveInstance(world, vm)
        },
        onTerminating: (vm) => vm.instance.pool === poolName && world.invariants.onTerminating(vm),
        onEnded: (vm) => (vm.instance.pool === poolName ? onEnded(world, vm) : world.neighbours.onEnded(vm)),
        onMismatch: ({ intent }) =>
          world.invariants.violated(4, `${intent.id} was sent again with another request`),
      },
    }),
    master: createMaster(
      scenario,
      random,
      clock,
      faults,
      timeline,
      placementRules(() => world),
      watcher,
    ),
    invariants: createInvariants(() => world),
    neighbours: noNeighbours,
    policy: scenario.policy,
    certificate: 1,
    generation: 1,
    badGenerations: new Map(),
    get userData() {
      return userDataOf(world.certificate, world.generation)
    },
    gateClosedAt: undefined,
    start,
    provisioners: new Map(),
    disks: new Map(),
    lives: 0,
    clockOffset: 0,
    boots: 1,
    writers: new Map(),
  }
  for (const job of scenario.jobs) clock.at(job.at, () => world.master.submit(job))
  if (!scenario.oddities.has('neighbours')) return world
  return Object.assign(world, { neighbours: startNeighbours(world, settingsOf(world)) })
}

/** As the built-in master, which is one process with its provisioner. */
function placementRules(world: () => World): PlacementRules {
  return {
    isKnown(id) {
      const main = world().provisioners.get(mainName)
      return main?.life.alive === true && main.fleet.admission(id) === 'yes'
    },
    onPlaced: (work) => world().invariants.onPlaced(work),
  }
}

/** Until two listings have shown what exists. */
function isWithoutMemory({ provisioners }: World): boolean {
  const main = provisioners.get(mainName)
  return (
    main?.life.alive === true &&
    main.fleet.status().snapshot?.holds.some(({ code }) => code === 'JOURNAL_MISSING') !== false
  )
}

function onEnded(world: World, vm: CloudInstance): void {
  const { id, stateReason } = vm.instance
  world.timeline.add('cloud', `ends ${id}`, { reason: stateReason })
  const { missedWithin = 60_000 } = world.scenario.given ?? {}
  const silence = world.random.fork('silence', id).whole(0, missedWithin / 1000) * 1000
  world.clock.after(silence, () => world.master.disconnect(id))
}

/** Starts a copy of the main provisioner's disk beside it. */
export function startClone(world: World, name: string): void {
  const { invariants, writers } = world
  diskOf(world, name).copy(diskOf(world, mainName))
  writers.set(name, [...(writers.get(mainName) ?? [])])
  invariants.onCloned(mainName, name)
  startInWorld(world, name)
}

/** Starts a provisioner with this name, for the first time or again, on the disk that its previous process left. */
export function startInWorld(world: World, name: string): Provisioner {
  const { invariants, timeline } = world
  const life = ++world.lives
  const writers = [...(world.writers.get(name) ?? []), writerOf(name, life)]
  world.writers.set(name, writers)
  timeline.add(name, 'starts')
  const options = provisionerOptions(world, name, life)
  const provisioner = world.start({ ...options, ownWriters: new Set(writers) })
  world.provisioners.set(name, provisioner)
  invariants.onStart(name)
  return provisioner
}

/** `life`: number of the process. */
export function provisionerOptions(
  world: World,
  name: string,
  life: number,
): Omit<ProvisionerOptions, 'ownWriters'> {
  const { random, clock, cloud, master, invariants, timeline } = world
  const owner = { clusterId, pool: poolName, writerId: writerOf(name, life) }
  return {
    owner,
    clock,
    clockOffset: world.clockOffset,
    bootMark: { boot: `boot ${world.boots}`, uptime: () => clock.now() - world.scenario.startsAt },
    disk: diskOf(world, name),
    provider: simulatedProvider(cloud, owner),
    cluster: world.scenario.oddities.has('shared_listing') ? simulatedCluster(cloud, clusterId) : undefined,
    demand: master.source(name),
    random: random.fork('provisioner', name, life),
    settings: settingsOf(world),
    launchInputs: () => launchInputsOf(world),
    launchedNow(fleet) {
      invariants.onCompare(name, fleet)
      return launchedWith(world.userData.sha256)
    },
    watcher: worstFor(world, invariants.watcher(name)),
    onEvent(event) {
      const { at: _, pool: __, kind, ...details } = event
      timeline.add(name, kind, details)
      invariants.onEvent(name, event)
    },
    onFault: (message, fields) =>
      invariants.violated(0, `${message}: ${String((fields as { error?: unknown }).error)}`),
    onDeath(atCall) {
      timeline.add(name, 'dies')
      if (atCall) invariants.onLossyCrash(name)
    },
  }
}

/** Undrains that are under way arrive at the worst moment: once their agent's instance is to be terminated. */
function worstFor({ master }: World, watcher: Watcher): Watcher {
  return {
    ...watcher,
    onTerminateCall(ids) {
      watcher.onTerminateCall(ids)
      for (const id of ids) master.hasten(id)
    },
  }
}

export function diskOf(world: World, name: string): Disk {
  let disk = world.disks.get(name)
  if (!disk) {
    disk = createDisk((record) => world.invariants.onWritten(name, record))
    world.disks.set(name, disk)
  }
  return disk
}

export function settingsOf({ scenario, policy }: World): PoolSettings {
  return {
    policy,
    offerings: scenario.offerings,
    launchError: scenario.given?.launchError ?? { timeout: 0, retries: 0 },
    visibility: scenario.given?.visibility ?? 180_000,
    ...(scenario.window && { schedule: scheduleOf(scenario.window) }),
  }
}

function launchInputsOf({ userData, gateClosedAt, scenario }: World): LaunchInputs {
  if (gateClosedAt !== undefined)
    return {
      kind: 'refused',
      problem: problem('LAUNCH_NOT_READY', 'the preflight of the simulated master fails'),
    }
  const probe = !scenario.given && scenario.seed.length % 4 === 0
  return { kind: 'ready', userData, version: 'simulated', probe }
}

/** An agent trusts the certificate that its instance was launched with. */
function certificateIn(sha256: string): string | undefined {
  return /^sha-(\d+)/.exec(sha256)?.[1]
}

function userDataOf(certificate: number, generation: number): UserData {
  const suffix = generation > 1 ? `-g${generation}` : ''
  const script = `certificate ${certificate}${suffix}`
  const packed = new TextEncoder().encode(script)
  const bytes = { script: packed.byteLength, packed: packed.byteLength }
  return { script, encoding: 'plain', packed, bytes, sha256: `sha-${certificate}${suffix}` }
}

export function isCalm({ clock, scenario }: World): boolean {
  return clock.now() >= scenario.calmAt
}

// The behaviour of a VM, from its launch to its end, by the life drawn for it.

const second = 1000

export function liveInstance(world: World, vm: CloudInstance): void {
  const { scenario, random, clock, cloud, master, timeline } = world
  const { id } = vm.instance
  const bad = world.badGenerations.get(generationIn(vm.sha256))
  const life = lifeOf(scenario, random, cloud.created, clock.now(), bad)
  const isUp = () => vm.endedAt === undefined
  if (life.fault) timeline.add('world', `${id} will be: ${life.fault}`)

  if (life.joinsAfter !== undefined)
    clock.after(life.joinsAfter, () => {
      if (isUp()) join(world, vm, life)
    })
  clock.after(life.faultAfter, () => {
    // In a calm world, only faults that existed from the beginning still occur.
    if (isUp() && (!isCalm(world) || life.joinsAfter === undefined)) strike()
  })

  function strike(): void {
    switch (life.fault) {
      case 'never_joins':
      case 'script_fails':
        vm.console += `PROVISION_STAGE=${life.stage}\n`
        endInstance(cloud, vm, 'its script failed', scenario.seed.length % 2 ? 'stopping' : 'stopped')
        break
      case 'flaps':
        flap(5)
        break
      case 'cut_off':
        master.disconnect(id)
        break
      case 'vanishes':
        endInstance(cloud, vm, 'the machine failed')
        break
      case 'stops':
        endInstance(cloud, vm, 'stopped by a user', 'stopped')
        break
      case 'spot_notice':
      case 'spot_notice_alone':
        vm.instance.interruptedAt = clock.now()
        timeline.add('cloud', `will interrupt ${id}`)
        if (life.fault === 'spot_notice')
          clock.after(120 * second, () => isUp() && endInstance(cloud, vm, 'interrupted by the cloud'))
        break
      case 'spot_without_notice':
        endInstance(cloud, vm, 'interrupted by the cloud')
    }
  }

  function flap(times: number): void {
    if (!isUp() || times === 0) return
    master.disconnect(id)
    const draw = random.fork('flap', id, times)
    clock.after(draw.whole(2, 50) * second, () => isUp() && join(world, vm, life))
    clock.after(draw.whole(60, 150) * second, () => flap(times - 1))
  }
}

function join(world: World, vm: CloudInstance, { fault }: InstanceLife): void {
  const { master, timeline, userData, cloud } = world
  const { id } = vm.instance
  if (certificateIn(vm.sha256) !== certificateIn(userData.sha256) && !master.agents.has(id)) {
    vm.console += 'PROVISION_STAGE=tls_unknown_ca\n'
    timeline.add('world', `${id} does not trust the renewed certificate`)
    endInstance(cloud, vm, 'its script failed')
    return
  }
  vm.console += 'PROVISION_STAGE=agent_connected\n'
  const slots = fault === 'short_of_slots' ? vm.slots - 1 : vm.slots
  if (slots === vm.slots) vm.joinedAt ??= world.clock.now()
  master.join(id, slots, fault === 'broken_agent')
}
