// The guards of the fleet around any provider and source of demand, also those that know nothing of `mayAct`.
import { beforeEach, describe, expect, it } from 'vitest'
import type { DemandSource } from '../../../src/demand/source.ts'
import { guardedCluster, guardedDemand, guardedProvider } from '../../../src/fleet/guarded.ts'
import type { ClusterProvider, Provider } from '../../../src/providers/contract.ts'
import { userDataOf } from '../../../src/testing/order.ts'
import { intentOf, offering, owner } from '../../support/cloud-pools.ts'

let isHeld: boolean
let calls: string[]
beforeEach(() => {
  isHeld = true
  calls = []
})
const mayAct = () => isHeld
const order = { intent: intentOf([offering('m4')], 3), owner, userData: userDataOf('true') }
const listing = { instances: [], complete: true, problems: [] }

/** Its methods use `this`, as those of a class do. */
class Rack implements Provider {
  readonly kind = 'rack'
  readonly location = { row: '7' }
  #calls = calls
  async list() {
    this.#calls.push('list')
    return listing
  }
  partOf() {
    this.#calls.push('partOf')
    return listing
  }
  async launch() {
    this.#calls.push('launch')
    return { instances: [], failures: [] }
  }
  async terminate(ids: string[]) {
    this.#calls.push('terminate')
    return { terminated: ids, failures: [] }
  }
  async find() {
    this.#calls.push('find')
    return listing
  }
  async hasTraces() {
    this.#calls.push('hasTraces')
    return true
  }
  async slotsOf() {
    this.#calls.push('slotsOf')
    return 4
  }
  async consoleStage() {
    this.#calls.push('consoleStage')
    return undefined
  }
  async close() {
    this.#calls.push('close')
  }
}

async function readAll(provider: Provider): Promise<void> {
  await provider.list()
  provider.partOf!(listing)
  await provider.find!([])
  await provider.hasTraces!()
  await provider.slotsOf('m4')
  await provider.consoleStage('vm')
  await provider.close()
}
const reads = ['list', 'partOf', 'find', 'hasTraces', 'slotsOf', 'consoleStage', 'close']

describe('a guarded provider', () => {
  it('passes everything on while this process may act', async () => {
    const provider = guardedProvider(new Rack(), mayAct)
    expect([provider.kind, provider.location]).toEqual(['rack', { row: '7' }])
    await readAll(provider)
    await provider.launch(order)
    expect(await provider.terminate(['a'])).toEqual({ terminated: ['a'], failures: [] })
    expect(calls).toEqual([...reads, 'launch', 'terminate'])
  })

  it('launches and terminates nothing once it may not, and reads and closes as before', async () => {
    const provider = guardedProvider(new Rack(), mayAct)
    isHeld = false
    const problem = { code: 'STATE_RIGHT_LOST' }
    const failure = { class: 'transient', missing: 3, notSent: true, problem }
    expect(await provider.launch(order)).toMatchObject({ instances: [], failures: [failure] })
    expect(await provider.terminate(['a', 'b'])).toMatchObject({
      terminated: [],
      failures: [
        { id: 'a', class: 'transient', problem },
        { id: 'b', class: 'transient', problem },
      ],
    })
    expect(calls).toEqual([])
    await readAll(provider)
    expect(calls).toEqual(reads)
  })

  it('lacks what the provider lacks', () => {
    const { location, partOf, find, hasTraces, ...rest } = new Rack() as Provider
    const bare = Object.assign(Object.create(new Rack()), rest, {
      location: undefined,
      partOf: undefined,
      find: undefined,
      hasTraces: undefined,
    }) as Provider
    const guarded = guardedProvider(bare, mayAct)
    for (const name of ['location', 'partOf', 'find', 'hasTraces']) expect(name in guarded).toBe(false)
  })
})

describe('a guarded cluster', () => {
  const cluster = (more: Partial<ClusterProvider> = {}): ClusterProvider => ({
    list: async () => listing,
    find: async () => listing,
    async terminate(ids) {
      calls.push('terminate')
      return { terminated: ids, failures: [] }
    },
    close: async () => void calls.push('close'),
    ...more,
  })

  it('terminates and deletes nothing once this process may not act', async () => {
    const deleteUnused = async () => calls.push('deleteUnused')
    const guarded = guardedCluster(cluster({ deleteUnused }), mayAct)
    expect(await guarded.deleteUnused!(() => false)).toBe(1)
    isHeld = false
    await expect(guarded.deleteUnused!(() => false)).rejects.toThrow('STATE_RIGHT_LOST')
    const { terminated, failures } = await guarded.terminate(['a'])
    expect([terminated, failures]).toMatchObject([[], [{ id: 'a', class: 'transient' }]])
    expect((await guarded.list()).complete).toBe(true)
    await guarded.close()
    expect(calls).toEqual(['deleteUnused', 'close'])
    expect('deleteUnused' in guardedCluster(cluster(), mayAct)).toBe(false)
  })
})

describe('a guarded source of demand', () => {
  it('drains and undrains nothing once this process may not act, and passes the question on', async () => {
    const asked: unknown[] = []
    const source = {
      kind: 'own',
      async drain(id: string, _?: AbortSignal, may?: () => boolean) {
        calls.push(`drain ${id}`)
        asked.push(may)
        return true
      },
      async undrain(id: string, _?: AbortSignal, may?: () => boolean) {
        calls.push(`undrain ${id}`)
        asked.push(may)
        return true
      },
      read: async () => ({ pool: 'p', at: 0, pending: [], agents: [] }),
      onChange: () => () => {},
      close: async () => {},
    } satisfies DemandSource
    const guarded = guardedDemand(source, mayAct)
    expect([await guarded.drain('a'), await guarded.undrain('a')]).toEqual([true, true])
    expect(asked).toEqual([mayAct, mayAct])
    isHeld = false
    await expect(guarded.drain('b')).rejects.toThrow('STATE_RIGHT_LOST')
    await expect(guarded.undrain('b')).rejects.toThrow('STATE_RIGHT_LOST')
    expect((await guarded.read('p')).agents).toEqual([])
    expect(calls).toEqual(['drain a', 'undrain a'])
  })
})
