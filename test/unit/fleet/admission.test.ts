// Which ids belong to managed instances, in every state of the cloud, the journal and the listing.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { admissionOf, unlistedAt } from '../../../src/fleet/admission.ts'
import { emptyMemory, type ManagedInstance, type OpenIntent } from '../../../src/fleet/memory.ts'
import { instanceStates } from '../../../src/planner/snapshot.ts'
import { endInstance } from '../../../src/simulator/cloud.ts'
import { vm } from '../../support/planner.ts'
import { startBench, startSettled } from '../../support/pool-bench.ts'

const hour = 3600

async function benchWithAgent() {
  const bench = await startSettled({ minInstances: 1 })
  await bench.pass(10)
  const id = bench.ids()[0]!
  bench.joins(id)
  await bench.pass(10)
  return { bench, id }
}

describe('an unknown agent', () => {
  it('is not admitted in any state in which the cloud cannot be listed, whatever time passes', async () => {
    const bench = await startBench()
    bench.faults.fate = (call) => (call === 'list' ? 'failed' : 'done')
    expect(bench.fleet.admission('stranger')).toBe('later')
    await bench.pass(6 * hour)
    expect(bench.fleet.admission('stranger')).toBe('later')
    bench.faults.listing = (instances) => ({ instances, complete: false })
    bench.faults.fate = () => 'done'
    await bench.pass(hour)
    expect(bench.fleet.admission('stranger')).toBe('later')
  })

  it('is unknown once a listing was complete, also while later ones fail', async () => {
    const bench = await startSettled()
    expect(bench.fleet.admission('stranger')).toBe('no')
    bench.faults.fate = () => 'failed'
    await bench.pass(hour)
    expect(bench.fleet.admission('stranger')).toBe('no')
  })

  it('waits while a launch has not been answered: it may belong to that', async () => {
    const bench = await startSettled()
    bench.faults.fate = (call) => (call === 'launch' ? 'effect_late' : 'done')
    bench.faults.lateness = () => 20_000
    bench.wants(4)
    await bench.pass(5)
    expect(bench.fleet.admission('stranger')).toBe('absent')
  })
})

describe('a managed instance', () => {
  it('is known at once after a restart, from the journal, while every listing fails', async () => {
    const { bench, id } = await benchWithAgent()
    bench.life.kill()
    bench.faults.fate = (call) => (call === 'list' ? 'failed' : 'done')
    bench.restart()
    await bench.pass(1)
    expect([bench.fleet.admission(id), bench.fleet.admission('stranger')]).toEqual(['yes', 'later'])
  })

  it('is not known before a listing if the journal was lost', async () => {
    const { bench, id } = await benchWithAgent()
    bench.life.kill()
    bench.disk.erase()
    bench.faults.fate = (call) => (call === 'list' ? 'failed' : 'done')
    bench.restart()
    await bench.pass(hour)
    expect(bench.fleet.admission(id)).toBe('later')
    bench.faults.fate = () => 'done'
    await bench.pass(120)
    expect(bench.fleet.admission(id)).toBe('yes')
  })

  it('is not admitted once it has terminated, although an agent with its id is connected', async () => {
    const { bench, id } = await benchWithAgent()
    bench.faults.lingersFor = () => hour * 1000
    endInstance(bench.cloud, bench.cloud.instances.get(id)!, 'somebody terminated it')
    await bench.pass(20)
    expect(bench.fleet.admission(id)).not.toBe('yes')
  })

  it.each(['by us', 'by somebody else', 'by us, in a checkpoint'])(
    'is none after a restart when it was terminated %s, while every listing fails',
    async (how) => {
      const { bench, id } = await benchWithAgent()
      bench.faults.lingersFor = () => hour * 1000
      if (how === 'by somebody else')
        endInstance(bench.cloud, bench.cloud.instances.get(id)!, 'somebody terminated it')
      else void bench.fleet.remove([id], 'even_if_busy')
      await bench.pass(20)
      if (how.endsWith('checkpoint')) await bench.fleet.stop()
      bench.life.kill()
      bench.faults.fate = (call) => (call === 'list' ? 'failed' : 'done')
      bench.restart()
      await bench.pass(600)
      expect(bench.fleet.admission(id)).not.toBe('yes')
      bench.faults.fate = () => 'done'
      await bench.pass(120)
      expect(bench.fleet.admission(id)).not.toBe('yes')
    },
  )

  it('cannot be impersonated while it is away and the listing does not show it', async () => {
    const { bench, id } = await benchWithAgent()
    bench.master.agents.get(id)!.connected = false
    bench.cloud.instances.get(id)!.visibleAt = Number.POSITIVE_INFINITY
    await bench.pass(20)
    expect(bench.fleet.admission(id)).toBe('absent')
  })

  it('may join although listings do not show it yet', async () => {
    const bench = await startSettled()
    bench.faults.hiddenFor = () => 120_000
    bench.wants(4)
    await bench.pass(60)
    expect(bench.fleet.admission(bench.ids()[0]!)).toBe('yes')
  })

  it('is no longer one when neither a listing nor a lookup by id finds it, although its id is connected', async () => {
    const { bench, id } = await benchWithAgent()
    await bench.pass(600)
    bench.cloud.instances.get(id)!.visibleAt = Number.POSITIVE_INFINITY
    await bench.pass(120)
    expect(bench.fleet.knows(id)).toBe(true)
    expect(bench.fleet.admission(id)).toBe('absent')
    bench.cloud.instances.get(id)!.visibleAt = 0
    await bench.pass(20)
    expect(bench.fleet.admission(id)).toBe('yes')
  })
})

