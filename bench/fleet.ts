// The cost of the loop around the planner: the time from a change of demand to the launch call, and memory.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { build } from 'esbuild'
import { startBenchPool } from './fleet-pool.ts'
import { median, type Report } from './measure.ts'

const runs = 40
const sizes = [0, 10_000]

/** Milliseconds from the demand update to the launch call, including the write of the intent. */
async function reactions(): Promise<number[]> {
  let called = Promise.withResolvers<void>()
  const pool = await startBenchPool(() => called.resolve())
  // A missing journal is settled by the first listing, if listings are always complete.
  await new Promise((resolve) => setTimeout(resolve, 200))
  const times: number[] = []
  for (let run = 0; run < runs; run++) {
    called = Promise.withResolvers()
    pool.demand.pending = [...pool.demand.pending, { id: `work-${run}`, slots: 8, since: Date.now() }]
    const from = performance.now()
    pool.change()
    await called.promise
    times.push(performance.now() - from)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  await pool.close()
  return times
}

/** MiB of a process that runs such a pool. Bundled like the program, because reading TypeScript needs 40 MiB. */
async function memoryOf(sizes: number[]): Promise<number[]> {
  const folder = mkdtempSync(join(tmpdir(), 'bench-'))
  const outfile = join(folder, 'fleet-memory.mjs')
  // esbuild's ES modules have no `require` for the CommonJS libraries in them.
  const banner = {
    js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url)",
  }
  const entryPoints = [join(import.meta.dirname, 'fleet-memory.ts')]
  await build({ entryPoints, outfile, bundle: true, platform: 'node', format: 'esm', banner })
  const measured = sizes.map((size) => {
    const { stdout, stderr, status } = spawnSync(process.execPath, [outfile, String(size)], {
      encoding: 'utf8',
    })
    if (status !== 0) throw new Error(stderr)
    return Number(stdout) / 2 ** 20
  })
  rmSync(folder, { recursive: true })
  return measured
}

export async function fleetCosts(): Promise<Report> {
  const times = await reactions()
  const worst = Math.max(...times)
  const [empty = 0, full = 0] = await memoryOf(sizes)
  return {
    title: 'Fleet',
    command: 'npm run bench fleet',
    rows: [
      {
        what: 'change of demand → launch call',
        measured: `${median(times).toFixed(1)} ms, at worst ${worst.toFixed(1)} ms`,
        budget: '50 ms',
        met: worst <= 50,
      },
      {
        what: 'memory of the process, 10,000 instances with their agents',
        measured: `${full.toFixed(0)} MiB (${empty.toFixed(0)} MiB without any)`,
        budget: '150 MiB',
        met: full <= 150,
      },
    ],
    notes: [
      `The pool's own loop with the real clock and a journal on the disk (fsync before the call), ${runs} changes one after the other, on a cloud and a master that answer at once.`,
      'Memory is the resident set after 20 turns; most of it is room the garbage collector has not given back.',
    ],
  }
}
