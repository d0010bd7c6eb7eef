// The inputs that are worst for plan(): whatever a structure that counts could turn into work per item.
import { spawnSync } from 'node:child_process'
import type {
  KnownAgent,
  KnownOffering,
  PendingAllocation,
  Snapshot,
  Unplaced,
} from '../src/planner/index.ts'
import { plan } from '../src/planner/index.ts'
import type { Report, Row } from './measure.ts'
import { largeSnapshot, now, policy } from './plan.ts'

/** Most milliseconds for one decision about 100,000 of something; gangs are promised to be quicker. */
const budget = 200
const gangBudget = 150
/** The first decision of a process: nothing is compiled yet. */
const firstBudget = 250

function empty(): Snapshot {
  return { ...largeSnapshot(0), instances: [], agents: [], pending: [] }
}

/** Allocations that arrived just now, or (`old`) long before the placement grace. */
function allocations(count: number, slots: (n: number) => number, old = false): PendingAllocation[] {
  const since = now - (old ? 600_000 : 1000)
  return Array.from({ length: count }, (_, n) => ({ id: `allocation-${n}`, slots: slots(n), since }))
}

function offering(slots: number, preference = 0): KnownOffering {
  const instanceType = `type-${slots}-${preference}`
  return { instanceType, zone: 'a', capacityType: 'on_demand', slots, preference }
}

/** Instances whose agents have been idle, and unchanged, for ten minutes. */
function idle(count: number, slots: (n: number) => number): Pick<Snapshot, 'instances' | 'agents'> {
  const instances = []
  const agents: KnownAgent[] = []
  const since = now - 600_000
  for (let n = 0; n < count; n++) {
    const id = `i-${n.toString(16).padStart(17, '0')}`
    const place = { pool: 'default', zone: 'a', capacityType: 'on_demand', state: 'running' } as const
    const times = { launchedAt: since, knownSince: since, joinedAt: since }
    instances.push({ id, ...place, ...times, instanceType: 'type', slots: slots(n) })
    const state = { busy: false, connected: true, enabled: true, draining: false }
    agents.push({ id, slots: slots(n), freeSlots: slots(n), idleSince: since, settledSince: since, ...state })
  }
  return { instances, agents }
}

/** Each allocation was refused by eight agents before; the pause after that is over. */
function remembered(pending: readonly PendingAllocation[], { agents }: Pick<Snapshot, 'agents'>) {
  const few = agents.slice(0, 8).map(({ id }) => id)
  return new Map<string, Unplaced>(pending.map(({ id }) => [id, { agents: few, until: now - 1 }]))
}

function refusedOffering(slots: number, preference: number): KnownOffering {
  return { ...offering(slots, preference), refused: { class: 'capacity', until: now + 60_000, failures: 3 } }
}

interface Case {
  what: string
  budget: number
  snapshots: (n: number) => Snapshot[]
  maxInstances?: number
}

function one(what: string, snapshot: (n: number) => Partial<Snapshot>, more: Partial<Case> = {}): Case {
  return { what, budget, snapshots: (n) => [{ ...empty(), ...snapshot(n) }], ...more }
}

const eight = { offerings: [offering(8)] }

