// A daemon as a user runs it: the built program in a process of its own, with AWS pools, against a fake EC2 in another
// process. It is measured from outside, except for its event loop (daemon-hook.cjs).
import { type ChildProcess, execFileSync, fork, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { CloudState } from './aws-server.ts'

const root = join(import.meta.dirname, '..')
const cli = join(root, 'dist/cli.cjs')

export interface PoolsOrder {
  pools: number
  /** In each pool. */
  instances: number
  /** How long an instance may take to join, as in the configuration. None ever does. */
  bootTimeout: string
}

/** What /proc shows of a process. */
export interface Usage {
  /** MiB now, and the most since the last `resetPeak`. */
  rss: number
  peak: number
  /** Milliseconds of processor time since it started. */
  cpu: number
  at: number
}

/** The longest stretch in which nothing else could run: milliseconds of wall time, and of processor time. */
export interface Hold {
  wall: number
  cpu: number
  /** How many took more than 20 ms of processor time. */
  long: number
}

export interface BenchDaemon {
  usage(): Usage
  resetPeak(): void
  /** Starts, and stops, the measurement of holds, which costs the daemon processor time. */
  toggleHolds(): void
  /** The longest since this time. */
  holdsSince(at: number): Hold
  cloud(): Promise<CloudState>
  reconfigure(order: PoolsOrder): void
  /** Its log lines so far. */
  log(): string
  stop(): Promise<void>
}

export async function startDaemon(order: PoolsOrder, latency = 0): Promise<BenchDaemon> {
  if (process.platform !== 'linux') throw new Error('the daemon is measured by /proc, which only Linux has')
  if (!existsSync(cli)) execFileSync('npm', ['run', '--silent', 'build'], { cwd: root, stdio: 'inherit' })
  const folder = mkdtempSync(join(tmpdir(), 'bench-daemon-'))
  const config = join(folder, 'master.yaml')
  const holds = join(folder, 'holds')
  const log = join(folder, 'log')
  const names = ['--name', 'master.bench.example', '--ip', '127.0.0.1', '--out', join(folder, 'certs')]
  execFileSync(process.execPath, [cli, 'certs', ...names], { stdio: 'ignore' })
  const port = await freePort()
  writeFileSync(config, configuration(port, order))
  writeFileSync(holds, '')
  const server = fork(join(import.meta.dirname, 'aws-server.ts'), ['0', '{}', String(latency)])
  const [url] = (await once(server, 'message')) as [string]
  const output = openSync(log, 'w')
  const daemon = spawn(process.execPath, [cli, '-c', config], {
    cwd: folder,
    stdio: ['ignore', output, output],
    env: {
      PATH: process.env['PATH'],
      HOME: folder,
      AWS_ENDPOINT_URL: url,
      AWS_ACCESS_KEY_ID: 'key',
      AWS_SECRET_ACCESS_KEY: 'secret',
      AWS_EC2_METADATA_DISABLED: 'true',
      // More of them try out a flag of V8, or load a profiler.
      NODE_OPTIONS: `--require ${join(import.meta.dirname, 'daemon-hook.cjs')} ${process.env['BENCH_NODE_OPTIONS'] ?? ''}`,
      BENCH_HOLDS: holds,
    },
  })
  // A benchmark that is interrupted leaves no daemon behind; the fake ends by itself.
  const kill = () => daemon.kill('SIGKILL')
  const exit = () => process.exit(1)
  process.once('exit', kill)
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, exit)
  const proc = `/proc/${daemon.pid}`
  return {
    usage: () => usageOf(proc),
    resetPeak: () => writeFileSync(`${proc}/clear_refs`, '5'),
    toggleHolds: () => void daemon.kill('SIGUSR2'),
    holdsSince: (at) => longest(holds, at),
    async cloud() {
      server.send('')
      const [state] = (await once(server, 'message')) as [CloudState]
      return state
    },
    reconfigure: (changed) => writeFileSync(config, configuration(port, changed)),
    log: () => readFileSync(log, 'utf8'),
    async stop() {
      process.off('exit', kill)
      for (const signal of ['SIGINT', 'SIGTERM'] as const) process.off(signal, exit)
      await ended(daemon)
      await ended(server)
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** Kills: the journal and the instances are not used again. */
async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exit = once(child, 'exit')
  child.kill('SIGKILL')
  await exit
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  if (address === null || typeof address === 'string') throw new Error('no free port')
  return address.port
}

/** The pools of one cluster: all of one account and region. */
function configuration(port: number, { pools, instances, bootTimeout }: PoolsOrder): string {
  const provider = {
    type: 'aws',
    region: 'us-west-2',
    master_url: `https://127.0.0.1:${port}`,
    image: { id: 'ami-1' },
    instance_type: 'm5.large',
    cpu_slots_allowed: true,
    min_instances: instances,
    max_instances: Math.max(1, instances),
    boot_timeout: bootTimeout,
  }
  // JSON is YAML.
  return JSON.stringify({
    port,
    cluster_id: 'bench',
    state_dir: 'state',
    security: { tls: { cert: 'certs/chain.crt', key: 'certs/server.key' } },
    resource_manager: {
      type: 'agent',
      default_compute_resource_pool: 'pool-0',
      default_aux_resource_pool: 'pool-0',
    },
    resource_pools: Array.from({ length: pools }, (_, n) => ({ pool_name: `pool-${n}`, provider })),
  })
}

/** Throws when the process is gone. proc_pid_status(5), proc_pid_stat(5): a tick is 10 ms. */
function usageOf(proc: string): Usage {
  const status = readFileSync(`${proc}/status`, 'utf8')
  const mib = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1]) / 1024
  const [, fields = ''] = readFileSync(`${proc}/stat`, 'utf8').split(') ')
  const [user, system] = fields.split(' ').slice(11, 13)
  return { rss: mib('VmRSS'), peak: mib('VmHWM'), cpu: (Number(user) + Number(system)) * 10, at: Date.now() }
}

function longest(file: string, since: number): Hold {
  const lines = readFileSync(file, 'utf8').split('\n').filter(Boolean)
  const seconds = lines.map((line): Hold & { at: number } => JSON.parse(line)).filter(({ at }) => at >= since)
  return {
    wall: Math.max(0, ...seconds.map(({ wall }) => wall)),
    cpu: Math.max(0, ...seconds.map(({ cpu }) => cpu)),
    long: seconds.reduce((sum, { long }) => sum + long, 0),
  }
}

/** Waits until the condition holds; undefined when it did not in time, otherwise the milliseconds it took. */
export async function until(
  isMet: () => boolean | Promise<boolean>,
  withinMs: number,
): Promise<number | undefined> {
  const from = performance.now()
  while (performance.now() - from < withinMs) {
    if (await isMet()) return performance.now() - from
    await sleep(250)
  }
  return undefined
}
