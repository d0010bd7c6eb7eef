// Several provisioners of one cluster: each on a host of its own, with a clock of its own and a shared store in which they
// take leases on pools. To the checks all of them are one provisioner, the leader of the world's pool.

import type { FleetEvent } from '../fleet/index.ts'
import { ProvisionError } from '../problems/index.ts'
import { createLeading, type Leading, type Unit } from '../provisioner/index.ts'
import { memoryLeases } from '../state/index.ts'
import { type Host, type Hosts, type HostTerm, leaderOf, ledPools, noteStopping } from './host.ts'
import { createLife } from './life.ts'
import { losingDisk } from './lost-commits.ts'
import type { Watcher } from './provisioner.ts'
import { type Incident, mainName, poolName, writerOf } from './scenario.ts'
import { createLink, type Link, reachedLeases, sharedJournal } from './shared-store.ts'
import { provisionerOptions, settingsOf, type World } from './world.ts'

const second = 1000
/** Clocks of hosts differ by up to that much from the true time. */
const mostSkew = 300

/** Starts them: the first at once, the others within a minute. */
export function startHosts(world: World): Hosts {
  const { random, clock } = world
  const draw = random.fork('hosts')
  const count = draw.whole(2, 3)
  const leases = memoryLeases(() => clock.now())
  const all = Array.from({ length: count }, (_, index): Host => {
    const clockOffset = draw.whole(-mostSkew, mostSkew) * second
    const name = `host-${index + 1}`
    const life = createLife(() => {})
    life.kill()
    const off = {
      leading: noLeading,
      leaving: false,
      term: undefined,
      stopsIn: 0,
      stopsFor: 0,
      stopsAtLaunch: false,
    }
    return { name, clockOffset, index, starts: 0, life, ...off }
  })
  const hosts: Hosts = {
    all,
    leases,
    writers: new Set(),
    newest: undefined,
    lossDue: undefined,
    losses: 0,
    settledLosses: 0,
    draw,
  }
  for (const host of all) {
    if (host.index === 0) startHost(world, hosts, host)
    else clock.after(draw.whole(0, 60) * second, () => revive(world, hosts, host))
  }
  return hosts
}

const noLeading: Leading = {
  start: async () => {},
  stop: async () => {},
  leaderOf: () => undefined,
  epochOf: () => undefined,
  others: () => [],
  problems: () => [],
  fault: () => undefined,
}

function startHost(world: World, hosts: Hosts, host: Host): void {
  const { clock, timeline, invariants } = world
  const life = createLife((atCall) => {
    timeline.add(host.name, 'dies')
    if (atCall && host.term) invariants.onLossyCrash(mainName)
    endTerm(world, hosts, host)
  })
  const draw = hosts.draw.fork(host.name, ++host.starts)
  const link = createLink({ clock, faults: world.faults, draw, index: host.index, hosts: hosts.all.length })
  const ownClock = life.crashable({
    now: () => clock.now() + host.clockOffset,
    sleep: (ms: number, signal?: AbortSignal) => clock.sleep(ms, signal),
  })
  const process = { pid: host.starts, start: undefined, boot: undefined, pidNamespace: undefined }
  const about = { ...process, host: host.name, since: ownClock.now(), version: '1', configuration: 'a' }
  const self = {
    id: `${host.name}/${host.starts}`,
    ...about,
    pinned: [],
    configured: ledPools,
    wants: 'share' as const,
  }
  const silent = () => {}
  timeline.add(host.name, 'starts')
  Object.assign(host, { life, leaving: false, term: undefined, stopsIn: 0 })
  host.leading = createLeading({
    leases: life.crashable(reachedLeases(hosts.leases, link)),
    self: () => self,
    units: new Map(
      ledPools.map((pool) => [pool, pool === poolName ? poolUnit(world, hosts, host, link) : idleUnit]),
    ),
    clock: ownClock,
    logger: { debug: silent, info: silent, warn: silent, error: silent },
    random: draw.next,
  })
  // As a daemon that cannot reach its store when it starts: something starts it again.
  void host.leading.start().catch(() => {
    if (life === host.life && life.alive) kill(world, hosts, host, 2 * second)
  })
}

const idleUnit: Unit = { lead: async () => {}, leave: async () => {}, abandon: async () => {} }

function poolUnit(world: World, hosts: Hosts, host: Host, link: Link): Unit {
  const { life } = host
  return {
    async lead(term) {
      // Its promises never resolve once it is dead.
      if (!life.alive) return new Promise<never>(() => {})
      const epoch = term.epoch()
      if (!epoch) throw new Error('the lease is over')
      beginTerm(world, hosts, host, { term, epoch, link })
    },
    leave: () => leave(world, hosts, host),
    async abandon() {
      if (!life.alive) return
      host.term?.provisioner.fleet.abandon()
      endTerm(world, hosts, host)
    },
  }
}

