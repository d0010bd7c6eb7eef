// Calls that may still arrive after who sent them has crashed, or has given up waiting: what is decided next allows for them.
import { describe, expect, it } from 'vitest'
import { minute, second } from '../../support/planner.ts'
import { type PoolBench, startSettled } from '../../support/pool-bench.ts'

/** One VM, whose agent has been idle until it is drained. */
async function drained(changes: Parameters<typeof startSettled>[0] = {}): Promise<[PoolBench, string]> {
  const bench = await startSettled({ maxIdle: 2 * minute, maxInstances: 1, ...changes })
  bench.wants(4)
  await bench.pass(5)
  bench.wants()
  const [id] = bench.ids()
  bench.joins(id!)
  // Listings take longer from now on: the drained agent has to wait for one.
  bench.faults.listingTakes = () => 20 * second
  for (let n = 0; n < 300 && !bench.master.agents.get(id!)!.draining; n++) await bench.pass(1)
  expect(bench.master.agents.get(id!)).toMatchObject({ draining: true })
  return [bench, id!]
}

/** The kinds of the records that are appended from now on. */
function watchRecords(bench: PoolBench): string[] {
  const kinds: string[] = []
  const { append } = bench.disk
  bench.disk.append = (record) => {
    kinds.push(record.kind)
    return append.call(bench.disk, record)
  }
  return kinds
}

