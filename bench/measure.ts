// Shared by all benchmarks: whole processes timed in turn, and a median.
import { spawnSync } from 'node:child_process'

export interface Row {
  what: string
  measured: string
  /** From the design; empty if there is none. */
  budget: string
  met?: boolean | undefined
}

export interface Report {
  title: string
  command: string
  rows: Row[]
  /** Context that a reader needs to interpret the numbers. */
  notes?: string[]
}

export function median(values: number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

/** Wall-clock milliseconds of one process; throws when it fails, because a failing program is fast. */
export function timeProcess(args: string[], env: NodeJS.ProcessEnv = process.env): number {
  const start = performance.now()
  const { status, stderr } = spawnSync(process.execPath, args, { env, stdio: ['ignore', 'ignore', 'pipe'] })
  const ms = performance.now() - start
  if (status !== 0) throw new Error(`${args.join(' ')} ended with ${status}: ${stderr}`)
  return ms
}

/** Medians of several commands that run in turn (A B A B …), so that a slow minute of the machine affects all alike. */
export function interleaved(commands: string[][], runs: number): number[] {
  const times = commands.map((): number[] => [])
  for (const args of commands) timeProcess(args)
  for (let run = 0; run < runs; run++)
    for (const [n, args] of commands.entries()) times[n]!.push(timeProcess(args))
  return times.map(median)
}
