// The cost of EC2: listing, the time for which it blocks the event loop, and calls for a thousand VMs.
import { type ChildProcess, fork } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { join } from 'node:path'
import { systemClock } from '../src/platform/clock.ts'
import { ec2Client } from '../src/providers/aws/client.ts'
import { listOwned, terminateOwned } from '../src/providers/aws/instances.ts'
import { launchInstances, launchTemplates } from '../src/providers/aws/launch.ts'
import { awsLaunch } from '../src/providers/aws/request.ts'
import { ownerTagsOf } from '../src/providers/contract.ts'
import { userDataOf } from '../test/support/aws-cloud.ts'
import { awsConfig, intentOf, master, offering, owner } from '../test/support/cloud-pools.ts'
import { type FakeEc2, fakeEc2 } from '../test/support/fake-ec2/server.ts'
import { silentLogger } from '../test/support/silent-logger.ts'
import { budgetOf10000, type ListingBudget, measureListing } from './listing.ts'
import type { Report, Row } from './measure.ts'

const credentials = { accessKeyId: 'key', secretAccessKey: 'secret' }

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

async function listing(count: number, budget?: ListingBudget): Promise<Row> {
  const { url, server } = await serve(count)
  const api = ec2Client('us-west-2', {}, { endpoint: url, credentials })
  const row = await measureListing(count, () => listOwned(api, owner), budget)
  api.close()
  server.kill()
  return row
}

async function callsFor(count: number): Promise<Row[]> {
  const ec2 = await fakeEc2()
  const api = ec2Client('us-west-2', {}, { endpoint: ec2.url, credentials })
  const config = awsConfig({ image: { id: 'ami-1' } })
  const templates = launchTemplates({ api, owner, clock: systemClock, logger: silentLogger })
  const order = { intent: intentOf([offering('g5.xlarge')], count), owner, userData: userDataOf('') }
  const facts = { rootDevice: '/dev/sda1', userData: '' }
  const prepare = async () => awsLaunch({ config, owner, setup: { master }, intent: order.intent }, facts)
  const launchTurn = async () => {}
  const context = { api, clock: systemClock, templates, prepare, launchTurn }
  const { instances } = await launchInstances(order, context)
  const launched = callsOf(ec2)
  const ids = instances.map(({ id }) => id)
  await terminateOwned({ api, owner, ids, isNew: () => true })
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
    { what: what('terminate'), measured: ended, budget: '', met: undefined },
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
    rows: [await listing(1000), await listing(10_000, budgetOf10000), ...(await callsFor(1000))],
    notes: [
      'The real SDK against the fake EC2 in another process, on loopback, with VMs described as verbosely as EC2 does. Pages of 1,000 follow each other, so that the real EC2 adds its answer time once for each thousand VMs.',
    ],
  }
}
