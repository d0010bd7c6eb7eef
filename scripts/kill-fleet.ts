// Kills the provisioner again and again while its jobs change: no extra instance, none forgotten, and none left at rest.
// npm run kill:fleet -- [--kills N] [--seed N]; the cloud is the fake EC2, the master a few lines that push demand.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { appendFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { createRandom } from '../src/simulator/random.ts'
import { type FakeEc2, fakeEc2 } from '../test/support/fake-ec2/server.ts'
import { bundle } from './bundle.ts'

const { values } = parseArgs({ options: { kills: { type: 'string' }, seed: { type: 'string' } } })
const kills = Number(values.kills ?? 200)
const seed = values.seed ?? String(Date.now() % 1_000_000)
const chance = createRandom(seed)
const most = 6
const pools = ['gpu', 'renamed'] as const
const ownTag = 'agent-provisioner:intent'

const cache = resolve(import.meta.dirname, '../.cache')
mkdirSync(cache, { recursive: true })
const folder = mkdtempSync(join(cache, 'kill-fleet-'))
await bundle(folder)
const ec2 = await fakeEc2()
const live = () =>
  [...ec2.world.vms.values()].filter(({ state }) => state === 'pending' || state === 'running')
const violations: string[] = []
let peak = 0
let pool: (typeof pools)[number] = 'gpu'

// The master: jobs start and end, an agent joins two seconds after its instance was launched, a drained one gets no job.

interface Job {
  id: string
  left: number
  on?: string
}
let jobs: Job[] = []
let made = 0
let drained = new Set<string>()
let version: string | undefined
let isCalm = false

async function push(): Promise<void> {
  const now = Date.now()
  const vms = live().filter(({ tags }) => tags['agent-provisioner:pool'] === pool)
  peak = Math.max(peak, vms.length)
  if (vms.length > most)
    violations.push(`${vms.length} instances of pool ${pool} at once, max_instances is ${most}`)
  const agents = vms.filter(({ launchedAt }) => now - launchedAt > 2000).map(({ id }) => id)
  if (!isCalm && chance.chance(12) && jobs.length < 12)
    jobs.push({ id: `job-${++made}`, left: chance.whole(2, 30) })
  for (const job of jobs) {
    // Its instance is gone: the job waits again.
    if (job.on && !agents.includes(job.on)) delete job.on
    job.on ??= agents.find((id) => !drained.has(id) && !jobs.some(({ on }) => on === id))
    if (job.on) job.left--
  }
  jobs = jobs.filter(({ left }) => left > 0)
  const busy = new Set(jobs.flatMap(({ on }) => on ?? []))
  const demand = {
    pending: jobs.filter(({ on }) => !on).map(({ id }) => ({ id, slots: 1 })),
    agents: agents.map((id) => ({
      ...{ id, slots: 1, freeSlots: busy.has(id) ? 0 : 1, busy: busy.has(id), draining: drained.has(id) },
    })),
    ...(version === undefined ? {} : { drainVersion: version }),
  }
  const answer = await ask('PUT', `/v1/pools/${pool}/demand`, demand)
  if (!answer) return
  drained = new Set(answer['drain'] as string[])
  version = answer['drainVersion'] as string
}

function ask(method: string, path: string, body?: object): Promise<Record<string, unknown> | undefined> {
  return new Promise((done) => {
    const call = request(
      { socketPath: join(folder, 'state/control.sock'), path, method },
      async (response) => {
        let text = ''
        for await (const part of response) text += String(part)
        done(response.statusCode === 200 ? (JSON.parse(text) as Record<string, unknown>) : undefined)
      },
    )
    call.on('error', () => done(undefined))
    call.setTimeout(2000, () => call.destroy())
    call.end(body && JSON.stringify(body))
  })
}

// The provisioner, started and killed.

