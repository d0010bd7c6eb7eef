// Determined's own test vectors (Determined: rm/scaling_test.go, scaledecider/scale_decider_test.go).
import type { KnownAgent, KnownInstance, PendingAllocation, Policy } from '../../src/planner/snapshot.ts'
import { busy, hour, idle, minute, now, vm, work, works } from './planner.ts'

interface DemandVector {
  name: string
  slots: number
  maxAux: number
  pending: PendingAllocation[]
  desired: number
  /** VMs that plan() launches if that differs, and the row of docs/internals/planner.md with the reason. */
  ours?: { vms: number; row: string }
}

function job(name: string, maxSlots: number | undefined, ...sizes: number[]): PendingAllocation[] {
  const limit = maxSlots === undefined ? {} : { job: name, maxSlots }
  return sizes.map((slots, n) => work(`${name}-${n}`, slots, limit))
}

/** Pending only: allocated jobs are not part of the formula. */
const grown: [string, number[]][] = [
  ['one slot', [1]],
  ['two times one slot', [1, 1]],
  ['and auxiliary work', [1, 1, 0]],
  ['and four slots', [1, 1, 0, 4]],
  ['and three slots', [1, 1, 0, 4, 3]],
]
const wanted: Record<number, number[]> = { 1: [1, 2, 2, 6, 9], 2: [1, 1, 1, 3, 3] }
const auxOnly: Record<number, number[]> = {
  100: [0, 0, 1, 1, 1],
  0: [0, 0, 0, 0, 0],
  1: [0, 0, 1, 1, 1],
  2: [0, 0, 1, 1, 1],
}

export const demandVectors: DemandVector[] = [
  {
    name: 'jobs held to max_slots',
    slots: 5,
    maxAux: 10,
    pending: [
      ...job('g1', 1, 1, 1, 3),
      ...job('g2', 2, 4, 1),
      ...job('g3', undefined, 1, 3, 10),
      ...job('g4', 10, 15),
    ],
    desired: 6,
    ours: { vms: 4, row: 'job-limit' },
  },
  ...grown.flatMap(([name, sizes], row) => {
    const pending = sizes.map((slots, n) => work(`t${n}`, slots))
    const cpu = Object.entries(auxOnly).map(([maxAux, desired]) => ({
      name: `${name}, agents without slots`,
      slots: 0,
      maxAux: Number(maxAux),
      pending,
      desired: desired[row]!,
    }))
    const accelerated = [1, 2].flatMap((slots) =>
      [100, 0, 1, 2].map((maxAux) => ({ name, slots, maxAux, pending, desired: wanted[slots]![row]! })),
    )
    return [...cpu, ...accelerated]
  }),
]

interface FleetVector {
  name: string
  instances: KnownInstance[]
  agents: KnownAgent[]
  policy: Partial<Policy>
  removed: string[]
  idleSince?: Record<string, number>
  disconnectedSince?: Record<string, number>
}

const periods = { maxIdle: 10 * minute, bootTimeout: 10 * minute, maxDisconnected: 10 * minute }
const lost = { joinedAt: now - hour, lostSince: now - hour }

export const removalVectors: FleetVector[] = [
  {
    name: 'a stopped VM is terminated',
    instances: [vm('i1', { state: 'stopped' })],
    agents: [],
    policy: periods,
    removed: ['i1'],
  },
  {
    name: 'a long idle VM is terminated',
    instances: [vm('i1')],
    agents: [idle('i1', now - hour)],
    idleSince: { i1: now - hour },
    policy: periods,
    removed: ['i1'],
  },
  {
    name: 'a long disconnected VM is terminated',
    instances: [vm('i1', lost)],
    agents: [],
    disconnectedSince: { i1: now - hour },
    policy: periods,
    removed: ['i1'],
  },
  {
    name: 'above max: idle ones first, then the newest',
    instances: [
      vm('earliest', { knownSince: now - 2 * hour }),
      vm('recent', { knownSince: now - minute, joinedAt: undefined }),
      vm('idle-new'),
      vm('idle-long'),
    ],
    agents: [busy('earliest'), idle('idle-new', now), idle('idle-long', now - hour)],
    idleSince: { 'idle-long': now - hour },
    policy: { ...periods, maxInstances: 1 },
    removed: ['idle-long', 'idle-new', 'recent'],
  },
  {
    name: 'min keeps long idle VMs',
    instances: [
      ...['i1', 'i2', 'i3', 'i4', 'i5'].map((id) => vm(id)),
      vm('stopped', { state: 'stopped' }),
      vm('lost', lost),
      vm('idle'),
    ],
    agents: [...['i1', 'i2', 'i3', 'i4', 'i5'].map((id) => busy(id)), idle('idle', now - hour)],
    idleSince: { idle: now - hour },
    disconnectedSince: { lost: now - hour },
    policy: { ...periods, minInstances: 6, maxInstances: 10 },
    removed: ['lost', 'stopped'],
  },
]

interface LaunchVector {
  min: number
  max: number
  desired: number
  /** Existing VMs, all busy except the recent ones. */
  vms: number
  recent: number
  launched: number
}

export const launchVectors: LaunchVector[] = [
  { min: 1, max: 1, desired: 1, vms: 0, recent: 0, launched: 1 },
  { min: 0, max: 2, desired: 4, vms: 1, recent: 0, launched: 1 },
  { min: 0, max: 10, desired: 4, vms: 2, recent: 1, launched: 3 },
  { min: 0, max: 10, desired: 1, vms: 2, recent: 2, launched: 0 },
  // Determined: provisioner_test.go.
  { min: 0, max: 100, desired: 4, vms: 0, recent: 0, launched: 4 },
  { min: 0, max: 1, desired: 3, vms: 0, recent: 0, launched: 1 },
]

/** Snapshot parts for a launch vector: each job needs a whole VM. */
export function launchCase({ desired, vms, recent }: LaunchVector) {
  const ids = Array.from({ length: vms }, (_, n) => `i${n}`)
  const joined = ids.slice(recent)
  return {
    instances: ids.map((id, n) =>
      n < recent ? vm(id, { knownSince: now - minute, joinedAt: undefined }) : vm(id),
    ),
    agents: joined.map((id) => busy(id)),
    pending: works(desired, 4),
  }
}