describe('an id for which there is no instance any more', () => {
  const now = (bench: { clock: { now(): number } }) => bench.clock.now()

  it('is one only by a complete listing', async () => {
    const bench = await startBench()
    bench.faults.listing = (instances) => ({ instances, complete: false })
    await bench.pass(hour)
    expect(bench.fleet.unlistedAt('i-ended', 0)).toBeUndefined()
    bench.faults.listing = (instances) => ({ instances, complete: true })
    await bench.pass(600)
    const first = bench.fleet.unlistedAt('i-ended', 0)!
    expect(now(bench) - first).toBeLessThan(600_000)
    bench.faults.fate = (call) => (call === 'list' ? 'failed' : 'done')
    await bench.pass(hour)
    expect(now(bench) - bench.fleet.unlistedAt('i-ended', 0)!).toBeGreaterThan(hour * 1000)
  })

  it.each(['by us', 'by somebody else', 'while the provisioner is away'])(
    'is that of an instance that was terminated %s, once the cloud does not list it any more',
    async (how) => {
      const { bench, id } = await benchWithAgent()
      await bench.pass(600)
      bench.faults.lingersFor = () => hour * 1000
      if (how === 'by us') void bench.fleet.remove([id], 'even_if_busy')
      else {
        if (how === 'while the provisioner is away') bench.life.kill()
        endInstance(bench.cloud, bench.cloud.instances.get(id)!, 'somebody terminated it')
      }
      bench.master.agents.delete(id)
      if (how === 'while the provisioner is away') bench.restart()
      await bench.pass(1200)
      expect(bench.fleet.unlistedAt(id, 0)).toBeUndefined()
      await bench.pass(2 * hour)
      expect(bench.fleet.unlistedAt(id, 0)).toBeGreaterThan(0)
    },
  )

  it('is not that of one that listings leave out, also after a restart', async () => {
    const { bench, id } = await benchWithAgent()
    bench.cloud.instances.get(id)!.visibleAt = Number.POSITIVE_INFINITY
    await bench.pass(120)
    expect(bench.fleet.unlistedAt(id, 0)).toBeUndefined()
    bench.life.kill()
    bench.restart()
    await bench.pass(60)
    expect(bench.fleet.unlistedAt(id, 0)).toBeUndefined()
  })

  it('is not that of a launch that was not answered, unless the id was known before', async () => {
    const bench = await startSettled()
    bench.faults.fate = (call) => (call === 'launch' ? 'effect_late' : 'done')
    bench.faults.lateness = () => 20_000
    const before = now(bench)
    await bench.pass(20)
    bench.wants(4)
    await bench.pass(5)
    expect(bench.fleet.unlistedAt('i-unanswered', now(bench))).toBeUndefined()
    expect(bench.fleet.unlistedAt('i-earlier', before)).toBeGreaterThan(0)
  })

  it('is not one by a listing that began before the id was known', async () => {
    const bench = await startSettled()
    const knownAt = now(bench)
    expect(bench.fleet.unlistedAt('i-1', knownAt)).toBeUndefined()
    bench.faults.fate = (call) => (call === 'list' ? 'failed' : 'done')
    await bench.pass(hour)
    expect(bench.fleet.unlistedAt('i-1', knownAt)).toBeUndefined()
    bench.faults.fate = () => 'done'
    await bench.pass(120)
    expect(bench.fleet.unlistedAt('i-1', knownAt)).toBeGreaterThan(knownAt)
    const memory = emptyMemory()
    memory.listing = { completeAt: 7, took: 0, complete: true }
    expect([6, 7, 8].map((at) => unlistedAt(memory, 'i-1', at))).toEqual([7, 7, undefined])
  })

  it('is not known while the journal is lost, in another account, or if it is of another writer', () => {
    const memory = emptyMemory()
    memory.listing = { completeAt: 7, complete: true }
    expect(unlistedAt(memory, 'i-1', 0)).toBe(7)
    for (const change of [
      { journalMissing: true },
      { otherAccount: '123456789012' },
      { foreign: new Map([['i-1', { id: 'i-1', writer: 'another' }]]) },
    ])
      expect(unlistedAt(Object.assign(emptyMemory(), memory, change), 'i-1', 0)).toBeUndefined()
  })
})

it('an id is admitted only if it belongs to a managed VM that can run', () => {
  const track = fc.record({
    state: fc.constantFrom(...instanceStates),
    ending: fc.boolean(),
    unknown: fc.boolean(),
  })
  const world = fc.record({
    tracks: fc.array(track, { maxLength: 4 }),
    listed: fc.boolean(),
    missing: fc.integer({ min: 0, max: 2 }),
    foreign: fc.boolean(),
  })
  fc.assert(
    fc.property(world, ({ tracks, listed, missing, foreign }) => {
      const memory = emptyMemory()
      if (listed) memory.firstCompleteAt = 1
      if (foreign) memory.foreign.set('i-foreign', { id: 'i-foreign', writer: 'another' })
      if (missing > 0) memory.intents.set('x', { count: missing, seen: new Set() } as unknown as OpenIntent)
      for (const [n, { state, ending, unknown }] of tracks.entries()) {
        const known: ManagedInstance = { ...vm(`i-${n}`, { state }), listed: true }
        memory.tracks.set(known.id, { ...known, ending, ...(unknown && { unknownSince: 1 }) })
      }
      for (const [n, { state, ending, unknown }] of tracks.entries()) {
        const runs = ['starting', 'running', 'unknown'].includes(state) && !ending && !unknown
        expect(admissionOf(memory, `i-${n}`) === 'yes').toBe(runs)
        expect(admissionOf(memory, `i-${n}`)).not.toBe('no')
      }
      const certain = missing === 0 && !foreign
      expect(admissionOf(memory, 'stranger')).toBe(!listed ? 'later' : certain ? 'no' : 'absent')
    }),
  )
})
