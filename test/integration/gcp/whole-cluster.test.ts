// Instances by name and of a whole cluster: which zones are queried, and what a response proves.
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { ClusterProvider, Location } from '../../../src/providers/contract.ts'
import { createCluster } from '../../../src/providers/gcp/provider.ts'
import { offering } from '../../support/cloud-pools.ts'
import { type GcpCloud, gcpCloud, zone } from '../../support/gcp-cloud.ts'

let cloud: GcpCloud
beforeEach(async () => {
  cloud = await gcpCloud()
})
afterEach(() => cloud.dispose())

const one = [offering('g2-standard-8', { zone })]
const far = [offering('g2-standard-8', { zone: 'asia-east1-a' })]
const long = `Größe ${'x'.repeat(80)}`
const idsOf = (instances: { id: string }[]) => instances.map(({ id }) => id).sort()
const gone = 'det-0123456789ab-0'

const openCluster = (location: Location = { project: 'my-project' }): Promise<ClusterProvider> => {
  const { env, clock, logger, stateDir } = cloud.context()
  return createCluster(location, { clusterId: cloud.owner.clusterId, env, clock, logger, stateDir })
}

/** An instance in each of three pools of the cluster, and one in another cluster. */
async function everywhere() {
  const other = { ...cloud.owner, pool: 'other' }
  const hashed = { ...cloud.owner, pool: long }
  const foreign = { ...cloud.owner, clusterId: 'another' }
  const own = await (await cloud.open()).launch(cloud.order(1, one))
  const more = await (await cloud.open({}, other)).launch(cloud.order(1, far, other))
  const last = await (await cloud.open({}, hashed)).launch(cloud.order(1, one, hashed))
  const theirs = await (await cloud.open({}, foreign)).launch(cloud.order(1, one, foreign))
  cloud.gce.calls.length = 0
  const first = (result: typeof own) => result.instances[0]!.id
  return { own: first(own), other: first(more), hashed: first(last), foreign: first(theirs) }
}

describe('a pool', () => {
  it('is found again by its project', async () => {
    expect((await cloud.open()).location).toEqual({ project: 'my-project' })
  })

  it('lists the project that responded, and the time by its own clock', async () => {
    const listing = await (await cloud.open()).list()
    expect(listing.account).toBe('my-project')
    expect(Math.abs(listing.at! - Date.now())).toBeLessThan(60_000)
  })

  it('names no project and no time when there was no response', async () => {
    cloud.gce.faults.push({ action: 'list', kind: 'error', reason: 'forbidden', status: 403 })
    const listing = await (await cloud.open()).list()
    expect(listing).toMatchObject({ complete: false })
    expect(listing).not.toHaveProperty('account')
    expect(listing).not.toHaveProperty('at')
  })
})

describe("a pool's part of the cluster's listing", () => {
  it('is not affected by zones of other regions, and has the name of the pool where its label is a hash', async () => {
    const ids = await everywhere()
    const pools = [cloud.owner, { ...cloud.owner, pool: long }]
    cloud.gce.world.silent.add('asia-east1-a')
    const all = await (await openCluster()).list()
    expect(all).toMatchObject({ complete: false, silent: { zones: ['asia-east1-a'] } })
    for (const owner of pools) {
      const part = (await cloud.open({}, owner)).partOf!(all)
      expect(part).toMatchObject({ complete: true, problems: [], instances: [{ pool: owner.pool }] })
      expect(part.instances[0]!.id).toBe(owner.pool === long ? ids.hashed : ids.own)
    }
    cloud.gce.world.silent.add('us-central1-b')
    const more = await (await openCluster()).list()
    const part = (await cloud.open()).partOf!(more)
    expect(part).toMatchObject({ complete: false, instances: [{ id: ids.own }] })
    expect(part.problems[0]!.message).toContain('us-central1-b')
  })

  it('is not complete when the call failed', async () => {
    cloud.gce.faults.push({ action: 'list', kind: 'error', reason: 'forbidden', status: 403 })
    const all = await (await openCluster()).list()
    expect((await cloud.open()).partOf!(all)).toMatchObject({ complete: false, instances: [] })
  })
})

describe.each([
  ['a pool', () => cloud.open()],
  ['a cluster', () => openCluster()],
] as const)('find, of %s', (_, open) => {
  it('shows instances of every pool of the cluster in every region, and no others', async () => {
    const ids = await everywhere()
    const listing = await (await open()).find!([...Object.values(ids), gone, 'not a name'])
    expect(listing).toMatchObject({ complete: true, problems: [], account: 'my-project' })
    expect(idsOf(listing.instances)).toEqual([ids.own, ids.other, ids.hashed].sort())
    const pools = new Map(listing.instances.map(({ id, pool }) => [id, pool]))
    expect(pools.get(ids.own)).toBe('GPU pool')
    expect(pools.get(ids.other)).toBe('other')
    // The label of a long name is a hash, which cannot be decoded.
    expect(pools.get(ids.hashed)).toMatch(/_h[a-z0-9]{16}$/)
  })

  it('queries a limited number of names at once', async () => {
    const { instances } = await (await cloud.open()).launch(cloud.order(300, one))
    cloud.gce.calls.length = 0
    const listing = await (await open()).find!(idsOf(instances))
    expect(idsOf(listing.instances)).toEqual(idsOf(instances))
    expect(cloud.gce.count('list')).toBe(3)
  })

  it('is not complete when a page fails, or when a missing instance may be in a zone that does not respond', async () => {
    const ids = await everywhere()
    const provider = await open()
    cloud.gce.world.silent.add('asia-east1-a')
    expect(await provider.find!([ids.own])).toMatchObject({ complete: true, instances: [{ id: ids.own }] })
    const listing = await provider.find!([ids.own, gone])
    expect(listing).toMatchObject({ complete: false, instances: [{ id: ids.own }] })
    expect(listing.problems[0]!.message).toContain('zones/asia-east1-a')
    cloud.gce.world.silent.clear()
    cloud.gce.faults.push({ action: 'list', kind: 'html', status: 200 })
    expect(await provider.find!([ids.own])).toMatchObject({ complete: false, instances: [] })
  })

  it('queries the project also without names', async () => {
    await everywhere()
    expect(await (await open()).find!([])).toMatchObject({
      instances: [],
      complete: true,
      account: 'my-project',
      at: expect.any(Number),
    })
    expect(cloud.gce.count('list')).toBe(1)
  })

  it('stops when it is aborted', async () => {
    const stop = AbortSignal.abort(new Error('stopped'))
    await expect((await open()).find!([gone], stop)).rejects.toThrow('stopped')
  })
})

