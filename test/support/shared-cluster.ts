// Several provisioners of one cluster, each in its own folder as on its own host: one PostgreSQL, one Determined master, one
// EC2, whose instances join the master as agents two seconds after their launch.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createDevelopmentChain } from '../../src/pki/development-ca.ts'
import { type FakeDetermined, startFake } from './fake-determined/server.ts'
import {
  createWorld,
  type FakeWorld,
  finish,
  giveUp,
  join as joinMaster,
  submit,
} from './fake-determined/world.ts'
import { type FakeEc2, fakeEc2 } from './fake-ec2/server.ts'
import { runAside } from './run-aside.ts'

export interface SharedHost {
  readonly name: string
  readonly dir: string
  log(): string
  start(): void
  isUp(): boolean
  /** Of the process that was started last. */
  pid(): number | undefined
  signal(signal: NodeJS.Signals): void
  kill(): Promise<void>
  /** SIGTERM; resolves with the exit status. */
  stop(): Promise<number | null>
  /** The output of a command; throws unless its exit status is 0. */
  command(...args: string[]): Promise<string>
  status(): Promise<SharedStatus>
}

export interface SharedStatus {
  pools: {
    pool: string
    state: string
    leader?: { host: string; pid: number; writerId: string; epoch: number; self: boolean }
    live?: number
    blocked?: { code: string }[]
    problems: { code: string; message: string }[]
  }[]
  problems: { code: string; message: string }[]
}

export interface SharedCluster {
  readonly ec2: FakeEc2
  readonly master: FakeDetermined
  readonly world: FakeWorld
  readonly pools: readonly string[]
  readonly most: number
  /** PEM of the CA of the master's certificate. */
  readonly root: string
  host(name: string, more?: HostOptions): SharedHost
  /** A job in the queue of the master; returns its id. */
  submit(pool: string): string
  finish(job: string): void
  isRunning(job: string): boolean
  /** Instances that are not ended. */
  live(pool?: string): string[]
  /** What must never have happened, found so far. */
  violations: string[]
  dispose(): Promise<void>
}

export interface HostOptions {
  /** Another address of the database, such as that of a proxy. */
  url?: string
  /** Further keys of `state`. */
  state?: string
  /** Before `node`, such as `faketime`. */
  wrapper?: string[]
  env?: Record<string, string>
  /** Pools of this host; all by default. */
  pools?: readonly string[]
  /** Port of a TLS listener with the certificate of the master, on loopback. */
  listen?: number
}

export interface SharedClusterOptions {
  cli: string
  /** Address of the database. */
  url: string
  schema: string
  pools: number
  /** `max_instances` of each pool. */
  most?: number
  /** Where hosts reach EC2 and the master; loopback by default, where both listen. */
  address?: string
  /** Further keys of each provider. */
  provider?: string[]
}

const joinsAfter = 2_000
const loopback = '127.0.0.1'

