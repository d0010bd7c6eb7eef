// Random snapshots and policies for fast-check.
import fc from 'fast-check'
import {
  type KnownAgent,
  type KnownInstance,
  rolloutModes,
  type Snapshot,
} from '../../src/planner/snapshot.ts'
import { busy, coming, idle, minute, now, offering, policy, snapshot, vm, works } from './planner.ts'

const ago = fc.integer({ min: 0, max: 90 * minute }).map((ms) => now - ms)
const maybe = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined })
/** `value` in one of so many cases. */
const rarely = <T, U>(value: fc.Arbitrary<T>, usual: U, cases: number) =>
  fc.oneof({ arbitrary: value, weight: 1 }, { arbitrary: fc.constant(usual), weight: cases - 1 })
const sizes = [1, 4, 8]

export const offerings = fc
  .uniqueArray(
    fc.record({
      zone: fc.constantFrom('a', 'b'),
      slots: fc.constantFrom(...sizes),
      preference: fc.integer({ min: 0, max: 2 }),
      refused: maybe(
        fc.record({
          class: fc.constantFrom('capacity', 'quota'),
          until: fc.constant(now + 1),
          failures: fc.nat(9),
        }),
      ),
    }),
    { minLength: 1, maxLength: 4, selector: ({ zone, slots }) => `${slots}/${zone}` },
  )
  .map((list) => list.map(({ slots, ...rest }) => offering(`m${slots}`, slots, rest as object)))

const instance = fc.record({
  state: fc.constantFrom('starting', 'running', 'running', 'running', 'stopping', 'stopped', 'unknown'),
  slots: fc.constantFrom(...sizes),
  knownSince: ago,
  joinedAt: maybe(ago),
  lostSince: maybe(ago),
  drainedAt: maybe(ago),
  interruptedAt: rarely(ago, undefined, 8),
  ending: rarely(fc.constant(true), undefined, 8),
  generation: fc.option(fc.constantFrom('old', 'new'), { nil: undefined }),
  rolledSince: rarely(ago, undefined, 2),
}) as fc.Arbitrary<Partial<KnownInstance>>

const agent = fc.record({
  slots: fc.constantFrom(...sizes),
  used: fc.integer({ min: 0, max: 8 }),
  aux: fc.boolean(),
  connected: fc.boolean(),
  draining: fc.boolean(),
  settledSince: ago,
  idleSince: ago,
})

const vms = fc.array(fc.tuple(instance, maybe(agent)), { maxLength: 12 }).map((list) => {
  const instances: KnownInstance[] = []
  const agents: KnownAgent[] = []
  list.forEach(([given, state], n) => {
    const id = `i${n}`
    const base = { id, pool: 'default', instanceType: 'm', zone: 'a', capacityType: 'on_demand' } as const
    instances.push({ ...base, launchedAt: now, state: 'running', knownSince: now, ...given })
    if (!state) return
    const freeSlots = Math.max(0, state.slots - state.used)
    const isBusy = state.aux || freeSlots < state.slots
    const idleSince = isBusy ? {} : { idleSince: state.idleSince }
    const { slots, connected, draining, settledSince } = state
    agents.push({
      id,
      slots,
      freeSlots,
      busy: isBusy,
      connected,
      enabled: !draining,
      draining,
      settledSince,
      ...idleSince,
    })
  })
  return { instances, agents }
})

export const pending = fc
  .array(fc.record({ slots: fc.constantFrom(0, 1, 2, 3, 4, 6, 8, 16, 64), since: ago }), { maxLength: 12 })
  .map((list) => list.map((work, n) => ({ id: `w${n}`, ...work })))

const requests = fc
  .array(fc.integer({ min: 1, max: 4 }), { maxLength: 2 })
  .map((list) => list.map((count, n) => ({ id: `r${n}`, count })))

const rollout = maybe(
  fc.record({
    generation: fc.constant('new'),
    proven: fc.boolean(),
    failed: rarely(fc.constant('NEVER_JOINED' as const), undefined, 8),
    paused: rarely(fc.constant(true), false, 8),
    open: rarely(fc.constant(false), true, 8),
  }),
)

