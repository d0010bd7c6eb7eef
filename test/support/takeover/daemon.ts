// The daemon like an operator runs it: a process in a folder with its master.yaml, controlled by the command line.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { runAside } from '../run-aside.ts'

export interface DaemonOptions {
  /** The launcher, such as dist/cli.cjs. */
  cli: string
  /** Contains master.yaml, and certs/ with the certificate of the master. */
  dir: string
  port: number
  env: Record<string, string>
}

export interface Instance {
  id: string
  pool: string
  state: string
  agent: string
  busy: boolean
  launchedAt: number
  joinedAt?: number
  /** Its current action, such as a drain. */
  doing?: string
  drifted?: string[]
}

export interface Status {
  version: string
  clusterId: string
  pools: {
    pool: string
    state: string
    foreignWriters: string[]
    inFlight: number
    problems: { code: string }[]
    /** What blocks the pool. */
    blocked: { code: string }[]
  }[]
}

export interface Daemon {
  /** Its log. */
  log(): string
  /** The output of the command. Throws unless its exit status is 0. */
  command(...args: string[]): Promise<string>
  instances(): Promise<Instance[]>
  status(): Promise<Status>
  /** Waits until it answers commands. */
  ready(): Promise<void>
  /** Waits until the condition is true; throws if the daemon exits first. */
  until(what: string, condition: () => boolean | Promise<boolean>): Promise<void>
  /** Starts the agent of an instance, like the instance's startup script. */
  startAgent(instance: Pick<Instance, 'id' | 'pool'>): void
  /** SIGTERM. Throws unless the exit status is 0. */
  stop(): Promise<void>
  /** SIGKILL, to the daemon only. */
  kill(): Promise<void>
  /** Stops the agents and the daemon, which terminates its local instances. */
  dispose(): Promise<void>
}

const timeoutMs = 120_000

export function startDaemon({ cli, dir, port, env }: DaemonOptions): Daemon {
  const common = { PATH: process.env['PATH'] ?? '', HOME: '/nonexistent' }
  const child = spawn(process.execPath, ['--no-warnings', cli, '-c', 'master.yaml'], {
    cwd: dir,
    env: { ...common, ...env },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  const agents: ChildProcess[] = []
  let log = ''
  child.stderr.on('data', (part: Buffer) => {
    log += part.toString()
  })
  const exited = once(child, 'exit').then(([status]) => status as number | null)
  const isUp = () => child.exitCode === null && child.signalCode === null

  async function command(...args: string[]): Promise<string> {
    const { status, stdout, stderr } = await runAside(cli, [...args, '-c', 'master.yaml'], { cwd: dir })
    if (status !== 0)
      throw new Error(`provision ${args.join(' ')}: exit status ${status} in ${dir}: ${stderr}`)
    return stdout
  }
  async function json<T>(...args: string[]): Promise<T> {
    return JSON.parse(await command(...args, '--format', 'json')) as T
  }

  async function until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
    const end = Date.now() + timeoutMs
    while (!(await condition())) {
      if (!isUp()) throw new Error(`the daemon in ${dir} exited before this was true: ${what}\n${log}`)
      if (Date.now() > end) throw new Error(`not true after ${timeoutMs} ms in ${dir}: ${what}\n${log}`)
      await new Promise((resolve) => setTimeout(resolve, 500))
    }
  }

  return {
    log: () => log,
    command,
    instances: async () => (await json<{ instances: Instance[] }>('instances')).instances,
    status: () => json<Status>('status'),
    ready: () =>
      until('it answers', async () => {
        const { status } = await runAside(cli, ['status', '-c', 'master.yaml'], { cwd: dir })
        return status === 0
      }),
    until,
    startAgent({ id, pool }) {
      const settings = {
        DET_MASTER_HOST: '127.0.0.1',
        DET_MASTER_PORT: String(port),
        DET_AGENT_ID: id,
        DET_RESOURCE_POOL: pool,
        DET_ARTIFICIAL_SLOTS: '1',
        DET_SECURITY_TLS_ENABLED: 'true',
        DET_SECURITY_TLS_MASTER_CERT: 'certs/chain.crt',
        PROVISION_ROOT: `${dir}/${id}`,
      }
      const options = { cwd: dir, env: { ...common, ...settings }, stdio: 'ignore' } as const
      agents.push(spawn(process.execPath, ['--no-warnings', cli, 'agent'], options))
    },
    async stop() {
      child.kill('SIGTERM')
      const status = await exited
      if (status !== 0) throw new Error(`the daemon in ${dir} exited with ${status} after SIGTERM\n${log}`)
    },
    async kill() {
      child.kill('SIGKILL')
      await exited
    },
    async dispose() {
      for (const agent of agents) agent.kill('SIGKILL')
      if (isUp()) child.kill('SIGTERM')
      const late = setTimeout(() => child.kill('SIGKILL'), 30_000)
      await exited
      clearTimeout(late)
    },
  }
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  await once(server, 'close')
  return port
}
