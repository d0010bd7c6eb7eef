// How fast 50 local VMs start at once, as real processes: startup script, agent, verified TLS; and their memory use.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createDevelopmentChain } from '../src/pki/development-ca.ts'
import { systemClock } from '../src/platform/clock.ts'
import type { Logger } from '../src/platform/ports.ts'
import { processesWith } from '../src/platform/processes.ts'
import { builtInProviders } from '../src/providers/index.ts'
import { composeProvisioner, type Provisioner } from '../src/provisioner/provisioner.ts'
import { loadConfig } from '../test/support/config.ts'
import type { Report } from './measure.ts'

const count = 50
const port = 18_743
/** Milliseconds after which the measurement is abandoned. */
const timeoutMs = 120_000

const silent: Logger = { debug() {}, info() {}, warn() {}, error() {} }

export async function localAgents(): Promise<Report> {
  const dir = mkdtempSync(join(tmpdir(), 'bench-local-'))
  let running: Provisioner | undefined
  try {
    const config = await configIn(dir)
    const start = performance.now()
    running = composeProvisioner({
      providers: builtInProviders,
      config,
      version: 'bench',
      env: { PATH: process.env['PATH'], NODE_NO_WARNINGS: '1' },
      localAgent: [process.execPath, join(import.meta.dirname, '../dist/cli.cjs'), 'agent'],
      clock: systemClock,
      logger: silent,
    })
    await running.start()
    const times = await joinTimes(running, start)
    const memory = weightOf(
      running.rows().map((row) => join(config.state_dir, 'local/default', row.instance)),
    )
    const last = times.at(-1)!
    return {
      title: 'Local agents',
      command: 'npm run bench local-agents',
      rows: [
        row(
          `${count} local VMs start at once and join over verified TLS`,
          `${(count / last).toFixed(1)} per second`,
        ),
        row('the first, the middle and the last has joined after', times3(times)),
        row('memory per VM: its agent, and the shell of its startup script', memory),
      ],
      notes: [
        'Every VM is a bash that runs the whole startup script, its TLS check included, and a Node.js process of its own; ' +
          'master and VMs share the machine. Memory is the proportional set size (Pss): shared pages are counted once.',
      ],
    }
  } finally {
    await running?.stop()
    rmSync(dir, { recursive: true, force: true, maxRetries: 5 })
  }
}

function row(what: string, measured: string) {
  return { what, measured, budget: '' }
}

function times3(times: number[]): string {
  return [times[0]!, times[count >> 1]!, times[count - 1]!].map((s) => `${s.toFixed(1)} s`).join(', ')
}

async function configIn(dir: string) {
  const chain = await createDevelopmentChain({ names: ['master.bench'], ips: [], days: 1, now: Date.now() })
  writeFileSync(join(dir, 'chain.crt'), chain.chain)
  writeFileSync(join(dir, 'server.key'), chain.leaf.key, { mode: 0o600 })
  const file = join(dir, 'master.yaml')
  writeFileSync(
    file,
    `port: ${port}
security: {tls: {cert: chain.crt, key: server.key}}
resource_pools:
  - pool_name: default
    provider: {type: local, min_instances: ${count}, max_instances: ${count}, boot_timeout: 5m}
`,
  )
  const { config, problems } = loadConfig(file)
  if (!config) throw new Error(JSON.stringify(problems))
  return config
}

/** Seconds from `start` at which each agent had joined, in order. */
async function joinTimes(running: Provisioner, start: number): Promise<number[]> {
  const times: number[] = []
  while (times.length < count) {
    const joined = running.rows().filter((row) => row.agent === 'joined').length
    const elapsed = performance.now() - start
    if (elapsed > timeoutMs)
      throw new Error(`only ${joined} of ${count} agents joined within ${timeoutMs / 1000} s`)
    while (times.length < joined) times.push(elapsed / 1000)
    await systemClock.sleep(5)
  }
  return times
}

/** Memory of all processes of VMs with these folders. */
function weightOf(folders: string[]): string {
  const pids = folders.flatMap((folder) => processesWith(`PROVISION_ROOT=${folder}`))
  const kib = pids.map(pssOf).reduce((sum, one) => sum + one, 0)
  return kib === 0 ? 'not measured on this system' : `${(kib / 1024 / count).toFixed(1)} MiB`
}

/** KiB; 0 where the system does not report it. */
function pssOf(pid: number): number {
  try {
    return Number(/^Pss:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1] ?? 0)
  } catch {
    return 0
  }
}