/** `old` ones have drifted where the pool has rollouts. */
function withRollout(given: Snapshot, { failed, ...state }: NonNullable<Snapshot['rollout']>): Snapshot {
  const instances = given.instances.map((one) =>
    one.generation === 'old' ? { ...one, drifted: ['image'] } : one,
  )
  return { ...given, instances, rollout: { ...state, ...(failed && { failed }) } }
}

export const snapshots: fc.Arbitrary<Snapshot> = fc
  .record({
    requests,
    offerings,
    vms,
    pending,
    inFlight: fc.integer({ min: 0, max: 3 }),
    probe: fc.boolean(),
    complete: fc.boolean(),
    rollout,
  })
  .map(({ requests, offerings, vms, pending, inFlight, probe, complete, rollout }) => {
    const given = snapshot({
      requests,
      offerings,
      ...vms,
      pending,
      probe,
      listing: { completeAt: now - 1, complete },
      inFlight: inFlight > 0 ? [{ intentId: 'a', offerings: [offerings[0]!], missing: inFlight }] : [],
    })
    return rollout ? withRollout(given, rollout) : given
  })

/** Pools with outdated instances, most of which could leave. */
export const rolling: fc.Arbitrary<Snapshot> = fc
  .record({
    vms: fc.array(
      fc.record({
        isOld: fc.boolean(),
        isBusy: fc.boolean(),
        isRolled: rarely(fc.constant(true), false, 4),
        isAway: rarely(fc.constant(true), false, 6),
        isStarting: rarely(fc.constant(true), false, 6),
        age: fc.integer({ min: 1, max: 40 }),
      }),
      { minLength: 1, maxLength: 8 },
    ),
    state: fc.record({
      generation: fc.constant('new'),
      proven: rarely(fc.constant(false), true, 3),
      paused: rarely(fc.constant(true), false, 8),
      open: rarely(fc.constant(false), true, 8),
    }),
    waiting: fc.integer({ min: 0, max: 3 }),
  })
  .map(({ vms, state, waiting }) => {
    const instances = vms.map(({ isOld, isRolled, isStarting, age }, n): KnownInstance => {
      const given = { generation: isOld ? 'old' : 'new', knownSince: now - age * minute }
      const drifted = isOld && !isStarting ? { drifted: ['image'] } : {}
      const rolled = isOld && isRolled && !isStarting ? { rolledSince: now - minute } : {}
      return (isStarting ? coming : vm)(`i${n}`, { ...given, ...drifted, ...rolled })
    })
    const agents = vms.flatMap(({ isBusy, isRolled, isOld, isAway, isStarting, age }, n) => {
      if (isStarting) return []
      const drained = isOld && isRolled ? { draining: true, enabled: false } : {}
      const given = { ...drained, ...(isAway && { connected: false }) }
      return isBusy ? busy(`i${n}`, given) : idle(`i${n}`, now - age * minute, given)
    })
    for (const [n, { isOld, isRolled }] of vms.entries())
      if (isOld && isRolled) Object.assign(instances[n]!, { drainedAt: now - minute })
    return snapshot({ instances, agents, rollout: state, pending: works(waiting, 4) })
  })

export const policies = fc
  .record({
    min: fc.integer({ min: 0, max: 6 }),
    more: fc.integer({ min: 0, max: 10 }),
    launchRate: fc.nat(20),
    maxAux: fc.constantFrom(0, 1, 100),
    rollout: maybe(
      fc.record({
        when: fc.constantFrom(...rolloutModes),
        maxUnavailable: fc.constantFrom({ count: 1 }, { count: 3 }, { percent: 50 }),
        surge: fc.constantFrom({ count: 1 }, { percent: 50 }),
        maxLifetime: maybe(fc.constant(30 * minute)),
        drainTimeout: rarely(fc.constant(20 * minute), undefined, 8),
      }),
    ),
  })
  .map(({ min, more, launchRate, maxAux, rollout }) =>
    policy({
      minInstances: min,
      maxInstances: min + more || 1,
      launchRate,
      maxAuxPerAgent: maxAux,
      rollout,
    }),
  )
