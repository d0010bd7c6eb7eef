// The cost of the output of jobs in the master: how long it holds the event loop while much is printed and stored.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { systemClock } from '../src/platform/clock.ts'
import { SecretText } from '../src/platform/secret-text.ts'
import { createLogStore, openStoredLogs, type StoredLogs } from '../src/standalone/master/log-store.ts'
import { decodeMasterMessage } from '../src/standalone/protocol/messages.ts'
import { openStateStore, type StateConfig } from '../src/state/open.ts'
import { postgresCluster } from '../test/support/postgres-cluster.ts'
import { type Report, type Row, watchTurns } from './measure.ts'

const logger = { debug() {}, info() {}, warn() {}, error() {} }
const linesPerSecond = 10_000
const seconds = 10
/** Milliseconds that an event loop may be held. */
const budget = 20

interface Cost {
  /** Milliseconds. */
  worst: number
  p99: number
  /** Of the processor, milliseconds a second. */
  cpu: number
  /** Milliseconds from the last line until all is stored. */
  stored: number
}

async function withLogs<T>(
  config: StateConfig | undefined,
  act: (logs?: StoredLogs) => Promise<T>,
): Promise<T> {
  if (!config) return act()
  const store = await openStateStore(config, { clock: systemClock, logger, env: {} })
  const release = await store.hold({ onLost() {}, alone: true })
  try {
    const surroundings = { clock: systemClock, logger, allocations: new Map(), stateLost: false }
    return await act(await openStoredLogs({ output: store.openOutput({}), ...surroundings }))
  } finally {
    await release()
    await store.close()
  }
}

function frameOf(n: number): string {
  const RunMessage = { Value: `step ${n} ${'x'.repeat(90)}\n`, StdType: 1 }
  const rest = { ContainerID: 'c', Timestamp: new Date().toISOString(), Position: (n + 1) * 100 }
  return JSON.stringify({ ContainerLog: { ...rest, RunMessage } })
}

/** Frames of agents arrive every 5 ms, and are read as the master reads them. */
function printing(config: StateConfig | undefined, jobs: number): Promise<Cost> {
  return withLogs(config, async (stored) => {
    const logs = createLogStore(undefined, stored)
    const counts = new Array<number>(jobs).fill(0)
    let next = 0
    let sent = 0
    const turns = watchTurns()
    const cpu = process.cpuUsage()
    const from = performance.now()
    while (sent < linesPerSecond * seconds) {
      await setTimeout(5)
      const due = Math.min(linesPerSecond * seconds, ((performance.now() - from) / 1000) * linesPerSecond)
      // No more than a socket gives at once.
      for (let n = 0; n < 200 && sent < due; n++, sent++, next = (next + 1) % jobs) {
        const read = decodeMasterMessage(frameOf(counts[next]!++))
        if (read.ok) logs.add(`job-${next}.1`, read.message.ContainerLog!)
      }
    }
    const { worst, p99 } = turns.end()
    const { user, system } = process.cpuUsage(cpu)
    const end = performance.now()
    await logs.close()
    return {
      worst,
      p99,
      cpu: (user + system) / 1000 / ((end - from) / 1000),
      stored: performance.now() - end,
    }
  })
}

export async function jobOutput(): Promise<Report> {
  const folder = mkdtempSync(join(tmpdir(), 'bench-output-'))
  const cluster = await postgresCluster()
  try {
    const stores: [string, StateConfig | undefined][] = [
      ['in memory only', undefined],
      ['a folder', { state_dir: join(folder, 'folder') }],
      [
        'PostgreSQL on loopback',
        {
          state_dir: join(folder, 'process'),
          state: { type: 'postgres', schema: 'bench', url: new SecretText(cluster.url()) },
        },
      ],
    ]
    const rows: Row[] = []
    await printing(undefined, 1)
    for (const [name, config] of stores)
      for (const jobs of [1, 1_000]) {
        const { worst, p99, cpu, stored } = await printing(config, jobs)
        rows.push({
          what: `event loop held, ${jobs === 1 ? 'one job' : `${jobs} jobs`}, ${name}`,
          measured: `at most ${worst.toFixed(0)} ms, p99 ${p99.toFixed(1)} ms; processor ${(cpu / 10).toFixed(0)} %; the rest stored after ${stored.toFixed(0)} ms`,
          budget: `${budget} ms`,
          met: worst <= budget,
        })
      }
    return {
      title: 'Output of jobs',
      command: 'npm run bench job-output',
      rows,
      notes: [
        `${linesPerSecond} lines of 100 bytes a second for ${seconds} s, all jobs together, decoded and added as frames of agents; the processor also makes the frames. Times are those of the thread on the processor. Only the record of a job's end waits for the store.`,
      ],
    }
  } finally {
    await cluster.dispose()
    rmSync(folder, { recursive: true, force: true })
  }
}
