// Records the state that the daemon leaves, for the test that later versions take it over
// (test/support/takeover/fixture.ts).
// npm run build && node scripts/record-takeover.ts; it takes some 2 minutes, on Linux. A version that was released
// keeps its
// recording, since people's state_dir and instances stay as that version left them: the script overwrites none.
import { existsSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { hostname, tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { runAside } from '../test/support/run-aside.ts'
import { type Clouds, startClouds } from '../test/support/takeover/clouds.ts'
import { type Daemon, freePort, startDaemon } from '../test/support/takeover/daemon.ts'
import { filesBelow, fixtures, type Recorded, saveFixture } from '../test/support/takeover/fixture.ts'

const root = resolve(import.meta.dirname, '..')
const cli = join(root, 'dist/cli.cjs')

interface Variant {
  name: string
  master: string
  stoppedBy: Recorded['stoppedBy']
  /** Runs before the output of the command line is recorded. */
  run(daemon: Daemon, clouds: Clouds): Promise<void>
  /** Runs after that, right before the stop. */
  last?(daemon: Daemon, clouds: Clouds): Promise<void>
}

const awsPool = (pool: string, min: number) => `
  - pool_name: ${pool}
    agent_reconnect_wait: 1h
    provider:
      type: aws
      region: us-west-2
      master_url: https://127.0.0.1:PORT
      master_cert_name: master.test
      image: {id: ami-2}
      instance_types: [{type: g5.xlarge}]
      subnet_ids: [subnet-a, subnet-b]
      min_instances: ${min}
      max_instances: 4
      boot_timeout: 2h
      max_idle_agent_period: 10h`

const gcpPool = (pool: string, min: number) => `
  - pool_name: ${pool}
    agent_reconnect_wait: 1h
    provider:
      type: gcp
      project: my-project
      zones: [us-central1-a, us-central1-b]
      boot_disk_source_image: projects/my-project/global/images/agent
      instance_types: [{type: g2-standard-8}]
      master_url: https://127.0.0.1:PORT
      master_cert_name: master.test
      min_instances: ${min}
      max_instances: 4
      boot_timeout: 2h
      max_idle_agent_period: 10h`

const localPool = `
  - pool_name: here
    agent_reconnect_wait: 1h
    provider: {type: local, slots: 1, min_instances: 1, max_instances: 2, boot_timeout: 2h, max_idle_agent_period: 10h}`

const masterOf = (pools: string[], clusterId?: string) => `port: PORT
state_dir: state
${clusterId ? `cluster_id: ${clusterId}\n` : ''}security: {tls: {cert: certs/chain.crt, key: certs/server.key}}
resource_pools:${pools.join('')}
`

const variants: Variant[] = [
  {
    name: 'stopped',
    master: masterOf([awsPool('aws', 1), gcpPool('gcp', 2)]),
    stoppedBy: 'SIGTERM',
    async run(daemon, clouds) {
      await joined(daemon, 'aws', 1)
      await workFor(daemon, 'aws')
      await daemon.until('two instances in Compute Engine', () => clouds.gce.world.vms.size === 2)
    },
  },
  {
    // Names that need quoting in file names, filters and labels.
    name: 'fixed-id',
    master: masterOf([awsPool('"GPU * aws"', 2), gcpPool('"GPU_gcp"', 1)], 'prod_eu-1'),
    stoppedBy: 'SIGTERM',
    async run(daemon, clouds) {
      await joined(daemon, 'GPU_gcp', 1)
      await workFor(daemon, 'GPU_gcp')
      await daemon.until('two instances in EC2', () => clouds.ec2.world.vms.size === 2)
    },
  },
  {
    // Nothing was written at the end: the journals contain single records, and a launch without a response.
    name: 'killed',
    master: masterOf([awsPool('aws', 2), gcpPool('gcp', 2), localPool]),
    stoppedBy: 'SIGKILL',
    async run(daemon, clouds) {
      await joined(daemon, 'aws', 2)
      await joined(daemon, 'gcp', 2)
      await daemon.until('an agent on this machine', async () =>
        (await daemon.instances()).some(({ pool, agent }) => pool === 'here' && agent === 'joined'),
      )
      await daemon.command('pause', 'gcp')
      const [drained] = [...clouds.gce.world.vms.keys()]
      await daemon.command('drain', drained!, '--yes')
    },
    async last(daemon, clouds) {
      for (const action of ['CreateFleet', 'RunInstances'])
        clouds.ec2.faults.push({ action, kind: 'lose_reply' })
      await daemon.command('launch', '--pool', 'aws')
      await daemon.until('a third instance in EC2', () => clouds.ec2.world.vms.size === 3)
    },
  },
]

/** Waits for this many instances of the pool, and starts their agents. */
async function joined(daemon: Daemon, pool: string, count: number): Promise<void> {
  const started = new Set<string>()
  await daemon.until(`${count} agents in pool ${pool}`, async () => {
    const instances = (await daemon.instances()).filter((instance) => instance.pool === pool)
    for (const instance of instances)
      if (instance.agent === 'waiting' && !started.has(instance.id)) {
        started.add(instance.id)
        daemon.startAgent(instance)
      }
    return instances.filter(({ agent }) => agent === 'joined').length === count
  })
}

/** Submits two jobs, of which the second needs a second instance, and waits until both are done. */
async function workFor(daemon: Daemon, pool: string): Promise<void> {
  for (const _ of [1, 2]) await daemon.command('submit', '--pool', pool, '--duration', '5s')
  await joined(daemon, pool, 2)
  await daemon.until(
    'no job waits or runs',
    async () =>
      (await daemon.instances()).every(({ busy }) => !busy) &&
      (await jobsOf(daemon)).every(({ state }) => state === 'finished'),
  )
}

async function jobsOf(daemon: Daemon): Promise<{ id: string; state: string }[]> {
  return JSON.parse(await daemon.command('jobs', '--format', 'json')).jobs
}

async function record({ name, master, stoppedBy, run, last }: Variant): Promise<void> {
  const dir = realpathSync(mkdtempSync(join(tmpdir(), `takeover-${name}-`)))
  const clouds = await startClouds()
  const port = await freePort()
  await runAside(cli, ['certs', '--name', 'master.test', '--ip', '127.0.0.1', '--out', 'certs'], { cwd: dir })
  writeFileSync(join(dir, 'master.yaml'), master.replaceAll('PORT', String(port)))
  const daemon = startDaemon({ cli, dir, port, env: clouds.env })
  const stateDir = join(dir, 'state')
  try {
    await daemon.ready()
    await run(daemon, clouds)
    const recorded = await recordedOf(daemon, stateDir, stoppedBy)
    const folder = join(fixtures, recorded.version, name)
    if (existsSync(folder)) throw new Error(`${folder} exists; delete it to record it again`)
    await last?.(daemon, clouds)
    await (stoppedBy === 'SIGTERM' ? daemon.stop() : daemon.kill())
    const token = readFileSync(join(stateDir, 'token'), 'utf8').trim()
    const forbidden = [dir, root, process.execPath, JSON.stringify(hostname()), token, 'PRIVATE KEY']
    saveFixture(folder, { clouds, stateDir, master, recorded, forbidden })
    console.log(`${folder}: ${recorded.instances.length} instances`)
  } finally {
    await daemon.dispose()
    endLocalInstances(stateDir)
    await clouds.close()
    rmSync(dir, { recursive: true, force: true })
  }
}

async function recordedOf(
  daemon: Daemon,
  stateDir: string,
  stoppedBy: Recorded['stoppedBy'],
): Promise<Recorded> {
  const { version, clusterId, pools } = await daemon.status()
  return {
    version,
    stoppedAt: Date.now(),
    stoppedBy,
    clusterId,
    writerId: readFileSync(join(stateDir, 'writer-id'), 'utf8').trim(),
    instances: (await daemon.instances()).map(({ joinedAt, ...instance }) =>
      stoppedBy === 'SIGKILL' || joinedAt === undefined ? instance : { ...instance, joinedAt },
    ),
    paused: pools.filter(({ state }) => state === 'paused').map(({ pool }) => pool),
    jobs: (await jobsOf(daemon)).map(({ id }) => id),
  }
}

/** They keep running when a daemon is killed. */
function endLocalInstances(stateDir: string): void {
  if (!existsSync(stateDir)) return
  for (const path of filesBelow(stateDir).filter((path) => path.endsWith('/vm.json'))) {
    const { pid } = JSON.parse(readFileSync(join(stateDir, path), 'utf8')).process
    try {
      process.kill(-pid, 'SIGKILL')
    } catch {
      // It had already exited.
    }
  }
}

const outcomes = await Promise.allSettled(variants.map(record))
for (const outcome of outcomes)
  if (outcome.status === 'rejected') {
    console.error(outcome.reason)
    process.exitCode = 1
  }
