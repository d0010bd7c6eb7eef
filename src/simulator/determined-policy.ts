// The loop of Determined's provisioner on the same ports, written from its behaviour: every 5 s, list, classify,
// terminate, launch.
// See its provisioner.go (loop) and aws.go (launch without its own token, no memory of launches).
import type { UserData } from '../agent-setup/index.ts'
import type { FleetEvent, PoolSettings, PoolStatus } from '../fleet/index.ts'
import type {
  ActReason,
  AgentDecision,
  Decision,
  KnownInstance,
  LaunchDecision,
  PendingAllocation,
  Policy,
  Snapshot,
} from '../planner/index.ts'
import { createLife, type Life } from './life.ts'
import { type Provisioner, type ProvisionerOptions, watchedDemand, watchedProvider } from './provisioner.ts'

const tick = 5_000

/** Determined's provisioner has no journal, no gate, no pause and no manual orders: such calls are ignored. */
export function startDeterminedProvisioner(options: ProvisionerOptions): Provisioner {
  const life = createLife(options.onDeath)
  let settings = options.settings
  let pending = 0
  void loop(
    options,
    life,
    () => settings,
    (count) => {
      pending = count
    },
  )
  return {
    owner: options.owner,
    clockOffset: options.clockOffset,
    life,
    fleet: {
      stop: async () => life.kill(),
      abandon: () => life.kill(),
      pause: async () => {},
      resume: async () => {},
      rollout: async () => {},
      adopt: async () => [],
      remove: async () => [],
      reconfigure(changed) {
        settings = changed
      },
      admission: () => 'no',
      status: () => emptyStatus(options.owner.pool, options.clock.now(), pending, settings.policy),
    },
  }
}

async function loop(
  options: ProvisionerOptions,
  life: Life,
  settings: () => PoolSettings,
  sees: (pending: number) => void,
): Promise<never> {
  const { owner, clock, random, watcher, onEvent } = options
  const provider = life.crashable(watchedProvider(options.provider, watcher, () => clock.now()))
  const demand = life.crashable(watchedDemand(options.demand, watcher, () => clock.now()))
  const crashableClock = life.crashable(clock)
  const ids = random.fork('ids')
  let timers: DeterminedTimers = noTimers
  let userData: UserData | undefined
  for (;;) {
    await crashableClock.sleep(tick)
    try {
      await turn()
    } catch {
      // Any failure ends the tick; the next one starts from scratch (provisioner.go).
    }
  }

  async function turn(): Promise<void> {
    const listing = await provider.list()
    if (!listing.complete) return
    const { pending, agents } = await demand.read(owner.pool)
    sees(pending.length)
    const { policy, offerings } = settings()
    const now = clock.now()
    const instances = listing.instances.map((i): KnownInstance => ({ ...i, knownSince: i.launchedAt }))
    const known = agents.map((agent) => ({ ...agent, settledSince: now }))
    const plan = planAsDetermined({ instances, agents: known, pending, offerings }, policy, now, timers)
    timers = plan.timers
    for (const decision of plan.decisions) await act(decision)
  }

  async function act(decision: Decision): Promise<void> {
    if (decision.kind === 'terminate') {
      onEvent(decided(decision.ids, decision))
      await provider.terminate(decision.ids)
    }
    const material = options.launchInputs()
    // No preflight: it launches whatever the preflight reports.
    if (material.kind === 'ready') userData = material.userData
    if (decision.kind !== 'launch' || !userData) return
    onEvent(decided([], decision))
    const id = `launch-${ids.whole(0, 2 ** 31)}-${ids.whole(0, 2 ** 31)}`
    const intent = { id, count: decision.count, offerings: decision.offerings }
    await provider.launch({ intent, owner, userData })
  }

  function decided(ids: string[], { kind, reason }: AgentDecision | LaunchDecision): FleetEvent {
    return { at: clock.now(), pool: owner.pool, kind: 'decided', move: kind, ids, count: ids.length, reason }
  }
}

function emptyStatus(pool: string, at: number, pending: number, policy: Policy): PoolStatus {
  return {
    pool,
    at,
    pending,
    policy,
    paused: false,
    live: 0,
    joined: 0,
    inFlight: 0,
    blocked: [],
    breaker: { state: 'closed' },
    foreignWriters: [],
    problems: [],
    instances: [],
    decisions: [],
    blockedSince: new Map(),
    nextPollAt: 0,
    offerings: [],
  }
}

// The exact decisions of Determined's provisioner (scaledecider/scale_decider.go), which plan() is compared with.

/** Decisions, and the timers to pass next time. The pool has one size of VM: that of its first offering. */
export function planAsDetermined(
  snapshot: Pick<Snapshot, 'instances' | 'agents' | 'pending' | 'offerings'>,
  policy: Policy,
  now: number,
  timers: DeterminedTimers = noTimers,
): { decisions: Decision[]; timers: DeterminedTimers } {
  const classes = classifyAsDetermined(snapshot, policy, now, timers)
  const slots = snapshot.offerings[0]?.slots ?? 0
  const desired = desiredByDetermined(snapshot.pending, slots, policy.maxAuxPerAgent)
  const count = launchesOfDetermined(classes, desired, policy)
  const decisions: Decision[] = terminationsOfDetermined(classes, policy)
  if (count > 0)
    decisions.push({
      kind: 'launch',
      count,
      offerings: snapshot.offerings.slice(0, 1),
      reason: { code: 'WORK_WAITS', numbers: { desired, counted: classes.counted.length } },
    })
  return { decisions, timers: classes.timers }
}

