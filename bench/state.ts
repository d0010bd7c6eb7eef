// The cost of the state: an append to a journal, in a folder and in PostgreSQL on loopback.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SecretText } from '../src/platform/secret-text.ts'
import { openStateStore, type StateConfig } from '../src/state/open.ts'
import type { StoredJournal } from '../src/state/store.ts'
import { postgresCluster } from '../test/support/postgres-cluster.ts'
import { reactions } from './fleet.ts'
import { median, type Report, type Row } from './measure.ts'

const runs = 2_000
const clock = { now: Date.now, sleep: () => new Promise<void>(() => {}) }
const logger = { debug() {}, info() {}, warn() {}, error() {} }
/** As large as the record of an intent. */
const record = { at: 0, kind: 'intent', text: 'x'.repeat(600) }

async function withJournals<T>(
  config: StateConfig,
  count: number,
  act: (all: StoredJournal[]) => Promise<T>,
): Promise<T> {
  const store = await openStateStore(config, { clock, logger, env: {} })
  const release = await store.hold({ onLost() {}, alone: true })
  const names = Array.from({ length: count }, (_, n) => ({ pool: `pool-${n}` }))
  const opened = await Promise.all(names.map((name) => store.openJournal({ name, kind: 'fleet 1' })))
  try {
    return await act(opened.map(({ journal }) => journal))
  } finally {
    for (const { journal } of opened) await journal.close()
    await release()
    await store.close()
  }
}

/** Milliseconds of each of many appends, one after the other. */
function appends(config: StateConfig): Promise<number[]> {
  return withJournals(config, 1, async ([journal]) => {
    for (let n = 0; n < 200; n++) await journal!.append(record)
    const times: number[] = []
    for (let n = 0; n < runs; n++) {
      const from = performance.now()
      await journal!.append(record)
      times.push(performance.now() - from)
    }
    return times.sort((a, b) => a - b)
  })
}

/** Milliseconds until a record in each of 100 journals is stored, all at once; the median of some. */
function atOnce(config: StateConfig): Promise<number> {
  return withJournals(config, 100, async (journals) => {
    const times: number[] = []
    for (let n = 0; n < 20; n++) {
      const from = performance.now()
      await Promise.all(journals.map((journal) => journal.append(record)))
      times.push(performance.now() - from)
    }
    return times.sort((a, b) => a - b)[10]!
  })
}

/** Milliseconds from a change of demand to the launch call, which follows the append of the intent. */
function launch(config: StateConfig): Promise<number> {
  return withJournals(config, 1, async ([journal]) => median(await reactions(journal)))
}

/** Milliseconds of a rewrite with 10,000 instances. */
function rewrite(config: StateConfig): Promise<number> {
  const instances = Array.from({ length: 10_000 }, (_, n) => ({
    id: `i-${n}`,
    state: 'running',
    zone: 'us-west-2a',
    at: n,
  }))
  return withJournals(config, 1, async ([journal]) => {
    const from = performance.now()
    await journal!.rewrite([{ at: 0, kind: 'checkpoint', instances }])
    return performance.now() - from
  })
}

async function measure(config: StateConfig): Promise<string[]> {
  const times = await appends(config)
  const at = (part: number) => times[Math.floor(times.length * part)]!.toFixed(2)
  return [
    `p50 ${at(0.5)} ms, p99 ${at(0.99)} ms`,
    `${(await atOnce(config)).toFixed(0)} ms`,
    `${(await rewrite(config)).toFixed(0)} ms`,
    `${(await launch(config)).toFixed(1)} ms`,
  ]
}

export async function stateCosts(): Promise<Report> {
  const folder = mkdtempSync(join(tmpdir(), 'bench-state-'))
  const cluster = await postgresCluster()
  try {
    const stores: Record<string, StateConfig> = {
      'a folder': { state_dir: join(folder, 'folder') },
      'PostgreSQL on loopback': {
        state_dir: join(folder, 'process'),
        state: { type: 'postgres', schema: 'bench', url: new SecretText(cluster.url()) },
      },
    }
    const rows: Row[] = []
    for (const [name, config] of Object.entries(stores)) {
      const [append, all, checkpoint, launched] = await measure(config)
      rows.push({ what: `append, ${name}`, measured: append!, budget: '' })
      rows.push({ what: `an append to each of 100 journals at once, ${name}`, measured: all!, budget: '' })
      rows.push({ what: `change of demand → launch call, ${name}`, measured: launched!, budget: '' })
      rows.push({ what: `rewrite with 10,000 instances, ${name}`, measured: checkpoint!, budget: '' })
    }
    return {
      title: 'State',
      command: 'npm run bench state',
      rows,
      notes: [
        `${runs} appends of 600 bytes, one after the other, each on the disk before the next (fsync; a commit). PostgreSQL with its default settings on the same disk.`,
      ],
    }
  } finally {
    await cluster.dispose()
    rmSync(folder, { recursive: true, force: true })
  }
}