const cases: Case[] = [
  { what: 'a common fleet', budget, snapshots: (n) => [largeSnapshot(n)] },
  one('gangs of two, nothing there yet', (n) => ({ ...eight, pending: allocations(n, () => 16) }), {
    budget: gangBudget,
    maxInstances: 1_000_000,
  }),
  one('gangs of eight', (n) => ({ ...eight, pending: allocations(n, () => 64) }), {
    budget: gangBudget,
    maxInstances: 1_000_000,
  }),
  one('gangs that free agents hold', (n) => ({
    ...eight,
    ...idle(n, () => 8),
    pending: allocations(n / 2, () => 16),
  })),
  one('gangs of all sizes', (n) => ({ ...eight, pending: allocations(n, (i) => 8 * (2 + i)) })),
  one('all sizes different', (n) => ({ offerings: [offering(4095)], pending: allocations(n, (i) => 1 + i) })),
  one('all sizes different, on agents of all sizes', (n) => ({
    offerings: [offering(4095)],
    ...idle(n, (i) => 1 + (i % 4000)),
    pending: allocations(n, (i) => 1 + (i % 4000)),
  })),
  one('all sizes different and too many, beside idle agents', (n) => ({
    offerings: [offering(4095)],
    ...idle(n, (i) => 1 + (i % 7)),
    pending: allocations(n, (i) => 8 + (i % 4000)),
  })),
  one('old allocations beside idle agents', (n) => ({
    ...eight,
    ...idle(n, () => 8),
    pending: allocations(n, () => 1, true),
  })),
  one('old and new allocations of all sizes beside idle agents', (n) => ({
    offerings: [offering(4095)],
    ...idle(n, () => 4000),
    pending: [
      ...allocations(n / 2, (i) => 1 + (i % 4000), true),
      ...allocations(n / 2, (i) => 1 + (i % 4000)),
    ].map((each, i) => ({ ...each, id: `a-${i}` })),
  })),
  one('remembered refusals', (n) => {
    const fleet = idle(n, () => 8)
    const pending = allocations(n, () => 1, true)
    return { ...eight, ...fleet, pending, unplaced: remembered(pending, fleet) }
  }),
  one('500 offerings of 500 sizes', (n) => ({
    offerings: Array.from({ length: 500 }, (_, i) => offering(1 + i, i)),
    pending: allocations(n, (i) => 1 + (i % 600)),
  })),
  one('500 refused offerings', (n) => ({
    offerings: Array.from({ length: 500 }, (_, i) => refusedOffering(1 + i, i)),
    pending: allocations(n, (i) => 1 + (i % 600)),
  })),
  one('launches in flight', (n) => ({
    ...eight,
    inFlight: Array.from({ length: n }, (_, i) => ({
      intentId: `${i}`,
      offerings: [offering(8, i)],
      missing: 1,
    })),
    pending: allocations(n, () => 8),
  })),
  one('jobs with max_slots', (n) => ({
    ...eight,
    pending: allocations(n, () => 1).map((each, i) => ({ ...each, job: `job-${i >> 3}`, maxSlots: 4 })),
  })),
  one('auxiliary allocations', (n) => ({
    ...eight,
    ...idle(n, () => 8),
    pending: allocations(n, () => 0, true),
  })),
  one('agents in another order than instances', (n) => {
    const { instances, agents } = idle(n, () => 8)
    return { ...eight, instances, agents: agents.toReversed(), pending: allocations(n, () => 8) }
  }),
  one(
    'far above max_instances',
    (n) => ({ ...eight, ...idle(n, () => 8), pending: allocations(n, () => 1) }),
    { maxInstances: 10 },
  ),
  {
    what: '200 pools',
    budget,
    snapshots: (n) => Array.from({ length: 200 }, () => largeSnapshot(n / 200)),
  },
]

/** Milliseconds of the quickest of a few decisions: how much is to be done, not how busy the computer is. */
function measure({ snapshots, maxInstances = 200_000 }: Case, n: number): number {
  const pools = snapshots(n)
  let best = Number.POSITIVE_INFINITY
  for (let run = 0; run < 3 && best > 20; run++) {
    const start = performance.now()
    for (const snapshot of pools) plan(snapshot, { ...policy, maxInstances }, now)
    best = Math.min(best, performance.now() - start)
  }
  return best
}

const firstDecision = `
  import { plan } from './src/planner/index.ts'
  import { largeSnapshot, now, policy } from './bench/plan.ts'
  const snapshot = largeSnapshot(100_000)
  const start = performance.now()
  plan(snapshot, policy, now)
  console.log(performance.now() - start)
`

export async function adversarial(): Promise<Report> {
  const rows: Row[] = cases.map((each) => {
    const [small, middle, large] = [1000, 10_000, 100_000].map((n) => measure(each, n))
    const measured = [small, middle, large].map((ms) => ms!.toFixed(ms! < 10 ? 1 : 0)).join(' / ')
    return {
      what: each.what,
      measured: `${measured} ms`,
      budget: `${each.budget} ms`,
      met: large! <= each.budget,
    }
  })
  const args = ['--input-type=module', '-e', firstDecision]
  const firsts = Array.from({ length: 3 }, () =>
    Number(spawnSync(process.execPath, args, { cwd: `${import.meta.dirname}/..`, encoding: 'utf8' }).stdout),
  )
  const first = Math.min(...firsts)
  rows.push({
    what: 'the first decision of a process, 100,000 instances',
    measured: `${first.toFixed(0)} ms`,
    budget: `${firstBudget} ms`,
    met: first <= firstBudget,
  })
  return {
    title: 'Worst inputs of the planner',
    command: 'npm run bench adversarial',
    rows,
    notes: ['1,000 / 10,000 / 100,000 of each; the budget is for the last. The best of three.'],
  }
}
