// Clauses about optional members of a provider: instances found by id, traces and instances of a whole cluster.

import { randomUUID } from 'node:crypto'
import { describe, expect } from 'vitest'
import type { Ownership } from '../providers/index.ts'
import { type Clause, eventually } from './clauses.ts'
import type { Ability, ProviderHarness } from './provider-harness.ts'

/** Call it inside the `describe` of `clause`. `current`: the harness of the running clause. */
export function describeWholeCluster(clause: Clause<Ability>, current: () => ProviderHarness): void {
  /** The id of one instance launched for this owner, once a listing of its pool shows it. */
  async function launched(owner: Ownership): Promise<string> {
    const harness = current()
    const provider = await harness.open(owner)
    const { instances } = await provider.launch(harness.order(1, owner))
    await eventually(async () => (await provider.list()).instances).toHaveLength(1)
    return instances[0]!.id
  }

  const otherPool = ({ owner }: ProviderHarness) => ({ ...owner, pool: `${owner.pool}-other` })
  const otherCluster = ({ owner }: ProviderHarness) => ({ ...owner, clusterId: randomUUID() })

  describe('find', () => {
    clause('finds instances of its cluster by id, of any pool, and no others', ['find'], async () => {
      const harness = current()
      const mine = await launched(harness.owner)
      const theirs = await launched(otherPool(harness))
      const foreign = await launched(otherCluster(harness))
      const found = await harness.provider.find!([mine, theirs, foreign, harness.unknownId])
      expect(found).toMatchObject({ complete: true, problems: [] })
      const pools = new Map(found.instances.map(({ id, pool }) => [id, pool]))
      expect(pools).toEqual(
        new Map([
          [mine, harness.owner.pool],
          [theirs, otherPool(harness).pool],
        ]),
      )
    })

    clause('returns a complete, empty result when no id is given or none is known', ['find'], async () => {
      const { provider, unknownId } = current()
      for (const ids of [[], [unknownId]])
        expect(await provider.find!(ids)).toMatchObject({ instances: [], complete: true, problems: [] })
    })

    clause(
      'returns an incomplete result with the reason when the call failed',
      ['find', 'broken_listing'],
      async () => {
        const harness = current()
        harness.breakListing!()
        const found = await harness.provider.find!([harness.unknownId])
        expect(found.complete).toBe(false)
        expect(found.problems).not.toEqual([])
      },
    )

    clause('rejects when it is aborted', ['find'], async () => {
      const aborted = AbortSignal.abort(new Error('stopped'))
      const { provider, unknownId } = current()
      await expect(provider.find!([unknownId], aborted)).rejects.toThrow('stopped')
    })

    clause(
      'reports the account, with instances, without them, and without ids',
      ['find', 'account'],
      async () => {
        const harness = current()
        const id = await launched(harness.owner)
        for (const ids of [[id], [harness.unknownId], []])
          expect((await harness.provider.find!(ids)).account).toBe(harness.account)
        expect((await harness.provider.list()).account).toBe(harness.account)
      },
    )

    clause('reports another account after the credentials have changed', ['find', 'account'], async () => {
      const harness = current()
      const other = await harness.changeAccount!()
      expect(other).not.toBe(harness.account)
      expect((await harness.provider.find!([harness.unknownId])).account).toBe(other)
    })

    clause("reports the time of the answer by the cloud's clock", ['find', 'cloud_time'], async () => {
      const { provider, unknownId } = current()
      for (const { at } of [await provider.list(), await provider.find!([unknownId])])
        expect(Math.abs(at! - Date.now())).toBeLessThan(60_000)
    })
  })

  describe('traces of the cluster', () => {
    clause('do not exist in an empty cloud, and exclude those of another cluster', ['traces'], async () => {
      const harness = current()
      await launched(otherCluster(harness))
      expect(await harness.provider.hasTraces!()).toBe(false)
    })

    clause('are instances of any pool', ['traces'], async () => {
      const harness = current()
      await launched(otherPool(harness))
      expect(await harness.provider.hasTraces!()).toBe(true)
    })

    clause('are not denied when the cloud does not answer', ['traces', 'broken_listing'], async () => {
      const harness = current()
      harness.breakListing!()
      await expect(harness.provider.hasTraces!()).rejects.toThrow(/\w/)
    })
  })

  describe('a whole cluster', () => {
    clause('has the location that its providers report', ['clusters'], async () => {
      const harness = current()
      const again = await harness.open(otherPool(harness))
      expect(again.location).toEqual(harness.provider.location)
      for (const value of Object.values(harness.provider.location ?? {})) expect(value).toMatch(/\S/)
    })

    clause(
      'is listed and found with the pool of each instance, without other clusters',
      ['clusters'],
      async () => {
        const harness = current()
        const pools = [harness.owner, otherPool(harness)]
        const ids: string[] = []
        for (const owner of pools) ids.push(await launched(owner))
        const foreign = await launched(otherCluster(harness))
        const cluster = await harness.openCluster!(harness.owner.clusterId)
        const expected = new Map(ids.map((id, index) => [id, pools[index]!.pool]))
        for (const { instances, complete } of [await cluster.list(), await cluster.find([...ids, foreign])]) {
          expect(complete).toBe(true)
          expect(new Map(instances.map(({ id, pool }) => [id, pool]))).toEqual(expected)
        }
        await cluster.close()
      },
    )

    clause(
      "gives each pool its part of the cluster's listing: what the pool itself lists",
      ['clusters', 'shared_listing'],
      async () => {
        const harness = current()
        const owners = [harness.owner, otherPool(harness)]
        for (const owner of owners) await launched(owner)
        const cluster = await harness.openCluster!(harness.owner.clusterId)
        const all = await cluster.list()
        expect(all.instances).toHaveLength(2)
        for (const owner of owners) {
          const provider = await harness.open(owner)
          const { at: _, ...own } = await provider.list()
          const { at: __, ...part } = provider.partOf!(all)
          expect(part).toEqual(own)
        }
        const none = (await harness.open({ ...harness.owner, pool: 'empty' })).partOf!(all)
        expect(none).toMatchObject({ instances: [], complete: true, problems: [] })
        await cluster.close()
      },
    )

    clause(
      'is incomplete for each pool when its listing is',
      ['clusters', 'shared_listing', 'broken_listing'],
      async () => {
        const harness = current()
        const cluster = await harness.openCluster!(harness.owner.clusterId)
        harness.breakListing!()
        const all = await cluster.list()
        const part = harness.provider.partOf!(all)
        expect(part.complete).toBe(false)
        expect(part.problems).not.toEqual([])
        await cluster.close()
      },
    )

    clause(
      'terminates instances of any of its pools, and refuses those of others',
      ['clusters'],
      async () => {
        const harness = current()
        const mine = [await launched(harness.owner), await launched(otherPool(harness))]
        const foreign = await launched(otherCluster(harness))
        const cluster = await harness.openCluster!(harness.owner.clusterId)
        const result = await cluster.terminate([...mine, foreign])
        expect(result.terminated.sort()).toEqual(mine.toSorted())
        expect(result.failures).toMatchObject([{ id: foreign, problem: { code: 'PROVIDER_NOT_OURS' } }])
        await cluster.close()
      },
    )

    clause(
      'deletes what the launch of a gang made besides instances, once none of them is left',
      ['gangs'],
      async () => {
        const harness = current()
        const order = harness.order(2)
        const gang = { ...order, intent: { ...order.intent, gang: true } }
        const ids = (await harness.provider.launch(gang)).instances.map(({ id }) => id)
        const cluster = await harness.openCluster!(harness.owner.clusterId)
        expect(await cluster.deleteUnused!((intentId) => intentId === order.intent.id)).toBe(1)
        // An instance that no listing shows may exist.
        expect(await cluster.deleteUnused!(() => false)).toBe(1)
        expect((await cluster.find(ids)).instances).toHaveLength(2)
        await harness.provider.terminate(ids)
        await expect
          .poll(async () => {
            await cluster.list()
            return cluster.deleteUnused!(() => false)
          })
          .toBe(0)
        await cluster.close()
      },
    )

    clause('refuses instances without the tags of the cluster', ['clusters', 'foreign_vms'], async () => {
      const harness = current()
      const id = await harness.foreignInstance!()
      const cluster = await harness.openCluster!(harness.owner.clusterId)
      expect(await cluster.terminate([id])).toMatchObject({ terminated: [], failures: [{ id }] })
      await cluster.close()
    })
  })
}