type Begun = Pick<HostTerm, 'term' | 'epoch' | 'link'>

function beginTerm(world: World, hosts: Hosts, host: Host, { term, epoch, link }: Begun): void {
  const { clock, invariants } = world
  const { life } = host
  world.timeline.add(host.name, `leads in epoch ${epoch.number}`)
  if (hosts.newest && hosts.newest !== host) invariants.onTimeUnknown(mainName)
  const number = ++world.lives
  hosts.writers.add(writerOf(mainName, number))
  const held: Omit<HostTerm, 'provisioner' | 'link'> = { term, epoch, isLed: true }
  const { losses } = hosts
  const disk = sharedJournal({
    disk: losingDisk(world, hosts, (one, held) => beginTerm(world, hosts, one, held)),
    link,
    epoch: term.epoch,
    isNewest: (written) => hosts.leases.isNewest(poolName, written),
    onAccepted: (written) => invariants.onAccepted(written),
    onRewritten() {
      hosts.settledLosses = Math.max(hosts.settledLosses, losses)
    },
  })
  const options = provisionerOptions(world, mainName, number)
  const provisioner = world.start({
    ...options,
    watcher: watcherOf(
      options.watcher,
      () => invariants.onActing(host.name, held.epoch),
      () => hosts.newest === host,
    ),
    ownWriters: hosts.writers,
    clockOffset: host.clockOffset,
    bootMark: {
      boot: `boot of ${host.name}`,
      uptime: () => clock.now() - world.scenario.startsAt,
    },
    disk,
    journalDamaged: losses > hosts.settledLosses,
    onEvent: (event) => onEvent(world, hosts, host, held, event),
    onFault(message, fields) {
      const { error } = fields as { error?: unknown }
      if (!isOfStore(error)) invariants.violated(0, `${message}: ${String(error)}`)
    },
    term: {
      life,
      isLed: term.isCurrent,
      gap: (call) => gap(world, hosts, host, call),
    },
  })
  host.term = Object.assign(held, { provisioner, link })
  hosts.newest = host
  world.provisioners.set(mainName, provisioner)
  invariants.onStart(mainName)
}

/**
 * After each step: a leader whose lease is over keeps what it knows. It may lead again, in a later epoch, if nobody else has
 * led meanwhile.
 */
export function followTerms(world: World, hosts: Hosts): void {
  for (const host of hosts.all) {
    const held = host.term
    if (!held || !host.life.alive) continue
    const epoch = held.term.epoch()
    if (epoch) held.epoch = epoch
    if (held.isLed === (epoch !== undefined)) continue
    held.isLed = epoch !== undefined
    world.timeline.add(host.name, epoch ? `leads again in epoch ${epoch.number}` : 'has lost the pool')
    if (hosts.newest !== host) continue
    if (epoch && held.isClosed) beginTerm(world, hosts, host, held)
    else if (epoch) world.invariants.onTermAgain(mainName)
    else {
      world.invariants.onLossyCrash(mainName)
      world.invariants.onTermOver(mainName)
    }
  }
}

/**
 * The observer of a term: `act` comes before each call that changes something. A host whose lease is over keeps reading
 * until it knows who leads; what it reads then is not what the leader knows.
 */
function watcherOf(watcher: Watcher, act: () => void, isNewest: () => boolean): Watcher {
  const after =
    <T>(call: (what: T) => void) =>
    (what: T) => {
      act()
      call(what)
    }
  const ifNewest =
    <T extends unknown[]>(call: (...what: T) => void) =>
    (...what: T) => {
      if (isNewest()) call(...what)
    }
  return {
    ...watcher,
    onLaunchCall: after(watcher.onLaunchCall),
    onTerminateCall: after(watcher.onTerminateCall),
    onDrainCall: after(watcher.onDrainCall),
    onUndrainCall: after(watcher.onUndrainCall),
    onListCall: ifNewest(watcher.onListCall),
    onListed: ifNewest(watcher.onListed),
    onRead: ifNewest(watcher.onRead),
  }
}

/** Errors of a store that is out of reach, or whose lease is over, are no errors of the loop. */
function isOfStore(error: unknown): boolean {
  return error instanceof ProvisionError && error.problems.some(({ code }) => code.startsWith('STATE_'))
}

function onEvent(
  world: World,
  hosts: Hosts,
  host: Host,
  held: Omit<HostTerm, 'provisioner' | 'link'>,
  event: FleetEvent,
): void {
  const { at: _, pool: __, kind, ...details } = event
  world.timeline.add(host.name, kind, details)
  if (kind === 'decided') world.invariants.onActing(host.name, held.epoch)
  if (hosts.newest === host && host.term === held) world.invariants.onEvent(mainName, event)
}

