// Shared by all benchmarks: whole processes timed in turn, and a median.
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

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

/** Milliseconds of a process and of those it started. */
export interface Times {
  wall: number
  /** Undefined where the system does not show it: all but Linux. */
  cpu: number | undefined
}

/** Throws when the process fails, since a failing program is quick. */
function timeProcess([file = '', ...args]: string[]): Times {
  const before = cpuOfChildren()
  const start = performance.now()
  const { status, stderr } = spawnSync(file, args, { stdio: ['ignore', 'ignore', 'pipe'] })
  const wall = performance.now() - start
  if (status !== 0) throw new Error(`${args.join(' ')} ended with ${status}: ${stderr}`)
  const after = cpuOfChildren()
  return { wall, cpu: before === undefined || after === undefined ? undefined : after - before }
}

/** Of all processes that were waited for, in milliseconds with steps of 10 (proc_pid_stat(5): cutime, cstime). */
function cpuOfChildren(): number | undefined {
  try {
    const [, fields = ''] = readFileSync('/proc/self/stat', 'utf8').split(') ')
    const [user, system] = fields.split(' ').slice(13, 15)
    return (Number(user) + Number(system)) * 10
  } catch {
    return undefined
  }
}

/**
 * Several commands run in turn (A B A B …), so that a slow minute of the machine hits all alike: the median of the wall
 * times, and the mean of the processor times, whose steps are coarse.
 */
export function interleaved(commands: string[][], runs: number): Times[] {
  const times = commands.map((): Times[] => [])
  for (const command of commands) timeProcess(command)
  for (let run = 0; run < runs; run++)
    for (const [n, command] of commands.entries()) times[n]!.push(timeProcess(command))
  return times.map((all) => ({
    wall: median(all.map(({ wall }) => wall)),
    cpu: all.every(({ cpu }) => cpu !== undefined)
      ? all.reduce((sum, { cpu = 0 }) => sum + cpu, 0) / runs
      : undefined,
  }))
}

/**
 * Milliseconds of the processor that the thread uses from one turn of a timer to the next: while other processes use the
 * processor, the time that passes shows their work, too.
 */
export function watchTurns() {
  const turns: number[] = []
  let last = process.threadCpuUsage()
  const timer = setInterval(() => {
    const { user, system } = process.threadCpuUsage(last)
    last = process.threadCpuUsage()
    turns.push((user + system) / 1000)
  }, 1)
  return {
    end() {
      clearInterval(timer)
      const sorted = turns.sort((a, b) => a - b)
      return { worst: sorted.at(-1)!, p99: sorted[Math.floor(sorted.length * 0.99)]! }
    },
  }
}
