// Several provisioners of one cluster: each on a host of its own, with a clock of its own and a shared store in which they
// take leases on pools. To the checks all of them are one provisioner, the leader of the world's pool.

import type { FleetEvent } from '../fleet/index.ts'
import { ProvisionError } from '../problems/index.ts'
import { createLeadership, type Epoch, type Leadership, memoryLeases } from '../state/index.ts'
import { type Host, type Hosts, leaderOf, ledPools } from './host.ts'
import { createLife } from './life.ts'
import type { Watcher } from './provisioner.ts'
import { type Incident, mainName, poolName, writerOf } from './scenario.ts'
import { createLink, reachedLeases, sharedJournal } from './shared-store.ts'
import { diskOf, provisionerOptions, settingsOf, type World } from './world.ts'

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
      leadership: noLeadership,
      leaving: false,
      term: undefined,
      stopsIn: 0,
      stopsFor: 0,
      stopsAtLaunch: false,
    }
    return { name, clockOffset, index, starts: 0, life, ...off }
  })
  const hosts: Hosts = { all, leases, writers: new Set(), newest: undefined, draw }
  for (const host of all) {
    if (host.index === 0) startHost(world, hosts, host)
    else clock.after(draw.whole(0, 60) * second, () => revive(world, hosts, host))
  }
  return hosts
}

const noLeadership: Leadership = {
  start: async () => {},
  epochOf: () => undefined,
  giveUp: async () => {},
  stop: async () => {},
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
  const pools = { pools: ledPools, pinned: [], configured: ledPools }
  const self = { id: `${host.name}/${host.starts}`, ...about, ...pools, wants: 'share' as const }
  timeline.add(host.name, 'starts')
  Object.assign(host, { life, leaving: false, term: undefined, stopsIn: 0 })
  host.leadership = createLeadership({
    store: life.crashable(reachedLeases(hosts.leases, link)),
    self: () => self,
    clock: ownClock,
    random: draw.next,
    lead(pool, epoch) {
      if (pool === poolName) lead(world, hosts, host, epoch)
    },
    leave: async (pool) => (pool === poolName ? leave(world, hosts, host) : undefined),
    onLost(pool) {
      if (pool === poolName) lose(world, hosts, host)
    },
    onError: () => {},
  })
  // As a daemon that cannot reach its store when it starts: something starts it again.
  void host.leadership.start().catch(() => {
    if (life === host.life && life.alive) kill(world, hosts, host, 2 * second)
  })

  function lead(world: World, hosts: Hosts, host: Host, epoch: Epoch): void {
    timeline.add(host.name, `leads in epoch ${epoch.number}`)
    if (hosts.newest && hosts.newest !== host) invariants.onTimeUnknown(mainName)
    const number = ++world.lives
    hosts.writers.add(writerOf(mainName, number))
    const isNewest = () => hosts.leases.isNewest(poolName, epoch)
    const disk = sharedJournal({
      disk: diskOf(world, mainName),
      link,
      isNewest,
      onAccepted: () => invariants.onAccepted(epoch),
    })
    const options = provisionerOptions(world, mainName, number)
    const provisioner = world.start({
      ...options,
      watcher: {
        ...options.watcher,
        ...whoActs(options.watcher, () => invariants.onActing(host.name, epoch)),
      },
      ownWriters: hosts.writers,
      clockOffset: host.clockOffset,
      bootMark: {
        boot: `boot of ${host.name}`,
        uptime: () => clock.now() - world.scenario.startsAt,
      },
      disk,
      onEvent: (event) => onEvent(world, hosts, host, epoch, event),
      onFault(message, fields) {
        const { error } = fields as { error?: unknown }
        if (!isOfStore(error)) invariants.violated(0, `${message}: ${String(error)}`)
      },
      term: {
        life,
        isLed: () => host.leadership.epochOf(poolName) === epoch,
        gap: (call) => gap(world, hosts, host, call),
      },
    })
    host.term = { epoch, provisioner }
    hosts.newest = host
    world.provisioners.set(mainName, provisioner)
    invariants.onStart(mainName)
  }
}

/** The observer of calls that change something, after `act`. */
function whoActs(
  { onLaunchCall, onTerminateCall, onDrainCall, onUndrainCall }: Watcher,
  act: () => void,
): Partial<Watcher> {
  const after =
    <T>(call: (what: T) => void) =>
    (what: T) => {
      act()
      call(what)
    }
  return {
    onLaunchCall: after(onLaunchCall),
    onTerminateCall: after(onTerminateCall),
    onDrainCall: after(onDrainCall),
    onUndrainCall: after(onUndrainCall),
  }
}

/** Errors of a store that is out of reach, or whose lease is over, are no errors of the loop. */
function isOfStore(error: unknown): boolean {
  return error instanceof ProvisionError && error.problems.some(({ code }) => code.startsWith('STATE_'))
}

function onEvent(world: World, hosts: Hosts, host: Host, epoch: Epoch, event: FleetEvent): void {
  const { at: _, pool: __, kind, ...details } = event
  world.timeline.add(host.name, kind, details)
  if (kind === 'decided') world.invariants.onActing(host.name, epoch)
  if (hosts.newest === host && host.term?.epoch === epoch) world.invariants.onEvent(mainName, event)
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
  world.invariants.onStopping(mainName)
  await term.provisioner.fleet.stop()
  if (host.term !== term) return
  if (life.alive) world.invariants.onStopped(mainName)
  endTerm(world, hosts, host)
}

function lose(world: World, hosts: Hosts, host: Host): void {
  world.timeline.add(host.name, 'has lost the pool')
  if (host.term && hosts.newest === host) world.invariants.onLossyCrash(mainName)
  host.term?.provisioner.fleet.abandon()
  endTerm(world, hosts, host)
}

function endTerm(world: World, hosts: Hosts, host: Host): void {
  if (host.term && hosts.newest === host) world.invariants.onTermOver(mainName)
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
  void host.leadership.stop().then(() => {
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
  if (host.term && hosts.newest === host) world.invariants.onAwake(mainName)
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
