// What EC2 costs: listing, the time it holds up everything else, and calls for a thousand VMs.
import { type ChildProcess, fork } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { ownerTagsOf } from '../src/model/ownership.ts'
import { systemClock } from '../src/platform/clock.ts'
import { ec2Client } from '../src/providers/aws/ec2-client.ts'
import { launchVms } from '../src/providers/aws/launch.ts'
import { listPool } from '../src/providers/aws/list.ts'
import { awsLaunch } from '../src/providers/aws/request.ts'
import { launchTemplates } from '../src/providers/aws/templates.ts'
import { terminatePool } from '../src/providers/aws/terminate.ts'
import { userDataOf } from '../test/support/aws-cloud.ts'
import { awsConfig, intentOf, master, offering, owner } from '../test/support/cloud-pools.ts'
import { type FakeEc2, fakeEc2 } from '../test/support/fake-ec2/server.ts'
import { silentLogger } from '../test/support/silent-logger.ts'
import { median, type Report, type Row } from './measure.ts'

const credentials = { accessKeyId: 'key', secretAccessKey: 'secret' }
const rounds = 5

async function serve(count: number): Promise<{ url: string; server: ChildProcess }> {
  const tags = {
    Name: 'determined-ai-agent',
    managed_by: 'determined-ai-determined',
    'determined-resource-pool': owner.pool,
    'determined-master-address': 'https://master.example.com:8443',
    ...ownerTagsOf(owner, randomUUID()),
  }
  const server = fork(join(import.meta.dirname, 'aws-server.ts'), [String(count), JSON.stringify(tags)])
  const [url] = (await once(server, 'message')) as [string]
  return { url, server }
}

async function listing(count: number, budget: string, limits?: { ms: number; hold: number }): Promise<Row> {
  const { url, server } = await serve(count)
  const api = ec2Client('us-west-2', { endpoint: url, credentials })
  const times: number[] = []
  const holds: number[] = []
  for (let round = 0; round <= rounds; round++) {
    const delay = monitorEventLoopDelay({ resolution: 1 })
    delay.enable()
    const start = performance.now()
    const { instances } = await listPool(api, owner)
    delay.disable()
    if (instances.length !== count) throw new Error(`listed ${instances.length} of ${count}`)
    // The first round warms the compiler up.
    if (round === 0) continue
    times.push(performance.now() - start)
    holds.push(delay.max / 1e6)
  }
  api.close()
  server.kill()
  const [ms, hold] = [median(times), median(holds)]
  return {
    what: `list ${count.toLocaleString('en-US')} VMs`,
    measured: `${Math.round(ms)} ms, event loop held ${Math.round(hold)} ms at most`,
    budget,
    met: limits && ms <= limits.ms && hold <= limits.hold,
  }
}

async function callsFor(count: number): Promise<Row[]> {
  const ec2 = await fakeEc2()
  const api = ec2Client('us-west-2', { endpoint: ec2.url, credentials })
  const config = awsConfig({ image: { id: 'ami-1' } })
  const templates = launchTemplates({ api, owner, clock: systemClock, logger: silentLogger })
  const order = { intent: intentOf([offering('g5.xlarge')], count), owner, userData: userDataOf('') }
  const facts = { rootDevice: '/dev/sda1', userData: '' }
  const prepare = async () => awsLaunch({ config, owner, setup: { master }, intent: order.intent }, facts)
  const { instances } = await launchVms(order, { api, clock: systemClock, templates, prepare })
  const launched = callsOf(ec2)
  const ids = instances.map(({ id }) => id)
  await terminatePool({ api, owner, ids, isNew: () => true })
  const ended = callsOf(ec2)
  api.close()
  await ec2.close()
  const what = (verb: string) => `calls to ${verb} ${count.toLocaleString('en-US')} VMs`
  return [
    {
      what: what('launch'),
      measured: launched,
      budget: '1 per offering',
      met: launched === '1 RunInstances',
    },
    { what: what('end'), measured: ended, budget: '', met: undefined },
  ]
}

function callsOf(ec2: FakeEc2): string {
  const actions = ec2.calls.splice(0).map(({ action }) => action)
  return [...new Set(actions)]
    .map((name) => `${actions.filter((one) => one === name).length} ${name}`)
    .join(', ')
}

export async function awsCosts(): Promise<Report> {
  return {
    title: 'EC2',
    command: 'npm run bench aws',
    rows: [
      await listing(1000, ''),
      await listing(10_000, '5 s, never held 50 ms', { ms: 5000, hold: 50 }),
      ...(await callsFor(1000)),
    ],
    notes: [
      'The real SDK against the fake EC2 in another process, on loopback, with VMs described as verbosely as EC2 does. Pages of 100 follow each other, so that the real EC2 adds its answer time once for each hundred VMs.',
    ],
  }
}
