// Provisioners that share the state: each answers for all pools of the cluster and takes orders for them.
import { describe, expect, it } from 'vitest'
import {
  adoptOrphans,
  agentList,
  drainInstances,
  fleetStatus,
  instanceList,
  launchInstances,
  listOrphans,
  pausePool,
  poolStatus,
  resumePool,
  terminateInstances,
  undrainInstances,
} from '../../../src/http/fleet-client.ts'
import { problem } from '../../../src/problems/index.ts'
import { performLaunch } from '../../../src/simulator/cloud.ts'
import type { Exchange } from '../../../src/state/exchange/port.ts'
import { userDataOf } from '../../../src/testing/order.ts'
import { type PoolBench, startBench } from '../../support/pool-bench.ts'
import { sharingHosts } from '../../support/sharing-hosts.ts'

const listInstances = async (...asked: Parameters<typeof instanceList>) =>
  (await instanceList(...asked)).instances
const listAgents = async (...asked: Parameters<typeof agentList>) => (await agentList(...asked)).agents

const within = { timeout: 10_000, interval: 50 }

/** Instances with idle agents. Before them, the cloud has launched others for somebody else, so that ids differ. */
async function benchWith(count: number, others = 0): Promise<PoolBench> {
  const bench = await startBench({ minInstances: count, maxInstances: count + 1 })
  performLaunch(bench.cloud, {
    owner: { clusterId: 'another', pool: 'other', writerId: 'other' },
    userData: userDataOf('first'),
    intent: { id: 'others', count: others, offerings: bench.settings.offerings },
  })
  await bench.pass(70)
  bench.joins(...idsOf(bench))
  await bench.pass(5)
  return bench
}

const idsOf = ({ fleet }: PoolBench) => fleet.status().instances.map(({ id }) => id)

async function world() {
  const [gpu, cpu] = [await benchWith(2), await benchWith(1, 5)]
  const cluster = sharingHosts(
    new Map([
      ['gpu', gpu],
      ['cpu', cpu],
    ]),
  )
  cluster.lead('a', 'gpu', '@orphans')
  cluster.lead('b', 'cpu')
  const [a, b] = [await cluster.host('a'), await cluster.host('b')]
  const seen = async (pool: string) => (await fleetStatus(b.client)).pools.find((each) => each.pool === pool)!
  await expect.poll(async () => (await seen('gpu')).state, within).toBe('ok')
  return { cluster, gpu, cpu, a, b, seen }
}

const refusal = (call: Promise<unknown>) => call.then(String, ({ problems: [first] }) => first)