/** max(0, clamp(min - counted, desired - recently launched, max - counted)). */
export function launchesOfDetermined(
  { counted, recentlyLaunched }: Pick<DeterminedClasses, 'counted' | 'recentlyLaunched'>,
  desired: number,
  { minInstances, maxInstances }: Pick<Policy, 'minInstances' | 'maxInstances'>,
): number {
  const least = minInstances - counted.length
  const most = maxInstances - counted.length
  return Math.max(0, Math.min(Math.max(desired - recentlyLaunched.length, least), most))
}

/** Stopped instances are chosen but were never counted: the arithmetic of Determined's provisioner, kept as it is. */
export function terminationsOfDetermined(
  classes: DeterminedClasses,
  { minInstances, maxInstances }: Pick<Policy, 'minInstances' | 'maxInstances'>,
): AgentDecision[] {
  const chosen = new Set<string>()
  const decisions: AgentDecision[] = []
  const left = () => classes.counted.length - chosen.size
  const choose = (code: ActReason, ids: string[], more: () => boolean): void => {
    const picked: string[] = []
    for (const id of ids) {
      if (!more()) break
      if (chosen.has(id)) continue
      chosen.add(id)
      picked.push(id)
    }
    if (picked.length > 0)
      decisions.push({
        kind: 'terminate',
        ids: picked,
        reason: { code, numbers: { counted: classes.counted.length } },
      })
  }
  choose('STOPPED', classes.stopped, () => true)
  choose('LONG_DISCONNECTED', classes.longDisconnected, () => true)
  choose('LONG_IDLE', classes.longIdle, () => left() > minInstances)
  const newestFirst = [...classes.counted].sort((a, b) => b.launchedAt - a.launchedAt).map((i) => i.id)
  choose('ABOVE_MAX', [...classes.idle, ...classes.disconnected, ...newestFirst], () => left() > maxInstances)
  return decisions
}

// The classes of instances and the two timers of Determined's provisioner (scaledecider/scale_decider.go), for
// comparison.

/** Since when each instance is idle or disconnected; Determined's provisioner keeps it in memory only. */
export interface DeterminedTimers {
  idle: ReadonlyMap<string, number>
  disconnected: ReadonlyMap<string, number>
}

export const noTimers: DeterminedTimers = { idle: new Map(), disconnected: new Map() }

export interface DeterminedClasses {
  /** The instances it counts: starting and running. Stopped ones are not included. */
  counted: KnownInstance[]
  stopped: string[]
  recentlyLaunched: string[]
  idle: string[]
  longIdle: string[]
  disconnected: string[]
  longDisconnected: string[]
  timers: DeterminedTimers
}

export function classifyAsDetermined(
  { instances, agents }: Pick<Snapshot, 'instances' | 'agents'>,
  policy: Pick<Policy, 'maxIdle' | 'bootTimeout' | 'maxDisconnected'>,
  now: number,
  timers: DeterminedTimers = noTimers,
): DeterminedClasses {
  const connected = new Map(agents.filter((a) => a.connected).map((a) => [a.id, a]))
  const idle = new Map<string, number>()
  const disconnected = new Map<string, number>()
  const classes: DeterminedClasses = {
    counted: [],
    stopped: [],
    recentlyLaunched: [],
    idle: [],
    longIdle: [],
    disconnected: [],
    longDisconnected: [],
    timers: { idle, disconnected },
  }
  for (const instance of [...instances].sort((a, b) => (a.id < b.id ? -1 : 1))) {
    const { id, state, launchedAt } = instance
    if (state === 'stopped') classes.stopped.push(id)
    if (state !== 'starting' && state !== 'running') continue
    classes.counted.push(instance)
    const agent = connected.get(id)
    if (agent) {
      if (agent.busy) continue
      const since = timers.idle.get(id) ?? now
      idle.set(id, since)
      classes.idle.push(id)
      if (now > since + policy.maxIdle) classes.longIdle.push(id)
    } else if (launchedAt + policy.bootTimeout > now) {
      classes.recentlyLaunched.push(id)
    } else {
      const since = timers.disconnected.get(id) ?? now
      disconnected.set(id, since)
      classes.disconnected.push(id)
      if (now > since + policy.maxDisconnected) classes.longDisconnected.push(id)
    }
  }
  return classes
}

// The demand formula of Determined's provisioner (agentrm/scaling.go).

/** VMs wanted for the pending allocations, with so many slots and at most so many auxiliary allocations on each. */
export function desiredByDetermined(
  pending: readonly PendingAllocation[],
  slotsPerInstance: number,
  maxAuxPerAgent: number,
): number {
  let aux = 0
  const jobs = new Map<string, { slots: number; maxSlots: number }>()
  for (const { id, slots, job, maxSlots } of pending) {
    if (slots === 0) {
      aux++
      continue
    }
    if (slotsPerInstance === 0) continue
    if (slots > slotsPerInstance && slots % slotsPerInstance !== 0) continue
    const key = job === undefined ? `allocation ${id}` : `job ${job}`
    const sum = jobs.get(key) ?? { slots: 0, maxSlots: maxSlots ?? Number.POSITIVE_INFINITY }
    sum.slots += slots
    jobs.set(key, sum)
  }
  const slots = [...jobs.values()].reduce((total, job) => total + Math.min(job.slots, job.maxSlots), 0)
  const forAux = aux > 0 && maxAuxPerAgent > 0 ? Math.ceil(aux / maxAuxPerAgent) : 0
  const forSlots = slotsPerInstance > 0 ? Math.ceil(slots / slotsPerInstance) : 0
  return Math.max(forAux, forSlots)
}
