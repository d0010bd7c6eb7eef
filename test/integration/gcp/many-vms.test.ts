// Thousands of VMs: deletes within the request quota of a project, and few queries for many names.
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { GceInstance } from '../../../src/providers/gcp/client.ts'
import { GceError } from '../../../src/providers/gcp/errors.ts'
import { type TerminateInput, terminateOwned } from '../../../src/providers/gcp/terminate.ts'
import { offering } from '../../support/cloud-pools.ts'
import { FakeClock } from '../../support/fake-clock.ts'
import { type GcpCloud, gcpCloud, zone } from '../../support/gcp-cloud.ts'

const one = [offering('g2-standard-8', { zone })]
const idsOf = (instances: { id: string }[]) => instances.map(({ id }) => id).sort()

/** Deletes that take 200 ms each, of VMs that are all managed. */
function deletes(
  count: number,
  { refused = [] as number[], reason = 'rateLimitExceeded', status = 403 } = {},
) {
  const clock = new FakeClock()
  const ids = Array.from({ length: count }, (_, n) => `vm-${n}`)
  const sent: number[] = []
  const lookups = new Map<string, number>()
  const ages: number[] = []
  let open = 0
  let mostOpen = 0
  const api = {
    async listInstances({ filter }: { filter: string }) {
      await clock.sleep(160)
      const names = [...filter.matchAll(/name = "([^"]+)"/g)].map(([, name = '']) => name)
      for (const name of names) lookups.set(name, clock.now())
      return {
        items: { [`zones/${zone}`]: { instances: names.map((name): GceInstance => ({ name, zone })) } },
      }
    },
    async deleteInstance({ instance }: { instance: string }) {
      const nth = sent.push(clock.now())
      ages.push(clock.now() - lookups.get(instance)!)
      mostOpen = Math.max(mostOpen, ++open)
      await clock.sleep(2_000)
      open--
      if (refused.includes(nth) || refused.includes(-1))
        throw new GceError(reason, "Quota 'Queries' exceeded.", { status })
      return {}
    },
  }
  const input: TerminateInput = {
    api: api as unknown as TerminateInput['api'],
    clock,
    project: 'p',
    owner: { clusterId: 'c', pool: 'gpu' },
    isManaged: () => true,
    ids,
    zoneOf: () => zone,
    zoneOfNew: () => undefined,
  }
  /** One call for each, all at the same time. */
  async function run(...calls: Partial<TerminateInput>[]) {
    const results = Promise.all(calls.map((call) => terminateOwned({ ...input, ...call })))
    let isDone = false
    void results.finally(() => {
      isDone = true
    })
    while (!isDone) await clock.advance(1000)
    return results
  }
  const runOne = async (call: Partial<TerminateInput> = {}) => (await run(call))[0]!
  return { clock, ids, sent, ages, run, runOne, mostOpen: () => mostOpen }
}

function mostInAMinute(sent: number[]): number {
  return Math.max(...sent.map((from) => sent.filter((at) => at >= from && at < from + 60_000).length))
}

