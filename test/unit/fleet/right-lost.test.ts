// A pool that is led for a term: once the term is over, this process does nothing more, and what it may still do is harmless.
import { describe, expect, it } from 'vitest'
import { userDataOf } from '../../../src/testing/order.ts'
import { minute } from '../../support/planner.ts'
import { type PoolBench, startSettled } from '../../support/pool-bench.ts'

interface Traffic {
  calls: string[]
  writes: string[]
}

/** Everything that the loop asks of its ports from now on. */
function watchTraffic(bench: PoolBench): Traffic {
  const traffic: Traffic = { calls: [], writes: [] }
  const { append, rewrite } = bench.disk
  bench.disk.append = (record) => {
    traffic.writes.push(record.kind)
    return append.call(bench.disk, record)
  }
  bench.disk.rewrite = (records) => {
    traffic.writes.push('rewrite')
    return rewrite.call(bench.disk, records)
  }
  bench.faults.fate = (call) => {
    traffic.calls.push(call)
    return 'done'
  }
  bench.source.read = async (pool) => {
    traffic.calls.push('read')
    return { pool, at: bench.now(), pending: [], agents: [] }
  }
  return traffic
}

describe('a pool that is abandoned', () => {
  it('is neither called about nor written down any more', async () => {
    const bench = await startSettled()
    bench.wants(4)
    await bench.pass(30)
    bench.joins(...bench.ids())
    const traffic = watchTraffic(bench)
    bench.fleet.abandon()
    bench.wants(4, 4)
    await bench.pass(5 * 60)
    expect(traffic).toEqual({ calls: [], writes: [] })
    expect(bench.master.agents.get(bench.ids()[0]!)).toMatchObject({ draining: false })
  })

  it('sends nothing that waits for its record', async () => {
    const bench = await startSettled()
    const { append } = bench.disk
    bench.disk.append = async (record) => {
      await append.call(bench.disk, record)
      if (record.kind === 'intent') bench.fleet.abandon()
    }
    bench.wants(4)
    await bench.pass(60)
    expect(bench.calls.launches).toEqual([])
    expect(bench.disk.lines.some((line) => line.includes('"kind":"intent"'))).toBe(true)
  })

  it('takes no orders', async () => {
    const bench = await startSettled()
    bench.fleet.abandon()
    expect(() => bench.fleet.launch(1)).toThrow('stopped')
    await expect(bench.fleet.pause()).rejects.toThrow('no longer leads pool default')
  })
})

describe('a process whose lease is over', () => {
  it('refuses orders, which are not carried out when it leads again', async () => {
    const bench = await startSettled({ minInstances: 1 })
    await bench.pass(30)
    const [id] = bench.ids()
    bench.joins(id!)
    bench.life.kill()
    let isLed = true
    bench.restart({ isLed: () => isLed })
    await bench.pass(70)
    isLed = false
    const { fleet } = bench
    expect(() => fleet.launch(1)).toThrow('no longer leads pool default')
    await expect(fleet.remove([id!], 'even_if_busy')).rejects.toThrow('no longer leads pool default')
    await expect(fleet.pause()).rejects.toThrow('no longer leads pool default')
    isLed = true
    await bench.pass(30)
    expect(bench.calls.terminated).toEqual([])
    expect(fleet.status()).toMatchObject({ paused: false })
  })

  it('decides, changes and writes nothing, even before it is told; it may still look', async () => {
    const bench = await startSettled()
    bench.life.kill()
    let isLed = true
    bench.restart({ isLed: () => isLed })
    await bench.pass(70)
    isLed = false
    const traffic = watchTraffic(bench)
    bench.events.length = 0
    bench.wants(4)
    await bench.pass(3 * 60)
    const changing = ['launch', 'terminate', 'drain', 'undrain']
    expect(traffic.calls.filter((call) => changing.some((name) => call.includes(name)))).toEqual([])
    expect(traffic.writes).toEqual([])
    expect(bench.events.filter(({ kind }) => kind === 'decided')).toEqual([])
  })
})

describe('a launch whose lease is over between its record and its call', () => {
  it('was not sent for certain: it is sent once when the lease is back, and leaves no doubt behind', async () => {
    const bench = await startSettled()
    bench.life.kill()
    let isLed = true
    bench.restart({ isLed: () => isLed })
    await bench.pass(70)
    const { append } = bench.disk
    bench.disk.append = async (record) => {
      await append.call(bench.disk, record)
      if (record.kind === 'intent') isLed = false
    }
    bench.wants(4)
    await bench.pass(20)
    expect(bench.calls.launches).toEqual([])
    bench.disk.append = append
    bench.faults.stock = () => 0
    isLed = true
    await bench.pass(20)
    expect(bench.calls.launches).toHaveLength(1)
    // A refusal settles it only where no earlier attempt is in doubt.
    expect(bench.fleet.status().inFlight).toBe(0)
  })
})

describe('a launch that an earlier leader wrote down, and that may not be repeated', () => {
  async function takenOver(led: boolean): Promise<PoolBench> {
    const bench = await startSettled()
    bench.faults.fate = (call) => (call === 'launch' ? 'silent' : 'done')
    bench.wants(4)
    await bench.pass(2)
    bench.life.kill()
    bench.material = { kind: 'ready', userData: userDataOf('renewed'), version: '2', probe: false }
    bench.faults.fate = () => 'done'
    bench.wants()
    bench.restart(led ? { isLed: () => true } : {})
    return bench
  }

  it.each([
    ['is settled by listings soon', false, 4, 0],
    ['stays in flight for fifteen minutes, because that leader may be suspended', true, 14, 1],
    ['is settled by listings after that', true, 18, 0],
  ])('%s', async (_, led, minutes, inFlight) => {
    const bench = await takenOver(led)
    await bench.pass((minutes * minute) / 1000)
    expect(bench.fleet.status().snapshot!.inFlight).toHaveLength(inFlight)
  })
})
