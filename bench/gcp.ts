// The cost of Compute Engine: starting the client, listing and the time for which it blocks the event loop, and calls
// for a thousand VMs.
import { type ChildProcess, fork, spawnSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { join } from 'node:path'
import { systemClock } from '../src/platform/clock.ts'
import { gceClient } from '../src/providers/gcp/client.ts'
import { labelsOf } from '../src/providers/gcp/labels.ts'
import { launchInstances } from '../src/providers/gcp/launch.ts'
import { listPool } from '../src/providers/gcp/listing.ts'
import { gcpLaunch } from '../src/providers/gcp/request.ts'
import { terminateOwned } from '../src/providers/gcp/terminate.ts'
import { transport } from '../src/providers/gcp/transport.ts'
import { userDataOf } from '../test/support/aws-cloud.ts'
import { gcpConfig, intentOf, master, offering, owner } from '../test/support/cloud-pools.ts'
import { type FakeGce, fakeGce } from '../test/support/fake-gce/server.ts'
import { budgetOf10000, type ListingBudget, measureListing } from './listing.ts'
import { median, type Report, type Row } from './measure.ts'

const rounds = 5
const project = 'my-project'
const zone = 'us-central1-a'
const region = 'us-central1'

function clientOf(url: string) {
  const headers = async () => [['authorization', 'Bearer token']] as [string, string][]
  const send = transport({ credentials: { headers }, fetch: globalThis.fetch })
  const endpoints = { compute: new URL(url), resourceManager: new URL(url) }
  return gceClient({ endpoints, send, clock: systemClock })
}

const options = `{ apiEndpoint: 'localhost', fallback: true, auth: { getClient: async () => ({}), fetch } }`
const services = [
  'Instances',
  'RegionInstances',
  'ZoneOperations',
  'RegionOperations',
  'MachineTypes',
  'Regions',
]
const ours = join(import.meta.dirname, '../src/providers/gcp/compute-package.ts')

/** Loads the clients of a provider in a separate process: milliseconds and MiB for each way of loading. */
const ways: Record<string, string> = {
  'the whole package': `const all = await import('@google-cloud/compute')
    for (const name of ${JSON.stringify(services)}) new all.default[name + 'Client'](${options})`,
  'as it is loaded here': `const { serviceClient } = await import(${JSON.stringify(ours)})
    for (const name of ${JSON.stringify(services)}) serviceClient(name, new URL('http://localhost'), fetch)`,
}

function ready(): Row[] {
  const measured = new Map(
    Object.keys(ways).map((name) => [name, { ms: [] as number[], mib: [] as number[] }]),
  )
  for (let round = 0; round <= rounds; round++)
    for (const [name, code] of Object.entries(ways)) {
      const told = `console.log(performance.now() - start, process.memoryUsage().rss / 2 ** 20)`
      const program = `const start = performance.now()\n${code}\n${told}`
      const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', program])
      const [ms, mib] = stdout.toString().trim().split(' ').map(Number)
      if (!ms || !mib) throw new Error(stderr.toString())
      // The first round only warms up the disk cache.
      if (round === 0) continue
      measured.get(name)!.ms.push(ms)
      measured.get(name)!.mib.push(mib)
    }
  return [...measured].map(([name, { ms, mib }]) => ({
    what: `client ready, ${name}`,
    measured: `${Math.round(median(ms))} ms, ${Math.round(median(mib))} MiB`,
    budget: '',
  }))
}

async function serve(count: number): Promise<{ url: string; server: ChildProcess }> {
  const input = { config: gcpConfig(), owner, master, intentId: randomUUID(), identity: 'master' }
  const labels = JSON.stringify(labelsOf(input, {}))
  const server = fork(join(import.meta.dirname, 'gcp-server.ts'), [String(count), labels])
  const [url] = (await once(server, 'message')) as [string]
  return { url, server }
}

async function listing(count: number, budget?: ListingBudget): Promise<Row> {
  const { url, server } = await serve(count)
  const api = clientOf(url)
  const row = await measureListing(count, () => listPool({ api, owner, project, region }), budget)
  api.close()
  server.kill()
  return row
}

async function callsFor(count: number): Promise<Row[]> {
  const gce = await fakeGce()
  const api = clientOf(gce.url)
  const order = {
    intent: intentOf([offering('g2-standard-8', { zone })], count),
    owner,
    userData: userDataOf(''),
  }
  const prepare = async () =>
    gcpLaunch({ config: gcpConfig(), owner, setup: { master }, intent: order.intent }, { startupScript: '' })
  const { instances } = await launchInstances(order, {
    api,
    clock: systemClock,
    operationTimeoutMs: 300_000,
    prepare,
  })
  const launched = callsOf(gce)
  const ids = instances.map(({ id }) => id)
  const zoneOf = () => undefined
  const isManaged = () => true
  await terminateOwned({ api, clock: systemClock, owner, isManaged, project, ids, zoneOf, zoneOfNew: zoneOf })
  const ended = callsOf(gce)
  api.close()
  await gce.close()
  const what = (verb: string) => `calls to ${verb} ${count.toLocaleString('en-US')} VMs`
  return [
    {
      what: what('launch'),
      measured: launched,
      budget: '1 bulkInsert per 5,000',
      met: launched.startsWith('1 bulkInsert,'),
    },
    { what: what('terminate'), measured: ended, budget: '' },
  ]
}

function callsOf(gce: FakeGce): string {
  const actions = gce.calls.splice(0).map(({ action }) => action)
  return [...new Set(actions)]
    .map((name) => `${actions.filter((one) => one === name).length} ${name}`)
    .join(', ')
}

export async function gcpCosts(): Promise<Report> {
  return {
    title: 'Compute Engine',
    command: 'npm run bench gcp',
    rows: [...ready(), await listing(1000), await listing(10_000, budgetOf10000), ...(await callsFor(1000))],
    notes: [
      "Google's real client against the fake Compute Engine in another process, on loopback. It reads pages of 500 VMs, one after the other, without their metadata; the real Compute Engine adds its answer time once for each.",
    ],
  }
}