describe('a provisioner that does not lead a pool', () => {
  it('shows it as its leader does, with its leader and the age of that', async () => {
    const { a, b, seen } = await world()
    const age = expect.any(Number)
    const leader = { host: 'a', self: false }
    expect(await seen('gpu')).toMatchObject({ state: 'ok', live: 2, joined: 2, leader, age })
    expect(
      (await fleetStatus(a.client)).pools.map((each) => [
        each.pool,
        each.leader?.self,
        'age' in each && each.age !== undefined,
      ]),
    ).toEqual([
      ['gpu', true, false],
      ['cpu', false, true],
    ])
    const instances = await listInstances(b.client)
    expect(instances.filter(({ pool }) => pool === 'gpu')).toEqual(await listInstances(a.client, 'gpu'))
    expect(instances).toHaveLength(3)
    expect(await listInstances(b.client, 'gpu')).toHaveLength(2)
    expect(await listAgents(b.client, 'gpu')).toEqual(await listAgents(a.client, 'gpu'))
    expect(await listAgents(b.client)).toHaveLength(3)
    const details = await poolStatus(b.client, 'gpu')
    expect(details).toMatchObject({
      policy: { minInstances: 2 },
      snapshot: { format: 'provision snapshot 1' },
    })
    expect(Object.keys(details).sort()).toEqual(
      [...Object.keys(await poolStatus(a.client, 'gpu')), 'age'].sort(),
    )
  })

  it('passes orders to its leader; what they change is seen at once', async () => {
    const { gpu, b, seen } = await world()
    await pausePool(b.client, 'gpu')
    expect(gpu.fleet.status().paused).toBe(true)
    expect(await seen('gpu')).toMatchObject({ state: 'paused' })
    await resumePool(b.client, 'gpu')
    expect(await seen('gpu')).toMatchObject({ state: 'ok' })
    expect(await launchInstances(b.client, 'gpu', 1)).toMatch(/^intent/)
    await expect.poll(() => idsOf(gpu).length, within).toBe(3)
  })

  it('passes on why the leader refuses, with the same status', async () => {
    const { a, b } = await world()
    const order = ['POST', '/v1/pools/gpu/launch', { count: 9 }] as const
    const here = await b.client.ask(...order)
    expect(here).toMatchObject({ status: 409, value: { error: { code: 'MAX_REACHED' } } })
    expect(here).toEqual(await a.client.ask(...order))
    expect(await b.client.ask('POST', '/v1/pools/none/launch', { count: 1 })).toMatchObject({ status: 404 })
    expect(await b.client.ask('POST', '/v1/pools/gpu/launch', { count: 0 })).toMatchObject({ status: 400 })
  })

  it('shows only its leader where nothing can be read, and is no error', async () => {
    const { cluster, b, seen } = await world()
    cluster.lead('another version', 'gpu')
    expect(await seen('gpu')).toMatchObject({
      state: 'standby',
      leader: { host: 'another version', self: false },
    })
    expect(await listInstances(b.client, 'gpu')).toHaveLength(2)
    const unreadable = {
      name: 'pool/gpu',
      lease: 'gpu',
      epoch: { number: 4, nonce: 'n4' },
      summary: '{"state":"new"}',
    }
    expect((await cluster.exchange.publish([{ ...unreadable, body: new Uint8Array([1]) }])).size).toBe(1)
    expect(await seen('gpu')).toMatchObject({ state: 'standby', leader: { host: 'another version' } })
    expect(await refusal(listInstances(b.client, 'gpu'))).toMatchObject({ code: 'POOL_NOT_RUNNING' })
    expect(await listInstances(b.client)).toHaveLength(1)
    cluster.free('gpu')
    const alone = await seen('gpu')
    expect([alone.state, alone.leader]).toEqual(['standby', undefined])
  })

  it('shows why its leader could not start it', async () => {
    const { a, b, seen } = await world()
    a.failed.push({ pool: 'gpu', problems: [problem('POOL_START_FAILED', 'no credentials')] })
    await expect.poll(async () => (await seen('gpu')).state, within).toBe('failed')
    expect(await seen('gpu')).toMatchObject({
      problems: [{ message: 'no credentials' }],
      leader: { host: 'a' },
    })
    const asked = refusal(poolStatus(b.client, 'gpu'))
    expect(await asked).toMatchObject({
      code: 'POOL_NOT_RUNNING',
      message: expect.stringContaining('no credentials'),
    })
  })

  it('still shows what it leads itself while the store is gone', async () => {
    const { cluster } = await world()
    const gone = new Proxy(cluster.exchange, {
      get: () => () => Promise.reject(new Error('gone')),
    }) as Exchange
    const c = await cluster.host('b', gone)
    const { pools } = await fleetStatus(c.client)
    expect(pools.map(({ pool, state }) => [pool, state])).toEqual([
      ['cpu', 'ok'],
      ['gpu', 'standby'],
    ])
    // Nothing was read before.
    expect(pools[1]).toMatchObject({ problems: [{ code: 'STATE_UNREACHABLE' }] })
    expect(await listInstances(c.client, 'cpu')).toHaveLength(1)
    expect(await instanceList(c.client)).toMatchObject({
      instances: [{ pool: 'cpu' }],
      problems: [{ code: 'STATE_UNREACHABLE' }],
    })
    expect(await refusal(poolStatus(c.client, 'gpu'))).toMatchObject({ code: 'STATE_UNREACHABLE' })
    expect(await refusal(drainInstances(c.client, ['i-0']))).toMatchObject({ code: 'STATE_UNREACHABLE' })
  })

  it('shows within a second what it knew, as unavailable, once the store does not answer and nobody leads', async () => {
    const { cluster, b } = await world()
    const store = { ...cluster.exchange }
    const c = await cluster.host('b', store)
    expect((await fleetStatus(c.client)).pools.map(({ state }) => state)).toEqual(['ok', 'ok'])
    expect(await listInstances(c.client)).toHaveLength(3)
    const known = await poolStatus(c.client, 'gpu')
    const hang = () => new Promise<never>(() => {})
    Object.assign(store, { views: hang, bodies: hang })
    cluster.free('gpu')
    cluster.free('cpu')
    c.fault = problem('STATE_UNREACHABLE', 'db:5432: no answer within 5 s')
    const begun = performance.now()
    const { pools, problems } = await fleetStatus(c.client)
    expect(performance.now() - begun).toBeLessThan(1_000)
    expect(problems).toEqual([])
    for (const pool of pools)
      expect(pool).toMatchObject({
        ...{ state: 'unavailable', age: expect.any(Number), joined: pool.pool === 'gpu' ? 2 : 1 },
        problems: [{ code: 'STATE_UNREACHABLE', remedy: expect.stringContaining('Start the database') }],
      })
    expect(pools.map(({ leader }) => leader)).toEqual([undefined, undefined])
    const later = await poolStatus(c.client, 'gpu')
    expect(later).toMatchObject({ state: 'unavailable', live: 2, policy: known.policy! })
    const list = await instanceList(c.client)
    expect([list.instances.length, list.problems?.[0]?.code]).toEqual([2, 'STATE_UNREACHABLE'])
    expect((await agentList(b.client)).problems).toEqual([])
  })
})