describe('many deletes', () => {
  it('are in flight together, and leave a part of the quota to others', async () => {
    const { runOne, sent, mostOpen, ids, clock } = deletes(500)
    const from = clock.now()
    const result = await runOne()
    expect(idsOf(result.terminated.map((id) => ({ id })))).toEqual([...ids].sort())
    expect(mostOpen()).toBe(50)
    expect(clock.now() - from).toBeLessThan(35_000)
    expect(mostInAMinute(sent)).toBeLessThanOrEqual(1250)
  })

  it('keep the quota over many calls, each of which ends within its deadline', async () => {
    const { runOne, sent, ids, clock } = deletes(4000)
    let left = ids
    while (left.length) {
      const from = clock.now()
      const { terminated, failures } = await runOne({ ids: left })
      expect(clock.now() - from).toBeLessThan(90_000)
      expect(failures.every((failure) => failure.class === 'throttle')).toBe(true)
      expect(terminated.length + failures.length).toBe(left.length)
      left = failures.map(({ id }) => id)
    }
    expect(sent).toHaveLength(4000)
    expect(mostInAMinute(sent)).toBeLessThanOrEqual(1250)
  })

  it('are of VMs that were looked up at most 15 s ago', async () => {
    const { runOne, ages } = deletes(1000)
    await runOne()
    expect(Math.max(...ages)).toBeLessThanOrEqual(15_000)
  })

  it('of many pools of a project are sent as fast as those of one, in turns', async () => {
    const { ids, sent, ages, run } = deletes(30 * 50 + 1)
    const pools = Array.from({ length: 31 }, (_, n) => ids.slice(n * 50, (n + 1) * 50))
    const results = await run(...pools.map((ofPool) => ({ ids: ofPool })))
    expect(sent.length).toBeGreaterThan(1150)
    expect(mostInAMinute(sent)).toBeLessThanOrEqual(1250)
    expect(Math.max(...ages)).toBeLessThanOrEqual(15_000)
    const done = results.map(({ terminated }) => terminated.length)
    // The last one has only one instance, and asked last.
    expect(done.at(-1)).toBe(1)
    expect(Math.min(...done.slice(0, -1))).toBeGreaterThan(30)
  })

  it('of more pools than there are turns before a lookup is too old are sent as fast', async () => {
    const { ids, sent, ages, run } = deletes(400 * 4)
    await run(...Array.from({ length: 400 }, (_, n) => ({ ids: ids.slice(n * 4, (n + 1) * 4) })))
    expect(sent.length).toBeGreaterThan(1150)
    expect(Math.max(...ages)).toBeLessThanOrEqual(15_000)
  })

  it.each([
    ['rateLimitExceeded', 403],
    ['quotaExceeded', 403],
    ['RESOURCE_EXHAUSTED', 429],
  ])('pause after %s (%i), and are repeated', async (reason, status) => {
    const { runOne, sent, ids } = deletes(60, { refused: [50], reason, status })
    const result = await runOne()
    expect(result.failures).toEqual([])
    expect(result.terminated).toHaveLength(ids.length)
    const refusedAt = sent[49]! + 2000
    expect(sent.filter((at) => at > refusedAt && at < refusedAt + 5000)).toEqual([])
  })

  it('are not sent any more when Compute Engine refuses them for long; all are tried later', async () => {
    const { runOne, sent, ids } = deletes(2000, { refused: [-1], reason: 'quotaExceeded' })
    const { terminated, failures } = await runOne()
    expect(terminated).toEqual([])
    expect(failures).toHaveLength(ids.length)
    expect(new Set(failures.map((failure) => failure.class))).toEqual(new Set(['throttle']))
    expect(new Set(failures.map(({ problem }) => problem.code))).toEqual(new Set(['PROVIDER_THROTTLED']))
    expect(sent.length).toBeLessThanOrEqual(500)
  })
})

let cloud: GcpCloud
beforeEach(async () => {
  cloud = await gcpCloud()
})
afterEach(() => cloud.dispose())

describe('on Compute Engine', () => {
  it('no delete is refused: not of one pool, and not of two in the same project', async () => {
    const pools = await Promise.all(
      ['first', 'second'].map(async (pool) => {
        const owner = { ...cloud.owner, pool }
        const provider = await cloud.open({}, owner)
        const { instances } = await provider.launch(cloud.order(900, one, owner))
        return { provider, ids: idsOf(instances) }
      }),
    )
    cloud.gce.world.changesPerMinute = 1500
    let left = pools
    for (let calls = 0; left.some(({ ids }) => ids.length) && calls < 10; calls++)
      left = await Promise.all(
        left.map(async ({ provider, ids }) => {
          const { failures } = await provider.terminate(ids)
          expect(failures.every((failure) => failure.class === 'throttle')).toBe(true)
          return { provider, ids: failures.map(({ id }) => id) }
        }),
      )
    const sent = cloud.gce.calls.filter(({ action }) => action === 'delete').map(({ at }) => at)
    expect(left.map(({ ids }) => ids)).toEqual([[], []])
    expect(sent).toHaveLength(1800)
    // The time of arrival: the clock of this test jumps while requests are on their way.
    expect(mostInAMinute(sent)).toBeLessThanOrEqual(1500)
  })

  it('many names are found by one listing of the pool, the others by name, in filters of 4,096 characters', async () => {
    const provider = await cloud.open()
    const { instances } = await provider.launch(cloud.order(1200, one))
    const other = { ...cloud.owner, pool: 'other' }
    const moved = await (await cloud.open({}, other)).launch(cloud.order(1, one, other))
    await provider.list()
    cloud.gce.calls.length = 0
    const found = await provider.find!([...idsOf(instances), ...idsOf(moved.instances), 'gone'])
    expect(found).toMatchObject({ complete: true, problems: [] })
    expect(idsOf(found.instances)).toEqual([...idsOf(instances), ...idsOf(moved.instances)].sort())
    expect(cloud.gce.count('list')).toBe(4)
  })

  it('few names are found by name, whatever the size of the pool', async () => {
    const provider = await cloud.open()
    const { instances } = await provider.launch(cloud.order(1200, one))
    await provider.list()
    cloud.gce.calls.length = 0
    const few = idsOf(instances).slice(0, 200)
    expect(idsOf((await provider.find!(few)).instances)).toEqual(few)
    expect(cloud.gce.count('list')).toBeLessThanOrEqual(3)
  })

  it('a listing of a pool that fails on the way finds no instance to be gone', async () => {
    const provider = await cloud.open()
    const { instances } = await provider.launch(cloud.order(1200, one))
    await provider.list()
    cloud.gce.faults.push({ action: 'list', kind: 'error', reason: 'forbidden', status: 403, after: 1 })
    expect(await provider.find!(idsOf(instances))).toMatchObject({ complete: false })
  })
})