/** The await between the last check of the lease and the socket. */
async function gap(world: World, hosts: Hosts, host: Host, call: string): Promise<void> {
  const { life } = host
  const counts = !host.stopsAtLaunch || call === 'launch'
  if (counts && host.stopsIn > 0 && --host.stopsIn === 0) {
    suspend(world, hosts, host, host.stopsFor)
    // Who takes over cannot send the same request any more.
    if (host.stopsAtLaunch && world.scenario.faults.includes('certificate_renewed')) world.certificate++
  }
  if (life.suspended) await life.awake()
  if (!life.alive) await new Promise(() => {})
}

async function leave(world: World, hosts: Hosts, host: Host): Promise<void> {
  const { term, life } = host
  if (!term) return
  world.timeline.add(host.name, 'gives up the pool')
  noteStopping(world, hosts, host)
  term.isEnding = true
  await term.provisioner.fleet.stop()
  if (host.term !== term) return
  // Without the lease it may undrain nothing.
  if (life.alive && term.isLed) world.invariants.onStopped(mainName)
  endTerm(world, hosts, host)
}

function endTerm(world: World, hosts: Hosts, host: Host): void {
  if (host.term?.isLed && hosts.newest === host) world.invariants.onTermOver(mainName)
  host.term = undefined
}

// What happens to hosts.

/** Returns false for what happens to a world of any kind. */
export function happenToHosts(world: World, hosts: Hosts, { kind, lasts, draw }: Incident): boolean {
  const { clock } = world
  const leader = leaderOf(hosts)
  const running = hosts.all.filter(({ life, leaving }) => life.alive && !life.suspended && !leaving)
  const chosen = running[Math.floor(draw * 997) % Math.max(1, running.length)]
  const isRunning = leader !== undefined && running.includes(leader)
  switch (kind) {
    case 'crash':
      if (isRunning) kill(world, hosts, leader, lasts)
      return true
    case 'crash_in_call':
      if (!isRunning) return true
      leader.life.killAtCall(1 + Math.floor(draw * 40), draw * 1000 - Math.floor(draw * 1000) < 0.5)
      clock.after(lasts, () => revive(world, hosts, leader))
      return true
    case 'crash_loop':
      for (let after = 0; after < 2 * lasts; after += 15 * second)
        clock.after(after, () => {
          const next = leaderOf(hosts)
          if (next && clock.now() < world.scenario.calmAt) kill(world, hosts, next, second)
        })
      return true
    case 'restart':
      if (isRunning) goAway(world, hosts, leader, lasts)
      return true
    case 'suspended':
      if (isRunning) suspend(world, hosts, leader, 2 * lasts)
      return true
    case 'stopped_in_call':
      if (isRunning)
        Object.assign(leader, {
          stopsAtLaunch: draw < 0.5,
          stopsIn: draw < 0.5 ? 1 : 1 + Math.floor(draw * 4),
          stopsFor: 5 * second + 3 * lasts,
        })
      return true
    case 'host_killed':
      if (chosen) kill(world, hosts, chosen, lasts)
      return true
    case 'host_leaves':
      if (chosen) goAway(world, hosts, chosen, lasts)
      return true
    case 'commits_lost':
      hosts.lossDue = draw
      return true
    case 'host_suspended':
      if (chosen) suspend(world, hosts, chosen, 2 * lasts)
      return true
    default:
      return false
  }
}

function kill(world: World, hosts: Hosts, host: Host, downFor: number): void {
  host.life.kill()
  world.clock.after(downFor, () => revive(world, hosts, host))
}

function revive(world: World, hosts: Hosts, host: Host): void {
  if (!host.life.alive) startHost(world, hosts, host)
}

function goAway(world: World, hosts: Hosts, host: Host, awayFor: number): void {
  const { life } = host
  host.leaving = true
  void host.leading.stop().then(() => {
    life.kill()
    world.clock.after(awayFor, () => revive(world, hosts, host))
  })
}

function suspend(world: World, hosts: Hosts, host: Host, ms: number): void {
  const { life } = host
  life.suspend()
  world.timeline.add(host.name, 'is suspended', { for: ms / second })
  if (host.term && hosts.newest === host) world.invariants.onSuspended(mainName)
  world.clock.after(ms, () => {
    if (life === host.life) wakeUp(world, hosts, host)
  })
}

function wakeUp(world: World, hosts: Hosts, host: Host): void {
  if (!host.life.alive || !host.life.suspended) return
  world.timeline.add(host.name, 'resumes')
  // One whose lease was over before decides nothing now.
  if (host.term?.isLed && hosts.newest === host) world.invariants.onAwake(mainName)
  host.life.resume()
  host.term?.provisioner.fleet.reconfigure(settingsOf(world))
}

/** No more faults: all hosts run. */
export function calmHosts(world: World, hosts: Hosts): void {
  for (const host of hosts.all) {
    host.stopsIn = 0
    host.life.killAtCall(Number.POSITIVE_INFINITY, false)
    wakeUp(world, hosts, host)
    if (!host.leaving) revive(world, hosts, host)
  }
}