describe('orders for instances', () => {
  it('go to the leaders of their pools, and their replies are joined', async () => {
    const { gpu, cpu, b } = await world()
    const ids = [idsOf(gpu)[0]!, idsOf(cpu)[0]!]
    for (const { master } of [gpu, cpu])
      for (const agent of master.agents.values()) Object.assign(agent, { busy: true, freeSlots: 0 })
    const drained = await drainInstances(b.client, ids)
    expect(drained.ids.sort()).toEqual(ids.sort())
    const doing = async () => (await listInstances(b.client)).flatMap((one) => (one.doing ? [one.id] : []))
    expect((await doing()).sort()).toEqual(ids)
    expect((await undrainInstances(b.client, ids)).ids.sort()).toEqual(ids)
    await expect.poll(doing, within).toEqual([])
    expect((await terminateInstances(b.client, ids, true)).ids.sort()).toEqual(ids)
  })

  it('change nothing when an id is unknown or busy anywhere', async () => {
    const { gpu, cpu, a, b } = await world()
    const ids = [idsOf(gpu)[0]!, idsOf(cpu)[0]!]
    const unknown = refusal(drainInstances(b.client, [...ids, 'none']))
    expect(await unknown).toMatchObject({
      code: 'INSTANCE_UNKNOWN',
      message: expect.stringContaining('none'),
    })
    Object.assign(gpu.master.agents.get(ids[0]!)!, { busy: true, freeSlots: 0 })
    await expect
      .poll(async () => (await listAgents(b.client, 'gpu')).filter(({ busy }) => busy).length, within)
      .toBe(1)
    expect(await refusal(terminateInstances(b.client, ids, false))).toMatchObject({ code: 'INSTANCE_BUSY' })
    for (const host of [a, b])
      expect((await listInstances(host.client)).filter(({ doing }) => doing)).toEqual([])
  })
})

describe('orders of a program that embeds a provisioner', () => {
  it('go to the leader of the pool, and are refused with its reason', async () => {
    const { gpu, b, seen } = await world()
    await b.orders.pause('gpu')
    expect(gpu.fleet.status().paused).toBe(true)
    expect(await refusal(b.orders.launch('gpu', 1))).toMatchObject({ code: 'PAUSED', severity: 'error' })
    await b.orders.resume('gpu')
    expect(await seen('gpu')).toMatchObject({ state: 'ok' })
    expect(await b.orders.launch('gpu', 1)).toMatch(/^intent/)
    await expect.poll(() => idsOf(gpu).length, within).toBe(3)
    expect(await b.orders.adopt('gpu')).toEqual([])
    expect(await b.orders.adoptOrphans()).toEqual(['adopted by a 1'])
    expect(() => b.orders.check('gpu')).not.toThrow()
    expect(() => b.orders.check('none')).toThrow('POOL_UNKNOWN')
  })

  it('go to the leaders of the instances; ids that nobody knows are left out', async () => {
    const { gpu, cpu, b } = await world()
    const ids = [idsOf(gpu)[0]!, idsOf(cpu)[0]!]
    for (const { master } of [gpu, cpu])
      for (const agent of master.agents.values()) Object.assign(agent, { busy: true, freeSlots: 0 })
    expect((await b.orders.drain([...ids, 'i-0'])).sort()).toEqual([...ids].sort())
    expect((await b.orders.undrain(ids)).sort()).toEqual([...ids].sort())
    expect(await b.orders.terminate(['i-0'])).toEqual([])
    expect((await b.orders.terminate(ids)).sort()).toEqual([...ids].sort())
    expect(await b.orders.drain([])).toEqual([])
    for (const bench of [gpu, cpu])
      await expect.poll(() => bench.calls.terminated.flat().length, within).toBe(1)
  })
})

describe('orphans', () => {
  it('are shown and adopted at every provisioner', async () => {
    const { a, b } = await world()
    a.orphans = {
      orphans: [
        {
          ...{ id: 'i-9', pool: 'gone', state: 'running', launchedAt: 1, instanceType: 'm4', zone: 'a' },
          ...{ capacityType: 'on_demand', provider: 'aws', location: { region: 'r' }, age: 0, isOwn: false },
          ...{ waited: 0, next: { kind: 'keep', why: 'foreign' } },
        },
      ],
      problems: [problem('POOL_START_FAILED', 'cannot be listed')],
    }
    await expect.poll(async () => (await fleetStatus(b.client)).orphans, within).toBe(1)
    expect((await fleetStatus(b.client)).problems).toMatchObject([{ message: 'cannot be listed' }])
    expect(await listOrphans(b.client)).toEqual(await listOrphans(a.client))
    expect(await adoptOrphans(b.client)).toEqual(['adopted by a 1'])
    expect([a.adopted, b.adopted]).toEqual([1, 0])
  })
})