export async function sharedCluster(options: SharedClusterOptions): Promise<SharedCluster> {
  const { cli, url, schema, most = 3, address = loopback, provider = [] } = options
  const root = realpathSync(mkdtempSync(join(tmpdir(), 'shared-')))
  const pools = Array.from({ length: options.pools }, (_, n) => `pool-${n}`)
  const tls = { names: ['master.test'], ips: [loopback, address], days: 30, now: Date.now() }
  const { chain, leaf, root: ca } = await createDevelopmentChain(tls)
  const world = createWorld()
  world.schedules = true
  world.pools = new Map(pools.map((name) => [name, { type: 'STATIC' }]))
  const master = await startFake(world, { cert: chain, key: leaf.key })
  const ec2 = await fakeEc2()
  const violations: string[] = []
  const hosts: SharedHost[] = []
  const vms = () => [...ec2.world.vms.values()]
  const isLive = ({ state }: { state: string }) => state === 'pending' || state === 'running'
  const poolOf = (tags: Record<string, string>) => tags['agent-provisioner:pool'] ?? ''

  function tick(): void {
    const now = Date.now()
    for (const vm of vms()) {
      const agent = world.agents.get(vm.id)
      if (isLive(vm) && !agent && now - vm.launchedAt > joinsAfter)
        joinMaster(world, vm.id, 1, { pool: poolOf(vm.tags) })
      if (!isLive(vm) && agent) {
        const busy = [...world.work.values()].filter(({ on }) => on.has(vm.id)).map(({ id }) => id)
        if (busy.length > 0) violations.push(`${vm.id} was terminated while it ran ${busy.join()}`)
        giveUp(world, vm.id)
      }
    }
    for (const pool of pools) {
      const count = vms().filter((vm) => isLive(vm) && poolOf(vm.tags) === pool).length
      if (count > most) violations.push(`${count} instances of ${pool} at once, max_instances is ${most}`)
    }
  }
  const ticking = setInterval(tick, 100)

  function write(dir: string, own: HostOptions): void {
    const masterUrl = `https://${address}:${master.port}`
    const keys = [
      ...['type: aws', 'region: us-west-2', 'image: {id: ami-2}', 'subnet_ids: [subnet-a]'],
      ...[
        'instance_types: [{type: g5.xlarge, slots: 1}]',
        `max_instances: ${most}`,
        'agent_runtime: process',
      ],
      ...[`master_url: ${masterUrl}`, 'master_cert_name: master.test', "preflight: 'off'"],
      ...provider,
    ]
    const files = {
      'chain.crt': chain,
      'server.key': leaf.key,
      password: 'correct horse\n',
      'state-url': own.url ?? url,
    }
    for (const [name, text] of Object.entries(files)) writeFileSync(join(dir, name), text, { mode: 0o600 })
    const pool = (name: string) =>
      [`  - pool_name: ${name}`, '    provider:', ...keys.map((key) => `      ${key}`)].join('\n')
    writeFileSync(
      join(dir, 'master.yaml'),
      `port: ${master.port}
cluster_id: shared
state_dir: own
state: {type: postgres, url_file: state-url, schema: ${schema}${own.state ? `, ${own.state}` : ''}}
security: {tls: {cert: chain.crt}}
demand: {type: determined, url: '${masterUrl}', user: provisioner, password_file: password, placeholder_agent: false}
resource_pools:
${(own.pools ?? pools).map(pool).join('\n')}
${own.listen ? `listen: {address: 127.0.0.1, port: ${own.listen}, tls: {cert: chain.crt, key: server.key}}` : ''}
`,
    )
  }

  function host(name: string, own: HostOptions = {}): SharedHost {
    const dir = join(root, name)
    mkdirSync(dir)
    write(dir, own)
    let child: ChildProcess | undefined
    let log = ''
    const [program = process.execPath, ...before] = [...(own.wrapper ?? []), process.execPath]
    const self: SharedHost = {
      name,
      dir,
      log: () => log,
      start() {
        child = spawn(program, [...before, '--no-warnings', cli, '-c', 'master.yaml'], {
          cwd: dir,
          env: {
            ...{
              PATH: process.env['PATH'],
              HOME: dir,
              AWS_ENDPOINT_URL: ec2.url.replace(loopback, address),
            },
            ...{
              AWS_ACCESS_KEY_ID: 'key',
              AWS_SECRET_ACCESS_KEY: 'secret',
              AWS_EC2_METADATA_DISABLED: 'true',
            },
            ...own.env,
          },
          stdio: ['ignore', 'ignore', 'pipe'],
        })
        child.stderr!.on('data', (part: Buffer) => (log += part.toString()))
      },
      isUp: () => child !== undefined && child.exitCode === null && child.signalCode === null,
      pid: () => child?.pid,
      signal: (signal) => void child?.kill(signal),
      async kill() {
        if (!self.isUp()) return
        const exited = once(child!, 'exit')
        child!.kill('SIGKILL')
        await exited
      },
      async stop() {
        if (!self.isUp()) return child?.exitCode ?? null
        const exited = once(child!, 'exit')
        child!.kill('SIGCONT')
        child!.kill('SIGTERM')
        return ((await exited) as [number | null])[0]
      },
      async command(...args) {
        const { status, stdout, stderr } = await runAside(cli, [...args, '-c', 'master.yaml'], { cwd: dir })
        if (status !== 0) throw new Error(`provision ${args.join(' ')} on ${name}: ${status}: ${stderr}`)
        return stdout
      },
      status: async () => JSON.parse(await self.command('status', '--format', 'json')) as SharedStatus,
    }
    hosts.push(self)
    return self
  }

  return {
    ...{ ec2, master, world, pools, most, host, violations, root: ca.certificate },
    submit: (pool) => submit(world, { pool, slots: 1 }),
    finish: (job) => finish(world, job),
    isRunning: (job) => (world.work.get(job)?.on.size ?? 0) > 0,
    live: (pool) =>
      vms()
        .filter((vm) => isLive(vm) && (pool === undefined || poolOf(vm.tags) === pool))
        .map(({ id }) => id),
    async dispose() {
      clearInterval(ticking)
      await Promise.all(hosts.map((one) => one.stop()))
      await ec2.close()
      await master.stop().catch(() => {})
      rmSync(root, { recursive: true, force: true })
    },
  }
}

/** Instances that EC2 has made against what was asked for, by launch token: nothing is ever launched twice. */
export function launchedTwice({ ec2 }: Pick<SharedCluster, 'ec2'>): string[] {
  const asked = new Map<string, number>()
  for (const { action, params } of ec2.calls) {
    const { ClientToken: token, MaxCount: count } = params
    if (action === 'RunInstances' && typeof token === 'string') asked.set(token, Number(count))
  }
  const made = new Map<string, number>()
  for (const { tags } of ec2.world.vms.values()) {
    const intent = tags['agent-provisioner:intent'] ?? ''
    made.set(intent, (made.get(intent) ?? 0) + 1)
  }
  const total = [...asked.values()].reduce((sum, count) => sum + count, 0)
  const found = ec2.world.vms.size > total ? [`${ec2.world.vms.size} instances, ${total} were asked for`] : []
  if (made.size > asked.size) found.push(`${made.size} intents have instances, ${asked.size} were sent`)
  return found
}
