// The origin's loop, written from the facts, on the same ports: every 5 s, list, classify, terminate, launch.
// Origin: provisioner.go (loop), aws.go (launch without a token of its own, no memory of what was launched).

import type { UserData } from '../agent-setup/user-data.ts'
import type { FleetEvent } from '../fleet/events.ts'
import type { PoolSettings } from '../fleet/settings.ts'
import type { PoolStatus } from '../fleet/status.ts'
import type { Decision } from '../planner/decision.ts'
import type { Policy } from '../planner/policy.ts'
import type { KnownInstance } from '../planner/snapshot.ts'
import { noTimers, type OriginTimers } from './classify.ts'
import { createLife, type Life } from './mortal.ts'
import { originPlan } from './plan.ts'
import type { Provisioner, ProvisionerOptions } from './provisioner.ts'
import { watchedDemand, watchedProvider } from './watch.ts'

const tick = 5_000

/** The origin has no journal, no gate, no pause and no orders of persons: what asks for them is not heard. */
export function startOriginProvisioner(options: ProvisionerOptions): Provisioner {
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
    life,
    fleet: {
      stop: async () => life.kill(),
      pause: async () => {},
      resume: async () => {},
      adopt: async () => [],
      remove: async () => [],
      reconfigure(changed) {
        settings = changed
      },
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
  const provider = life.mortal(watchedProvider(options.provider, watcher, () => clock.now()))
  const demand = life.mortal(watchedDemand(options.demand, watcher))
  const mortalClock = life.mortal(clock)
  const ids = random.fork('ids')
  let timers: OriginTimers = noTimers
  let userData: UserData | undefined
  for (;;) {
    await mortalClock.sleep(tick)
    try {
      await turn()
    } catch {
      // Whatever fails ends the tick, and the next one begins anew (origin: provisioner.go).
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
    const plan = originPlan({ instances, agents: known, pending, offerings }, policy, now, timers)
    timers = plan.timers
    for (const decision of plan.decisions) await act(decision)
  }

  async function act(decision: Decision): Promise<void> {
    if (decision.kind === 'terminate') {
      onEvent(decided(decision.ids, decision))
      await provider.terminate(decision.ids)
    }
    const material = options.material()
    // No preflight: what it has is launched, whatever the master answers.
    if (material.kind === 'ready') userData = material.userData
    if (decision.kind !== 'launch' || !userData) return
    onEvent(decided([], decision))
    const id = `launch-${ids.whole(0, 2 ** 31)}-${ids.whole(0, 2 ** 31)}`
    const intent = { id, count: decision.count, offerings: decision.offerings }
    await provider.launch({ intent, owner, userData })
  }

  function decided(ids: string[], { kind, reason }: Exclude<Decision, { kind: 'hold' }>): FleetEvent {
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
    holds: [],
    breaker: { state: 'closed' },
    foreignWriters: [],
    problems: [],
    instances: [],
    decisions: [],
  }
}
