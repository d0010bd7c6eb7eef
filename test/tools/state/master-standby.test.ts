// The built-in master on two hosts with one PostgreSQL: one serves, the other stands by, and takes over with the jobs, their
// logs and the running work. Agents dial a load balancer that asks /readyz, or find the one that serves by themselves.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { request } from 'node:https'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, expect, inject, it } from 'vitest'
import { createDevelopmentChain } from '../../../src/pki/development-ca.ts'
import { type PostgresCluster, postgresCluster } from '../../support/postgres-cluster.ts'
import { runAside } from '../../support/run-aside.ts'
import { freePort } from '../../support/takeover/daemon.ts'

const timeout = 240_000
let database: PostgresCluster
let root: string
let chain: string
let hosts: Host[]
let agent: ChildProcess | undefined
let balancer: Balancer
beforeAll(async () => {
  database = await postgresCluster()
})
afterAll(() => database.dispose())

class Host {
  readonly dir: string
  child: ChildProcess | undefined
  log = ''

  readonly port: number

  constructor(name: string, port: number) {
    this.port = port
    this.dir = join(root, name)
    mkdirSync(this.dir)
  }

  start(): void {
    const args = ['--no-warnings', inject('cli'), '-c', 'master.yaml']
    this.child = spawn(process.execPath, args, {
      cwd: this.dir,
      env: { PATH: process.env['PATH'] },
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    this.child.stderr!.on('data', (part: Buffer) => (this.log += part.toString()))
  }

  async end(signal: NodeJS.Signals): Promise<void> {
    if (!this.child || this.child.exitCode !== null || this.child.signalCode !== null) return
    const exited = once(this.child, 'exit')
    this.child.kill(signal)
    await exited
  }

  async run(...args: string[]): Promise<string> {
    const { status, stdout, stderr } = await runAside(inject('cli'), [...args, '-c', 'master.yaml'], {
      cwd: this.dir,
    })
    if (status !== 0) throw new Error(`${args.join(' ')}: ${status}: ${stderr}${stdout}`)
    return stdout + stderr
  }
}

/** The status of a path on a host; undefined where nobody answers. */
function statusOf({ port }: Host, path: string): Promise<number | undefined> {
  return new Promise((resolve) => {
    const call = request(
      { host: '127.0.0.1', port, path, ca: chain, agent: false, timeout: 2_000 },
      (answer) => {
        answer.resume()
        resolve(answer.statusCode)
      },
    )
    call.on('timeout', () => call.destroy())
    call.on('error', () => resolve(undefined))
    call.end()
  })
}

interface Balancer {
  port: number
  close(): Promise<void>
}

async function balance(): Promise<Balancer> {
  let target: Host | undefined
  const sockets = new Set<Socket>()
  const look = async () => {
    for (const host of hosts) if ((await statusOf(host, '/readyz')) === 200) target = host
  }
  const looking = setInterval(() => void look(), 500)
  const server: Server = createServer((socket) => {
    if (!target) return void socket.destroy()
    const there = connect(target.port, '127.0.0.1')
    for (const end of [socket, there]) {
      sockets.add(end)
      end.on('error', () => end.destroy())
      end.on('close', () => {
        socket.destroy()
        there.destroy()
      })
    }
    socket.pipe(there).pipe(socket)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as { port: number }).port,
    async close() {
      clearInterval(looking)
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}

beforeEach(async () => {
  root = realpathSync(mkdtempSync(join(tmpdir(), 'standby-')))
  const made = await createDevelopmentChain({
    names: ['master.test'],
    ips: ['127.0.0.1'],
    days: 30,
    now: Date.now(),
  })
  chain = made.chain
  hosts = [new Host('one', await freePort()), new Host('two', await freePort())]
  const schema = `master_${root.slice(-6).toLowerCase()}`
  for (const { dir, port } of hosts) {
    const files = { 'chain.crt': chain, 'server.key': made.leaf.key, 'state-url': database.url() }
    for (const [name, text] of Object.entries(files)) writeFileSync(join(dir, name), text, { mode: 0o600 })
    writeFileSync(
      join(dir, 'master.yaml'),
      `port: ${port}
state: {type: postgres, url_file: state-url, schema: "${schema}"}
security: {tls: {cert: chain.crt, key: server.key}}
resource_pools: [{pool_name: default, agents: any, agent_reconnect_wait: 30s}]
`,
    )
  }
  balancer = await balance()
})
afterEach(async () => {
  agent?.kill('SIGKILL')
  for (const host of hosts) host.child?.kill('SIGCONT')
  await Promise.all(hosts.map((host) => host.end('SIGTERM')))
  await balancer.close()
  rmSync(root, { recursive: true, force: true })
})

type Way = 'a load balancer' | 'the addresses of both'

function startAgent(way: Way): void {
  const to =
    way === 'a load balancer'
      ? { DET_MASTER_HOST: '127.0.0.1', DET_MASTER_PORT: String(balancer.port) }
      : { DET_MASTER_ADDRESSES: hosts.map(({ port }) => `127.0.0.1:${port}`).join(',') }
  writeFileSync(join(root, 'chain.crt'), chain)
  agent = spawn(process.execPath, ['--no-warnings', inject('cli'), 'agent'], {
    cwd: root,
    env: {
      ...{ PATH: process.env['PATH'], HOME: root, PROVISION_ROOT: join(root, 'agent') },
      ...{ ...to, DET_AGENT_ID: 'agent-1' },
      ...{ DET_RESOURCE_POOL: 'default', DET_ARTIFICIAL_SLOTS: '1', DET_SECURITY_TLS_ENABLED: 'true' },
      DET_SECURITY_TLS_MASTER_CERT: join(root, 'chain.crt'),
    },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  agent.stderr!.on('data', (part: Buffer) => appendFileSync(join(root, 'agent.log'), part))
}

/** How often the agent has joined. */
function joins(): number {
  const log = existsSync(join(root, 'agent.log')) ? readFileSync(join(root, 'agent.log'), 'utf8') : ''
  return log.match(/joined the master/g)?.length ?? 0
}

const killed = (host: Host) => host.end('SIGKILL')
const suspended = async (host: Host) => void host.child!.kill('SIGSTOP')
const stopped = (host: Host) => host.end('SIGTERM')

it.each<[string, Way, (host: Host) => Promise<void>]>([
  ['is killed', 'a load balancer', killed],
  ['is suspended', 'a load balancer', suspended],
  ['stops', 'a load balancer', stopped],
  ['is killed', 'the addresses of both', killed],
  ['is suspended', 'the addresses of both', suspended],
  ['stops', 'the addresses of both', stopped],
])(
  'when the master %s, the standby serves, and running work is reattached by %s, never run twice',
  { timeout },
  async (_, way, end) => {
    const [one, two] = hosts as [Host, Host]
    one.start()
    await expect.poll(() => statusOf(one, '/readyz'), { timeout: 60_000 }).toBe(200)
    two.start()
    await expect.poll(() => statusOf(two, '/healthz'), { timeout: 60_000 }).toBe(200)
    expect(await statusOf(two, '/readyz')).toBe(503)
    expect(await statusOf(two, '/agents')).toBe(503)
    await expect(two.run('jobs')).rejects.toThrow('this provisioner stands by')
    for (const command of ['status', 'agents', 'instances'])
      expect(await two.run(command)).toMatch(
        /^this provisioner stands by; the one on \S+ \(process \d+\) serves$/m,
      )
    expect(await one.run('status')).not.toContain('stands by')
    startAgent(way)
    const [runs, done] = ['runs', 'done'].map((name) => join(root, name))
    const script = `echo begun; echo run >> ${runs}; until [ -e ${done} ]; do sleep 0.1; done; echo finished`
    await one.run('submit', '--slots', '1', '--', 'bash', '-c', script)
    await one.run('submit', '--slots', '1', '--', 'bash', '-c', `echo second >> ${runs}`)
    await expect.poll(() => existsSync(runs!), { timeout: 60_000 }).toBe(true)
    const from = Date.now()
    await end(one)
    await expect.poll(() => statusOf(two, '/readyz'), { timeout: 60_000, interval: 100 }).toBe(200)
    expect(Date.now() - from).toBeLessThan(20_000)
    await expect.poll(() => two.run('agents'), { timeout: 60_000 }).toMatch(/agent-1/)
    expect(await two.run('jobs')).toMatch(/running/)
    // Before the one that was suspended runs again, and closes the connections that it has.
    if (way === 'the addresses of both') await expect.poll(joins, { timeout: 60_000 }).toBe(2)
    one.child!.kill('SIGCONT')
    await new Promise((resolve) => setTimeout(resolve, 3_000))
    writeFileSync(done!, '')
    await expect.poll(() => readFileSync(runs!, 'utf8'), { timeout: 60_000 }).toBe('run\nsecond\n')
    const { jobs } = JSON.parse(await two.run('jobs', '--format', 'json')) as {
      jobs: { id: string; state: string }[]
    }
    expect(jobs.map(({ state }) => state)).toEqual(['finished', 'finished'])
    const logs = await Promise.all(jobs.map(({ id }) => two.run('jobs', id, '--logs')))
    expect(logs.join('')).toBe('begun\nfinished\n')
  },
)

it('agents of a pool with both addresses join, and the check names the standby', { timeout }, async () => {
  const [one, two] = hosts as [Host, Host]
  const urls = hosts.map(({ port }) => `https://127.0.0.1:${port}`)
  const pool = `  - pool_name: both
    provider: {type: local, max_instances: 1, master_url: ${JSON.stringify(urls.toReversed())}}
`
  for (const { dir } of hosts) {
    const file = join(dir, 'master.yaml')
    const text = readFileSync(file, 'utf8').replace(
      /resource_pools: \[(.*)\]\n/,
      `resource_pools:\n  - $1\n${pool}`,
    )
    writeFileSync(file, text)
  }
  one.start()
  await expect.poll(() => statusOf(one, '/readyz'), { timeout: 60_000 }).toBe(200)
  expect(await one.run('check')).toContain(`nothing listens on 127.0.0.1:${two.port}`)
  two.start()
  await expect.poll(() => statusOf(two, '/healthz'), { timeout: 60_000 }).toBe(200)
  for (const host of hosts) {
    const said = await host.run('check')
    expect(said).toContain(`agents would join at 127.0.0.1:${one.port}`)
    expect(said).toContain(`127.0.0.1:${two.port} stands by; agents use 127.0.0.1:${one.port}`)
  }
  const ran = join(root, 'ran')
  const script = `echo "$DET_MASTER" > ${ran}`
  await one.run('submit', '--wait', '--pool', 'both', '--slots', '1', '--', 'bash', '-c', script)
  expect(readFileSync(ran, 'utf8')).toBe(`https://127.0.0.1:${one.port}\n`)
})
