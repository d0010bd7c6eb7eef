// Launches when calls fail, responses are lost and operations hang: no extra VM, and none forgotten.
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { offering } from '../../support/cloud-pools.ts'
import type { Fault } from '../../support/fake-gce/server.ts'
import { type GcpCloud, gcpCloud, inZones, zone, zones } from '../../support/gcp-cloud.ts'

let cloud: GcpCloud
beforeEach(async () => {
  cloud = await gcpCloud()
})
afterEach(() => cloud.dispose())

const one = [offering('g2-standard-8', { zone })]
const vms = () => [...cloud.gce.world.vms.values()]
const idsOf = (instances: { id: string }[]) => instances.map(({ id }) => id).sort()
const names = () => idsOf(vms().map(({ name }) => ({ id: name })))

function fault(action: string, more: Partial<Fault>) {
  cloud.gce.faults.push({ action, kind: 'error', ...more })
}

describe.each([
  ['in one zone', one, {}],
  ['in several zones', inZones, { zones }],
])('bulkInsert %s', (_, offerings, config) => {
  it('that took effect before its response was lost returns those VMs, and no others', async () => {
    fault('bulkInsert', { kind: 'lose_reply', times: 1 })
    const result = await (await cloud.open(config)).launch(cloud.order(3, offerings))
    expect(result.failures).toEqual([])
    expect(idsOf(result.instances)).toEqual(names())
    expect(vms()).toHaveLength(3)
    expect(cloud.gce.count('bulkInsert')).toBe(2)
  })

  it.each(['drop', 'html'] as const)('that failed (%s) is retried', async (kind) => {
    fault('bulkInsert', { kind, times: 2 })
    const result = await (await cloud.open(config)).launch(cloud.order(3, offerings))
    expect(result).toMatchObject({ failures: [], instances: [{}, {}, {}] })
    expect(cloud.clock.waited).toEqual([1000, 2000])
  })

  it('whose request id is forgotten conflicts with its own names, and finds its VMs by them', async () => {
    const order = cloud.order(3, offerings)
    const first = await (await cloud.open(config)).launch(order)
    cloud.gce.world.requests.clear()
    const again = await (await cloud.open(config)).launch(order)
    expect(again.failures).toEqual([])
    expect(idsOf(again.instances)).toEqual(idsOf(first.instances))
    expect(vms()).toHaveLength(3)
  })

  it('that is refused three times is transient, and nothing claims that nothing was launched', async () => {
    fault('bulkInsert', { reason: 'backendError', status: 503 })
    const result = await (await cloud.open(config)).launch(cloud.order(3, offerings))
    expect(result).toMatchObject({ instances: [], failures: [{ class: 'transient', missing: 3 }] })
    expect(cloud.gce.count('bulkInsert')).toBe(3)
  })
})

describe('a launch', () => {
  it('repeated after its VMs have gone launches none, and reports that', async () => {
    const provider = await cloud.open()
    const order = cloud.order(2, one)
    await provider.launch(order)
    cloud.gce.world.vms.clear()
    const again = await provider.launch(order)
    expect(again).toMatchObject({
      instances: [],
      failures: [{ missing: 2, problem: { code: 'PROVIDER_LAUNCH_SPENT' } }],
    })
    expect(vms()).toEqual([])
  })

  it('does not try the next capacity type when the outcome of the first is unknown', async () => {
    fault('bulkInsert', { kind: 'html' })
    const offerings = [{ ...one[0]!, capacityType: 'spot' as const }, ...one]
    const provider = await cloud.open({ spot: { enabled: true, fallback: 'on_demand' } })
    const result = await provider.launch(cloud.order(2, offerings))
    expect(result.failures).toMatchObject([{ class: 'transient', missing: 2 }])
    expect(cloud.gce.count('bulkInsert')).toBe(3)
  })

  it('waits as long as the server asks when requests are limited', async () => {
    fault('bulkInsert', {
      reason: 'rateLimitExceeded',
      status: 403,
      times: 1,
      message: "Quota exceeded for quota metric 'Queries'",
    })
    const result = await (await cloud.open()).launch(cloud.order(1, one))
    expect(result).toMatchObject({ failures: [], instances: [{}] })
  })

  it('that is not permitted names the permission, once', async () => {
    const message =
      "Required 'compute.instances.create' permission for 'projects/my-project/zones/us-central1-a/instances/x'"
    fault('bulkInsert', { reason: 'forbidden', status: 403, message })
    const result = await (await cloud.open()).launch(cloud.order(1, one))
    expect(result.failures).toMatchObject([{ class: 'auth', problem: { code: 'PROVIDER_AUTH' } }])
    expect(result.failures[0]!.problem.message).toContain('compute.instances.create')
    expect(cloud.gce.count('bulkInsert')).toBe(1)
  })
})

describe('the operation of a launch', () => {
  it('is followed by long polls, not by one a second', async () => {
    cloud.gce.world.waits = 3
    const result = await (await cloud.open()).launch(cloud.order(2, one))
    expect(result.instances).toHaveLength(2)
    expect(cloud.gce.count('wait')).toBe(3)
  })

  it.each(['drop', 'html'] as const)('is followed through a broken response (%s)', async (kind) => {
    fault('wait', { kind, times: 2 })
    const result = await (await cloud.open()).launch(cloud.order(2, one))
    expect(result).toMatchObject({ failures: [], instances: [{}, {}] })
  })

  it('that outlasts operation_timeout_period returns the existing VMs, and reports that it still runs', async () => {
    cloud.gce.world.stuck = true
    cloud.gce.world.stock.set('on_demand/g2-standard-8/us-central1-a', 2)
    const provider = await cloud.open({ operation_timeout_period: 100 })
    const result = await provider.launch(cloud.order(3, one))
    expect(result.instances).toHaveLength(2)
    expect(result.failures).toMatchObject([{ class: 'transient', missing: 1 }])
    expect(result.failures[0]!.problem.message).toContain('was still running')
  })

  it('is no longer followed when the provisioner is stopped', async () => {
    cloud.gce.world.stuck = true
    const stop = new AbortController()
    const launched = (await cloud.open()).launch(cloud.order(1, one), stop.signal)
    await expect.poll(() => cloud.gce.count('wait')).toBe(1)
    stop.abort(new Error('stopped'))
    await expect(launched).rejects.toThrow('stopped')
    expect(vms()).toHaveLength(1)
  })

  it('that cannot be queried is transient: a listing will show its VMs', async () => {
    fault('wait', {
      reason: 'forbidden',
      status: 403,
      message: "Required 'compute.zoneOperations.get' permission",
    })
    const provider = await cloud.open()
    const result = await provider.launch(cloud.order(1, one))
    expect(result).toMatchObject({ instances: [], failures: [{ class: 'auth', missing: 1 }] })
    expect((await provider.list()).instances).toHaveLength(1)
  })
})
