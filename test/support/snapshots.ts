// Random snapshots and policies for fast-check.
import fc from 'fast-check'
import type { KnownAgent, KnownInstance, Snapshot } from '../../src/planner/snapshot.ts'
import { minute, now, offering, policy, snapshot } from './planner.ts'

const ago = fc.integer({ min: 0, max: 90 * minute }).map((ms) => now - ms)
const maybe = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined })
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
  interruptedAt: fc.option(ago, { nil: undefined, freq: 8 }),
  ending: fc.option(fc.constant(true), { nil: undefined, freq: 8 }),
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

export const snapshots: fc.Arbitrary<Snapshot> = fc
  .record({
    requests,
    offerings,
    vms,
    pending,
    inFlight: fc.integer({ min: 0, max: 3 }),
    probe: fc.boolean(),
    complete: fc.boolean(),
  })
  .map(({ requests, offerings, vms, pending, inFlight, probe, complete }) =>
    snapshot({
      requests,
      offerings,
      ...vms,
      pending,
      probe,
      listing: { completeAt: now - 1, complete },
      inFlight: inFlight > 0 ? [{ intentId: 'a', offerings: [offerings[0]!], missing: inFlight }] : [],
    }),
  )

export const policies = fc
  .record({
    min: fc.integer({ min: 0, max: 6 }),
    more: fc.integer({ min: 0, max: 10 }),
    launchRate: fc.nat(20),
    maxAux: fc.constantFrom(0, 1, 100),
  })
  .map(({ min, more, launchRate, maxAux }) =>
    policy({ minInstances: min, maxInstances: min + more || 1, launchRate, maxAuxPerAgent: maxAux }),
  )
