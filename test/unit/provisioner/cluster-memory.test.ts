// The copy of what is noted of the cluster: never ahead of the store, and never behind a change of our own.
import { expect, it } from 'vitest'
import { openClusterMemory } from '../../../src/provisioner/cluster-memory.ts'
import type { ClusterNotes, StoredCluster } from '../../../src/state/cluster.ts'
import { withAdopted, withDrained, withLocation, withoutDrained } from '../../../src/state/cluster.ts'

const west = { provider: 'aws', location: { region: 'us-west-2' } }
const east = { provider: 'aws', location: { region: 'us-east-1' } }

/** A store in memory that other provisioners share; its calls can be held up, or fail. */
function shared() {
  let notes: ClusterNotes = { locations: [], adopted: [], drained: [] }
  const calls: string[] = []
  const self = { gate: Promise.resolve(), isBroken: false, calls }
  async function call(name: string, by: (before: ClusterNotes) => ClusterNotes): Promise<void> {
    calls.push(name)
    await self.gate
    if (self.isBroken) throw new Error('the database is gone')
    notes = by(notes)
  }
  const cluster: StoredCluster = {
    async read() {
      const then = notes
      await call('read', (before) => before)
      return then
    },
    addLocation: (place) => call('addLocation', (before) => withLocation(before, place)),
    adopt: (more) => call('adopt', (before) => withAdopted(before, more)),
    addDrained: (ids) => call('addDrained', (before) => withDrained(before, ids)),
    removeDrained: (ids) => call('removeDrained', (before) => withoutDrained(before, ids)),
    takeOver: () => call('takeOver', (before) => before),
  }
  return Object.assign(self, { cluster })
}

it('begins with what was taken over and stored', async () => {
  const store = shared()
  await store.cluster.addLocation(west)
  const memory = await openClusterMemory(store.cluster)
  expect(store.calls).toEqual(['addLocation', 'takeOver', 'read'])
  expect(memory.locations()).toEqual([west])
})

it('has a change once it is stored, and not when that failed', async () => {
  const store = shared()
  const memory = await openClusterMemory(store.cluster)
  const gate = Promise.withResolvers<void>()
  store.gate = gate.promise
  const adding = memory.addLocation(west)
  await Promise.resolve()
  expect(memory.locations()).toEqual([])
  gate.resolve()
  await adding
  await memory.adopt([{ writer: 'w', pool: 'gpu' }])
  await memory.addDrained(['a', 'b'])
  await memory.removeDrained(['a'])
  const all = () => [memory.locations(), [...memory.adopted('gpu')], [...memory.drained()]]
  expect(all()).toEqual([[west], ['w'], ['b']])
  expect([...memory.adopted('cpu')]).toEqual([])
  store.isBroken = true
  for (const change of [
    () => memory.addLocation(east),
    () => memory.adopt([{ writer: 'v', pool: 'gpu' }]),
    () => memory.addDrained(['c']),
    () => memory.removeDrained(['b']),
    () => memory.refresh(),
  ])
    await expect(change()).rejects.toThrow('the database is gone')
  expect(all()).toEqual([[west], ['w'], ['b']])
})

it('asks the store only for locations that are new, or whose account is', async () => {
  const store = shared()
  const memory = await openClusterMemory(store.cluster)
  for (const place of [west, west, { ...west, account: '1' }, { ...west, account: '2' }, west])
    await memory.addLocation(place)
  expect(store.calls.filter((call) => call === 'addLocation')).toHaveLength(2)
  expect(memory.locations()).toEqual([{ ...west, account: '1' }])
})

it('sees what others have noted after a refresh, and keeps what it added while that was read', async () => {
  const store = shared()
  const memory = await openClusterMemory(store.cluster)
  await store.cluster.addLocation(east)
  await store.cluster.addDrained(['of another'])
  expect(memory.locations()).toEqual([])
  const gate = Promise.withResolvers<void>()
  store.gate = gate.promise
  const refreshing = memory.refresh()
  const adding = memory.addDrained(['own'])
  gate.resolve()
  await Promise.all([refreshing, adding])
  expect(memory.locations()).toEqual([east])
  expect([...memory.drained()]).toEqual(['of another', 'own'])
})
