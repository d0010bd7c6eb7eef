// Connections to Compute Engine that fall silent: a call on one is given up and repeated where it may be, and an answer that
// arrives slowly is read to its end, also through a proxy.
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Fetch } from '../../../src/platform/http-client.ts'
import { outgoingFetch } from '../../../src/platform/proxy-route.ts'
import { gceClient } from '../../../src/providers/gcp/client.ts'
import { answeredFetch } from '../../../src/providers/gcp/compute-package.ts'
import { GceError } from '../../../src/providers/gcp/errors.ts'
import { endpointsOf, transport } from '../../../src/providers/gcp/transport.ts'
import { connectProxy, type TestProxy } from '../../support/connect-proxy.ts'
import { type GcpCloud, gcpCloud } from '../../support/gcp-cloud.ts'
import { type SilentRelay, silentRelay } from '../../support/silent-relay.ts'

/** Milliseconds, in place of many seconds. */
const timeouts = { readSilenceMs: 500, changeSilenceMs: 1_500, waitMs: 3_000 }
const project = '/compute/v1/projects/my-project'
const headers = async () => [['authorization', 'Bearer token-of-the-vm']] as [string, string][]

let cloud: GcpCloud
let relay: SilentRelay
let proxy: TestProxy
beforeEach(async () => {
  cloud = await gcpCloud()
  relay = await silentRelay(Number(new URL(cloud.gce.url).port))
  proxy = await connectProxy({ leadsTo: () => relay.port })
})
afterEach(async () => {
  await relay.close()
  await proxy.close()
  await cloud.dispose()
})

const ways: [string, () => { url: string; fetch: Fetch }][] = [
  ['directly', () => ({ url: `http://127.0.0.1:${relay.port}`, fetch: outgoingFetch({}) })],
  ['through a proxy', () => ({ url: 'http://gce.test', fetch: outgoingFetch({ HTTP_PROXY: proxy.url }) })],
]

describe.each(ways)('%s', (_, way) => {
  const send = (path: string, init?: RequestInit) => {
    const { url, fetch } = way()
    return transport({ credentials: { headers }, fetch, timeouts })(url + path, init)
  }
  const took = async (asked: Promise<unknown>) => {
    const from = performance.now()
    await expect(asked).rejects.toMatchObject({ reason: 'timeout' })
    return performance.now() - from
  }

  it('an answer that takes longer in all is read to its end', async () => {
    relay.slow = { parts: 6, everyMs: 200 }
    const from = performance.now()
    const answer = await send(project)
    expect(await answer.json()).toMatchObject({ kind: 'compute#project' })
    expect(performance.now() - from).toBeGreaterThan(2 * timeouts.readSilenceMs - 50)
  })

  it('an answer that falls silent in its middle is given up', async () => {
    relay.cut = { missing: 10, times: 1 }
    expect(await took(send(project))).toBeLessThan(1_400)
    await send(project)
  })

  it('a call without any byte is given up, one that changes something later, and one that waits at its end', async () => {
    cloud.gce.faults.push({ action: 'project', kind: 'hang', times: 1 }, { action: 'delete', kind: 'hang' })
    expect(await took(send(project))).toBeLessThan(1_400)
    const instance = `${project}/zones/us-central1-a/instances/one`
    expect(await took(send(instance, { method: 'DELETE' }))).toBeGreaterThan(timeouts.changeSilenceMs - 50)
    cloud.gce.faults.push({ action: 'wait', kind: 'hang' })
    const wait = `${project}/zones/us-central1-a/operations/one/wait`
    expect(await took(send(wait, { method: 'POST' }))).toBeGreaterThan(timeouts.waitMs - 50)
  })
})

it("a call without an answer is sent three times, one with an answer that may be a moment's five times", async () => {
  const attempts = async (error: GceError) => {
    let sent = 0
    const send = async () => {
      sent++
      throw error
    }
    const api = gceClient({ endpoints: endpointsOf(cloud.env), send, clock: cloud.clock })
    await expect(api.listInstances({ project: 'my-project', filter: '' })).rejects.toBe(error)
    await expect(api.getProject({ project: 'my-project' })).rejects.toBe(error)
    return sent
  }
  expect(await attempts(new GceError('network', 'no route'))).toBe(6)
  expect(await attempts(new GceError('timeout', 'no answer in time'))).toBe(6)
  expect(await attempts(new GceError('backendError', 'try again', { status: 503 }))).toBe(10)
})

it('a request for a token that is not answered ends', async () => {
  const hanging: Fetch = (_, init) =>
    new Promise((_resolve, reject) =>
      init!.signal!.addEventListener('abort', () => reject(init!.signal!.reason)),
    )
  await expect(answeredFetch(hanging, 100)('http://token.test')).rejects.toMatchObject({
    name: 'TimeoutError',
  })
})