describe('find, of a pool', () => {
  it('names its own pool, although its label is a hash', async () => {
    const ids = await everywhere()
    const provider = await cloud.open({}, { ...cloud.owner, pool: long })
    expect((await provider.find!([ids.hashed])).instances).toMatchObject([{ pool: long }])
  })
})

describe('traces of a cluster', () => {
  it('are instances of any pool, in any state', async () => {
    const provider = await cloud.open({}, { ...cloud.owner, pool: 'new' })
    expect(await provider.hasTraces!()).toBe(false)
    const { instances } = await (await cloud.open()).launch(cloud.order(1, one))
    cloud.gce.world.end(instances[0]!.id)
    expect(await provider.hasTraces!()).toBe(true)
  })

  it('are not denied while a zone does not respond, or nothing does', async () => {
    const provider = await cloud.open()
    cloud.gce.world.silent.add('asia-east1-a')
    await expect(provider.hasTraces!()).rejects.toMatchObject({ code: 'PROVIDER_TRANSIENT' })
    cloud.gce.world.silent.clear()
    cloud.gce.faults.push({ action: 'list', kind: 'error', reason: 'forbidden', status: 403 })
    await expect(provider.hasTraces!()).rejects.toMatchObject({ code: 'PROVIDER_AUTH' })
  })
})

describe('a whole cluster', () => {
  it('is listed by its label, in zones of every region', async () => {
    const ids = await everywhere()
    const listing = await (await openCluster()).list()
    expect(listing).toMatchObject({ complete: true, account: 'my-project', at: expect.any(Number) })
    expect(idsOf(listing.instances)).toEqual([ids.own, ids.other, ids.hashed].sort())
    expect(listing.instances.find(({ id }) => id === ids.other)).toMatchObject({
      pool: 'other',
      zone: 'asia-east1-a',
    })
    cloud.gce.world.silent.add('us-central1-f')
    expect(await (await openCluster()).list()).toMatchObject({ complete: false })
  })

  it('terminates its own, and rejects those of others', async () => {
    const ids = await everywhere()
    const result = await (await openCluster()).terminate([...Object.values(ids), gone])
    expect(result.terminated.sort()).toEqual([ids.own, ids.other, ids.hashed, gone].sort())
    expect(result.failures).toMatchObject([{ id: ids.foreign, problem: { code: 'PROVIDER_NOT_OURS' } }])
    expect(cloud.gce.world.vms.get(ids.foreign)!.status).not.toBe('DEPROVISIONING')
    expect(cloud.gce.world.vms.get(ids.other)!.status).toBe('DEPROVISIONING')
  })

  it('does not count an instance as terminated that may be in a zone that does not respond', async () => {
    const ids = await everywhere()
    cloud.gce.world.silent.add('asia-east1-a')
    const result = await (await openCluster()).terminate([ids.other])
    expect(result).toMatchObject({ terminated: [], failures: [{ id: ids.other, class: 'transient' }] })
  })

  it('has a project', async () => {
    await expect(openCluster({ region: 'us-west-2' })).rejects.toMatchObject({ code: 'PROVIDER_CONFIG' })
  })
})

describe('`returnPartialSuccess`', () => {
  const refusal =
    'Invalid JSON payload received. Unknown name "returnPartialSuccess": Cannot bind query parameter.'

  it('is sent until Google refuses the parameter, and never again after that', async () => {
    const provider = await cloud.open()
    cloud.gce.world.noPartialSuccess = refusal
    expect(await provider.list()).toMatchObject({ complete: true, problems: [] })
    expect(await provider.list()).toMatchObject({ complete: true, problems: [] })
    const asked = cloud.gce.calls.map(({ query }) => query.get('returnPartialSuccess'))
    expect(asked).toEqual(['true', null, null])
  })

  it('is still sent after other errors', async () => {
    const message = "Invalid value for field 'filter'"
    cloud.gce.faults.push({ action: 'list', kind: 'error', reason: 'invalid', status: 400, message })
    expect(await (await cloud.open()).list()).toMatchObject({ problems: [{ code: 'PROVIDER_CONFIG' }] })
    expect(cloud.gce.count('list')).toBe(1)
  })
})
