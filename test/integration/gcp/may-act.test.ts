// A process that loses its lease sends nothing more that changes anything: asked when the credentials are there, for each attempt.
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { offering } from '../../support/cloud-pools.ts'
import { type GcpCloud, gcpCloud, inZones, zone, zones } from '../../support/gcp-cloud.ts'

let cloud: GcpCloud
let isHeld: boolean
beforeEach(async () => {
  cloud = await gcpCloud()
  isHeld = true
  cloud.mayAct = () => isHeld
})
afterEach(() => cloud.dispose())

const one = [offering('g2-standard-8', { zone })]
const changes = () => cloud.gce.calls.filter(({ action }) => /^(?:bulkInsert|delete)$/.test(action))

/** Ends the lease once this call has arrived at Compute Engine. */
function loseAfter(action: string): void {
  cloud.mayAct = () => cloud.gce.count(action) === 0
}

describe.each([
  ['in one zone', one, {}],
  ['in several zones', inZones, { zones }],
])('a lease that ends, with bulkInsert %s,', (_, offerings, config) => {
  it('before a launch sends nothing, and says so', async () => {
    isHeld = false
    const provider = await cloud.open(config)
    const order = cloud.order(2, offerings)
    const { instances, failures } = await provider.launch(order)
    expect(instances).toEqual([])
    expect(failures).toMatchObject([
      { class: 'transient', missing: 2, notSent: true, problem: { code: 'STATE_RIGHT_LOST' } },
    ])
    expect(failures[0]!.offering).toBeUndefined()
    expect(changes()).toEqual([])
    isHeld = true
    expect((await provider.launch(order)).instances).toHaveLength(2)
  })

  it('between two attempts leaves the outcome unknown', async () => {
    cloud.gce.faults.push({ action: 'bulkInsert', kind: 'lose_reply', times: 1 })
    loseAfter('bulkInsert')
    const { instances, failures } = await (await cloud.open(config)).launch(cloud.order(2, offerings))
    expect(instances).toEqual([])
    expect(failures).toMatchObject([
      { class: 'transient', missing: 2, problem: { code: 'STATE_RIGHT_LOST' } },
    ])
    expect(failures[0]!.notSent).toBeUndefined()
    expect([cloud.gce.count('bulkInsert'), cloud.gce.world.vms.size]).toEqual([1, 2])
  })

  it('after a refused attempt leaves a launch that certainly had no effect', async () => {
    const refused = { reason: 'rateLimitExceeded', status: 403, message: 'too many requests' }
    cloud.gce.faults.push({ action: 'bulkInsert', kind: 'error', ...refused })
    loseAfter('bulkInsert')
    const { failures } = await (await cloud.open(config)).launch(cloud.order(2, offerings))
    expect(failures).toMatchObject([{ class: 'transient', missing: 2, notSent: true }])
    expect(cloud.gce.count('bulkInsert')).toBe(1)
  })

  it('after a launch was sent does not keep its outcome from being read', async () => {
    cloud.gce.world.waits = 2
    loseAfter('bulkInsert')
    const { instances, failures } = await (await cloud.open(config)).launch(cloud.order(2, offerings))
    expect(failures).toEqual([])
    expect(instances).toHaveLength(2)
    expect(cloud.gce.count('wait')).toBe(2)
  })
})

describe('a lease that ends', () => {
  it('while the token is fetched stops the request that was waiting for it', async () => {
    const provider = await cloud.open()
    const token = 'instance/service-accounts/default/token'
    cloud.mayAct = () => !cloud.metadata.calls.some((path) => path.includes(token))
    const { failures } = await provider.launch(cloud.order(1, one))
    expect(failures).toMatchObject([{ notSent: true }])
    expect(cloud.gce.calls).toEqual([])
  })

  it('between two attempts of a delete stops the second, and all others', async () => {
    const provider = await cloud.open()
    const { instances } = await provider.launch(cloud.order(2, one))
    const ids = instances.map(({ id }) => id)
    cloud.gce.faults.push({ action: 'delete', kind: 'error', reason: 'backendError', status: 503 })
    loseAfter('delete')
    const { terminated, failures } = await provider.terminate(ids.slice(0, 1))
    expect(terminated).toEqual([])
    expect(failures).toMatchObject([
      { id: ids[0], class: 'transient', problem: { code: 'STATE_RIGHT_LOST' } },
    ])
    expect(cloud.gce.count('delete')).toBe(1)
    const cluster = await cloud.openCluster(cloud.owner.clusterId)
    const rest = await cluster.terminate(ids)
    expect(rest.failures.map(({ problem: { code } }) => code)).toEqual([
      'STATE_RIGHT_LOST',
      'STATE_RIGHT_LOST',
    ])
    expect((await cluster.list()).instances).toHaveLength(2)
    expect(cloud.gce.count('delete')).toBe(1)
    await cluster.close()
  })

  it('does not keep anything from being read', async () => {
    const provider = await cloud.open()
    const { id } = (await provider.launch(cloud.order(1, one))).instances[0]!
    isHeld = false
    expect((await provider.list()).instances.map((instance) => instance.id)).toEqual([id])
    expect((await provider.find!([id])).complete).toBe(true)
    expect(await provider.hasTraces!()).toBe(true)
    expect(await provider.slotsOf('g2-standard-8')).toBe(1)
    expect(await provider.consoleStage(id)).toBeUndefined()
  })
})
