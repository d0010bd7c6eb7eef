// The cost of one decision, from a small fleet to a very large one.
import { plan } from '../src/planner/index.ts'
import {
  fixedPeriods,
  type KnownAgent,
  type KnownInstance,
  type Policy,
  type Snapshot,
} from '../src/planner/snapshot.ts'
import { median, type Report } from './measure.ts'

export const now = Date.parse('2026-11-23T12:00:00Z')
const budgets: [number, number][] = [
  [1_000, 0.3],
  [10_000, 4],
  [100_000, 50],
]

export const policy: Policy = {
  minInstances: 10,
  maxInstances: 200_000,
  maxIdle: 1_200_000,
  bootTimeout: 600_000,
  reconnectWait: 25_000,
  placementGrace: 30_000,
  maxAuxPerAgent: 100,
  launchRate: 400_000,
  ...fixedPeriods,
}

/** Seven in ten busy, one idle for long, one idle for a while, one booting; as many jobs wait as there are VMs. */
export function largeSnapshot(size: number): Snapshot {
  const instances: KnownInstance[] = []
  const agents: KnownAgent[] = []
  for (let n = 0; n < size; n++) {
    const id = `i-${n.toString(16).padStart(17, '0')}`
    const kind = n % 10
    const joined = kind === 9 ? {} : { joinedAt: now - 3_000_000 }
    const knownSince = kind === 9 ? now - 60_000 : now - 3_600_000
    const instanceType = n % 3 ? 'p4d.24xlarge' : 'g4dn.12xlarge'
    const slots = n % 3 ? 8 : 4
    const place = { pool: 'default', zone: 'a', capacityType: 'on_demand', state: 'running' } as const
    instances.push({ id, ...place, instanceType, slots, launchedAt: knownSince, knownSince, ...joined })
    if (kind === 9) continue
    const idle = kind >= 7
    const since = kind === 7 ? now - 2_000_000 : now - 10_000
    agents.push({
      id,
      slots,
      freeSlots: idle ? slots : kind % 2,
      busy: !idle,
      ...(idle ? { idleSince: since } : {}),
      connected: true,
      enabled: true,
      draining: false,
      settledSince: since,
    })
  }
  const pending = Array.from({ length: size }, (_, n) => ({
    id: `allocation-${n}`,
    slots: [1, 2, 4, 8, 0][n % 5]!,
    since: now - (n % 20) * 1000,
  }))
  return {
    pool: 'default',
    listing: { completeAt: now - 1000, complete: true },
    demandAt: now - 1000,
    instances,
    agents,
    pending,
    unplaced: new Map(),
    inFlight: [],
    offerings: [
      { instanceType: 'g4dn.12xlarge', zone: 'a', capacityType: 'on_demand', slots: 4, preference: 0 },
      { instanceType: 'p4d.24xlarge', zone: 'a', capacityType: 'on_demand', slots: 8, preference: 1 },
    ],
    breaker: { state: 'closed' },
    probe: false,
    budget: { spent: 0, at: 0 },
    holds: [],
    requests: [],
  }
}

export async function planTimes(): Promise<Report> {
  const rows = budgets.map(([size, budget]) => {
    const snapshot = largeSnapshot(size)
    const times: number[] = []
    const runs = Math.max(25, 500_000 / size)
    for (let run = 0; run < runs; run++) {
      const start = performance.now()
      plan(snapshot, policy, now)
      times.push(performance.now() - start)
    }
    const ms = median(times.slice(-20))
    const what = `plan(), ${size.toLocaleString('en')} instances and as many allocations`
    return { what, measured: `${ms.toFixed(2)} ms`, budget: `${budget} ms`, met: ms <= budget }
  })
  return {
    title: 'Planner',
    command: 'npm run bench plan',
    rows,
    notes: ['Median of the last 20 runs; those before warm up.'],
  }
}