describe('a termination that was begun', () => {
  it('is written down before the cloud is asked', async () => {
    const [bench] = await drained()
    const kinds = watchRecords(bench)
    const before: string[][] = []
    bench.faults.fate = (call) => {
      if (call === 'terminate') before.push([...kinds])
      return 'done'
    }
    await bench.pass(60)
    expect(before).toEqual([['condemned']])
  })

  it('is finished after a crash, and its agent gets no work meanwhile', async () => {
    const [bench, id] = await drained()
    bench.faults.fate = (call) => {
      if (call === 'terminate') bench.life.kill()
      return call === 'terminate' ? 'failed' : 'done'
    }
    await bench.pass(60)
    expect(bench.life.alive).toBe(false)
    // The request is still under way; the job that comes now must not run on that instance.
    bench.faults.fate = (call) => (call === 'terminate' ? 'failed' : 'done')
    bench.wants(4)
    const kinds = watchRecords(bench)
    bench.restart()
    await bench.pass(90)
    expect(kinds).not.toContain('undraining')
    expect(bench.master.agents.get(id)).toMatchObject({ draining: true, enabled: false })
    bench.faults.fate = () => 'done'
    await bench.pass(120)
    expect(bench.cloud.instances.get(id)!.instance.state).not.toBe('running')
    // In its place another one.
    expect(bench.ids()).toHaveLength(2)
  })

  it('is taken back when the cloud refuses it, so that the instance serves again', async () => {
    const [bench, id] = await drained()
    const kinds = watchRecords(bench)
    bench.faults.fate = (call) => (call === 'terminate' ? 'throttled' : 'done')
    for (let n = 0; n < 60 && !kinds.includes('reprieved'); n++) await bench.pass(1)
    bench.wants(4)
    await bench.pass(5)
    expect(kinds).toEqual(['condemned', 'reprieved', 'undraining', 'undrained'])
    expect(bench.master.agents.get(id)).toMatchObject({ draining: false, enabled: true })
  })

  it('is taken back when a person pauses the pool while it is written down', async () => {
    const [bench] = await drained()
    const kinds = watchRecords(bench)
    const { append } = bench.disk
    bench.disk.append = async (record) => {
      if (record.kind === 'condemned') void bench.fleet.pause()
      await append.call(bench.disk, record)
    }
    await bench.pass(60)
    expect(kinds.slice(0, 3)).toEqual(['condemned', 'paused', 'reprieved'])
    expect(bench.calls.terminated).toEqual([])
  })

  it('is not sent when it cannot be written down', async () => {
    const [bench, id] = await drained()
    const { append, rewrite } = bench.disk
    let rewrites = 0
    bench.disk.rewrite = (records) => {
      rewrites++
      return rewrite.call(bench.disk, records)
    }
    bench.disk.append = async (record) => {
      if (record.kind === 'condemned') throw new Error('no space left on device')
      await append.call(bench.disk, record)
    }
    await bench.pass(120)
    expect(bench.calls.terminated).toEqual([])
    // The journal is repaired every two seconds, not as fast as it fails.
    expect(rewrites).toBeLessThanOrEqual(62)
    bench.wants(4)
    await bench.pass(30)
    expect(bench.master.agents.get(id)).toMatchObject({ draining: false, enabled: true })
  })

  it('is not taken back by the refusal of a later call: the earlier one may still arrive', async () => {
    const [bench, id] = await drained()
    const kinds = watchRecords(bench)
    let calls = 0
    bench.faults.lateness = () => 5 * minute
    bench.faults.fate = (call) => {
      if (call !== 'terminate') return 'done'
      return calls++ === 0 ? 'effect_late' : 'refused'
    }
    await bench.pass(120)
    expect(calls).toBeGreaterThan(1)
    bench.wants(4)
    await bench.pass(60)
    expect(kinds).toEqual(['condemned'])
    expect(bench.master.agents.get(id)).toMatchObject({ draining: true, enabled: false })
  })

  it('is taken back by a refusal once no earlier call can arrive any more', async () => {
    const [bench] = await drained()
    const kinds = watchRecords(bench)
    let calls = 0
    bench.faults.fate = (call) => {
      if (call !== 'terminate') return 'done'
      return calls++ === 0 ? 'silent' : 'refused'
    }
    await bench.pass(59 * 60)
    expect(kinds).not.toContain('reprieved')
    await bench.pass(5 * 60)
    expect(kinds).toContain('reprieved')
  })

  it.each([
    ['paused', (bench: PoolBench) => bench.fleet.pause()],
    [
      'changed by another provisioner',
      async (bench: PoolBench) => {
        const [vm] = bench.cloud.instances.values()
        const instance = { ...vm!.instance, id: 'i-other', writerId: 'somebody' }
        bench.cloud.instances.set('i-other', { ...vm!, instance })
      },
    ],
  ])('is not undone while the pool is %s', async (_, hold) => {
    const [bench, id] = await drained()
    const kinds = watchRecords(bench)
    bench.faults.fate = (call) => (call === 'terminate' ? 'silent' : 'done')
    for (let n = 0; n < 60 && bench.calls.terminated.length === 0; n++) await bench.pass(1)
    await hold(bench)
    bench.wants(4)
    await bench.pass(120)
    expect(kinds).not.toContain('undraining')
    expect(bench.master.agents.get(id)).toMatchObject({ draining: true, enabled: false })
  })

  it('cannot be called off: a person who tries to keep the instance learns so', async () => {
    const [bench, id] = await drained()
    await bench.fleet.remove([id], 'when_idle')
    bench.faults.fate = (call) => (call === 'terminate' ? 'failed' : 'done')
    for (let n = 0; n < 60 && bench.calls.terminated.length < 3; n++) await bench.pass(1)
    // Between two calls.
    await bench.pass(1)
    expect(bench.fleet.status().instances).toMatchObject([{ id, ordered: 'when_idle', condemned: true }])
    expect(bench.fleet.status().instances[0]).not.toHaveProperty('busyWith')
    expect(await bench.fleet.keep([id])).toEqual([])
  })

  it('leaves no agent to join for jobs: one that is there stays, and gets none', async () => {
    const bench = await startSettled({ bootTimeout: 2 * minute, maxInstances: 1 })
    bench.wants(4)
    await bench.pass(5)
    const [id] = bench.ids()
    expect(bench.fleet.admission(id!)).toBe('yes')
    // Its agent joins only after its boot timeout, when the first call to terminate it is under way.
    bench.faults.fate = (call) => (call === 'terminate' ? 'failed' : 'done')
    for (let n = 0; n < 300 && bench.calls.terminated.length < 3; n++) await bench.pass(1)
    await bench.pass(1)
    expect(bench.fleet.status().instances[0]).not.toHaveProperty('ending')
    expect(bench.fleet.admission(id!)).toBe('later')
  })

  it('is finished when a person disables the agent meanwhile', async () => {
    const [bench, id] = await drained()
    bench.faults.fate = (call) => (call === 'terminate' ? 'failed' : 'done')
    for (let n = 0; n < 60 && bench.calls.terminated.length === 0; n++) await bench.pass(1)
    Object.assign(bench.master.agents.get(id)!, { enabled: false, draining: false })
    await bench.pass(5)
    bench.faults.fate = () => 'done'
    await bench.pass(120)
    expect(bench.cloud.instances.get(id)!.instance.state).not.toBe('running')
  })

  it('is not undone at a stop', async () => {
    const [bench, id] = await drained()
    bench.faults.fate = (call) => (call === 'terminate' ? 'failed' : 'done')
    await bench.pass(45)
    expect(bench.calls.terminated.length).toBeGreaterThan(0)
    const stopped = bench.fleet.stop()
    await bench.pass(30)
    await stopped
    expect(bench.master.agents.get(id)).toMatchObject({ draining: true, enabled: false })
  })
})

describe('an undrain without an answer', () => {
  it('is written down before, and followed by another drain before the instance is terminated', async () => {
    const [bench, id] = await drained()
    const kinds = watchRecords(bench)
    const drains: string[] = []
    bench.master.onDrain = (agent) => drains.push(agent)
    bench.life.kill()
    bench.restart({
      demand: {
        ...bench.source,
        undrain() {
          bench.life.kill()
          return new Promise(() => {})
        },
      },
    })
    bench.wants(4)
    for (let n = 0; n < 60 && bench.life.alive; n++) await bench.pass(1)
    expect([bench.life.alive, kinds.at(-1)]).toEqual([false, 'undraining'])
    bench.wants()
    bench.restart()
    await bench.pass(5 * 60)
    expect(drains).toEqual([id])
    expect(bench.cloud.instances.get(id)!.instance.state).not.toBe('running')
  })
})