function start() {
  const provider = {
    ...{ type: 'aws', region: 'us-west-2', image: { id: 'ami-2' }, subnet_ids: ['subnet-a'] },
    ...{ instance_types: [{ type: 'g5.xlarge', slots: 1 }], max_instances: most, boot_timeout: '60s' },
    ...{ max_idle_agent_period: '3s', agent_runtime: 'process', preflight: 'off', tls: { trust: 'off' } },
    master_url: 'http://127.0.0.1:9',
  }
  const config = {
    ...{ cluster_id: 'kill-fleet', state_dir: 'state', demand: { type: 'push' } },
    resource_pools: [{ pool_name: pool, provider }],
  }
  writeFileSync(join(folder, 'master.yaml'), JSON.stringify(config))
  const keys = {
    AWS_ACCESS_KEY_ID: 'key',
    AWS_SECRET_ACCESS_KEY: 'secret',
    AWS_EC2_METADATA_DISABLED: 'true',
  }
  const env = { PATH: process.env['PATH'], HOME: folder, AWS_ENDPOINT_URL: ec2.url, ...keys }
  const child = spawn(process.execPath, ['--no-warnings', join(folder, 'cli.cjs'), '-c', 'master.yaml'], {
    ...{ cwd: folder, env },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  child.stderr.on('data', (text: Buffer) => appendFileSync(join(folder, 'log'), text))
  return { child, exited: once(child, 'exit') }
}

const sleep = (ms: number) => new Promise((done) => setTimeout(done, ms))
const ticking = setInterval(() => void push(), 250)
const began = Date.now()
let launchedAlone = 0
for (let n = 0; n < kills; n++) {
  // A fifth of the time the pool has another name: the instances launched before are orphans then.
  const wanted = n % 50 >= 20 && n % 50 < 30 ? 'renamed' : 'gpu'
  if (wanted !== pool) {
    pool = wanted
    drained = new Set()
  }
  const { child, exited } = start()
  // The first process runs long enough for its journal to be accepted by the next.
  await sleep(n === 0 ? 20_000 : chance.whole(300, 6000))
  child.kill('SIGKILL')
  const [status] = await exited
  if (status !== null) violations.push(`the provisioner ended by itself with status ${status}`)
}

// At rest: no job is left, and with each name of the pool there is time to observe its instances idle.
isCalm = true
jobs = []
for (const name of pools) {
  pool = name
  drained = new Set()
  const { child, exited } = start()
  const until = Date.now() + 120_000
  const ofPool = () => live().filter(({ tags }) => tags['agent-provisioner:pool'] === name)
  while (Date.now() < until && ofPool().length > 0) await sleep(500)
  for (const { id } of ofPool())
    violations.push(`${id} of pool ${name} is forgotten: there is no work, and it runs`)
  child.kill('SIGTERM')
  await exited
}
clearInterval(ticking)
judge(ec2)
const lines = [
  `${kills} kills in ${Math.round((Date.now() - began) / 1000)} s, seed ${seed}`,
  `${made} jobs, ${ec2.world.vms.size} instances of ${launchedAlone} intents, at most ${peak} of ${most} at once`,
  violations.length === 0
    ? 'no instance too many, none forgotten'
    : `${violations.length} violations; look into ${folder}`,
]
console.log(lines.join('; '))
for (const violation of new Set(violations)) console.error(violation)
await ec2.close()
if (violations.length === 0) rmSync(folder, { recursive: true })
process.exitCode = violations.length === 0 ? 0 : 1

/** Every instance comes from an intent, and no intent launched more than it requested. */
function judge({ world, calls }: FakeEc2): void {
  const asked = new Map<string, number>()
  for (const { action, params } of calls) {
    const { ClientToken: token = '', MaxCount: count } = params
    if (action === 'RunInstances' && typeof token === 'string') asked.set(token, Number(count))
  }
  const given = new Map<string, number>()
  for (const { tags } of world.vms.values()) {
    const intent = tags[ownTag]
    if (intent === undefined) violations.push('an instance without an intent')
    else given.set(intent, (given.get(intent) ?? 0) + 1)
  }
  launchedAlone = given.size
  const intended = [...asked.values()].reduce((sum, count) => sum + count, 0)
  if (world.vms.size > intended) violations.push(`${world.vms.size} instances, ${intended} were intended`)
  if (given.size > asked.size)
    violations.push(`${given.size} intents have instances, ${asked.size} were sent`)
}
