// Lost replies, crashes and restarts: an intent launches its VMs once, whatever happens to the process that sent it.
import { describe, expect, it } from 'vitest'
import type { Fate } from '../../../src/simulator/cloud.ts'
import { userDataOf } from '../../../src/testing/order.ts'
import { minute, second } from '../../support/planner.ts'
import { codesOf, inVain, type PoolBench, startSettled } from '../../support/pool-bench.ts'

/** The next launch call has this fate, all others are answered. */
function once(bench: PoolBench, fate: Fate): void {
  let wasUsed = false
  bench.faults.fate = (call) => {
    if (call !== 'launch' || wasUsed) return 'done'
    wasUsed = true
    return fate
  }
}

const tokens = (bench: PoolBench) => bench.calls.launches.map(({ intent }) => intent.id)

describe('a launch of unknown outcome', () => {
  it('counts until its outcome is known, and is repeated with the same bytes', async () => {
    const bench = await startSettled({ maxInstances: 1 })
    bench.faults.hiddenFor = () => 10 * minute
    once(bench, 'reply_lost')
    bench.wants(4, 4)
    await bench.pass(31)
    expect(codesOf(bench)).toContain('LAUNCH_UNSETTLED')
    expect(bench.fleet.status().inFlight).toBe(1)
    await bench.pass(20)
    const [first, again, ...others] = bench.calls.launches
    expect(again).toEqual(first)
    expect(others).toEqual([])
    expect(bench.ids()).toHaveLength(1)
    expect(codesOf(bench)).toEqual(['MAX_REACHED'])
  })

  it('is not settled by listings that leave its VMs out, when the jobs are gone that wanted them', async () => {
    const bench = await startSettled({ maxInstances: 2 })
    once(bench, 'reply_lost')
    bench.faults.listing = () => ({ instances: [], complete: true })
    bench.wants(4, 4)
    await bench.pass(20)
    bench.wants()
    await bench.pass(10 * 60)
    expect(bench.fleet.status().inFlight).toBe(2)
    bench.wants(4, 4)
    await bench.pass(10)
    expect(new Set(tokens(bench))).toEqual(new Set(['intent-1']))
    expect(bench.ids()).toHaveLength(2)
    expect(bench.fleet.status().inFlight).toBe(0)
  })

  it('is settled when its VMs are listed, before it is repeated', async () => {
    const bench = await startSettled()
    once(bench, 'reply_lost')
    bench.wants(4)
    await bench.pass(60)
    expect(tokens(bench)).toEqual(['intent-1'])
    expect(codesOf(bench)).toEqual([])
  })

  it('is still for one gang when it is repeated after a restart', async () => {
    const bench = await startSettled({ separateGangs: true })
    once(bench, 'reply_lost')
    bench.faults.hiddenFor = () => 10 * minute
    bench.wants(8)
    await bench.pass(1)
    bench.restart()
    await bench.pass(60)
    const [first, ...again] = bench.calls.launches
    expect(first!.intent).toMatchObject({ count: 2, gang: true })
    expect(again.length).toBeGreaterThan(0)
    for (const each of again) expect(each).toEqual(first)
  })

  it('does not count as over because a later attempt was refused', async () => {
    const bench = await startSettled({ maxInstances: 1 })
    bench.faults.lateness = () => 100 * second
    once(bench, 'effect_late')
    bench.wants(4)
    await bench.pass(32)
    bench.faults.stock = () => 0
    await bench.pass(20)
    expect(tokens(bench)).toEqual(['intent-1', 'intent-1'])
    bench.faults.stock = () => 10
    await bench.pass(600)
    expect(bench.ids()).toHaveLength(1)
    expect(new Set(tokens(bench)).size).toBe(1)
  })

  it('is repeated for at most 15 minutes, and then settled by two listings', async () => {
    const bench = await startSettled({ bootTimeout: 60 * minute })
    bench.faults.fate = (call) => (call === 'launch' ? 'silent' : 'done')
    bench.wants(4)
    await bench.pass(15 * 60)
    expect(new Set(tokens(bench))).toEqual(new Set(['intent-1']))
    await bench.pass(15 * 60)
    bench.faults.fate = () => 'done'
    await bench.pass(30 * 60)
    expect(bench.ids()).toHaveLength(1)
    expect(tokens(bench).at(-1)).not.toBe('intent-1')
  })

  it('is not repeated with other bytes: a renewed certificate needs a new launch', async () => {
    const bench = await startSettled()
    once(bench, 'silent')
    bench.wants(4)
    await bench.pass(1)
    bench.material = { kind: 'ready', userData: userDataOf('renewed'), version: '1', probe: false }
    await bench.pass(8 * 60)
    const sent = bench.calls.launches.map(({ intent, userData }) => [intent.id, userData.script])
    expect(sent).toEqual([
      ['intent-1', 'first'],
      ['intent-2', 'renewed'],
    ])
  })

  it.each([
    ['is shown by the second of two listings', 'reply_lost', 0, 150],
    ['takes effect after the first two listings', 'effect_late', 100, 0],
  ] as const)('is not replaced when it cannot be repeated and %s', async (_, fate, lateness, hidden) => {
    const bench = await startSettled({ maxInstances: 1 })
    bench.faults.lateness = () => lateness * second
    bench.faults.hiddenFor = () => hidden * second
    once(bench, fate)
    bench.wants(4)
    await bench.pass(1)
    bench.material = { kind: 'ready', userData: userDataOf('renewed'), version: '1', probe: false }
    await bench.pass(4 * 60)
    expect(tokens(bench)).toEqual(['intent-1'])
    expect(bench.ids()).toHaveLength(1)
  })

  it('is not repeated when nothing needs it any more', async () => {
    const bench = await startSettled()
    once(bench, 'silent')
    bench.wants(4)
    await bench.pass(1)
    bench.wants()
    await bench.pass(20 * 60)
    expect(tokens(bench)).toEqual(['intent-1'])
  })
})

describe('after a crash', () => {
  it.each([
    ['before the cloud got the call', 0.05],
    ['after the cloud acted, before its answer', 0.15],
    ['after the answer', 0.25],
  ])('%s, there is one VM for one need', async (_, after) => {
    const bench = await startSettled()
    bench.wants(4)
    await bench.pass(after)
    bench.life.kill()
    await bench.pass(5)
    bench.restart()
    await bench.pass(60)
    expect(bench.ids()).toHaveLength(1)
  })

  it('between the journal and the call, the intent is sent then', async () => {
    const bench = await startSettled()
    const append = bench.disk.append.bind(bench.disk)
    bench.disk.append = async (record) => {
      await append(record)
      if (record.kind === 'intent') bench.life.kill()
    }
    await bench.pass(10)
    bench.wants(4)
    await bench.pass(5)
    expect(bench.calls.launches).toEqual([])
    bench.disk.append = append
    bench.restart()
    await bench.pass(10)
    expect(tokens(bench)).toEqual(['intent-1'])
    expect(bench.ids()).toHaveLength(1)
  })

  it('the same bytes are sent again, also when a checkpoint came between two launches of them', async () => {
    const bench = await startSettled()
    bench.wants(4)
    await bench.pass(5)
    bench.wants()
    bench.joins(...bench.ids())
    for (const agent of bench.master.agents.values()) Object.assign(agent, { busy: true, freeSlots: 0 })
    await bench.pass(70)
    once(bench, 'silent')
    bench.wants(4)
    await bench.pass(1)
    bench.life.kill()
    bench.restart()
    await bench.pass(30)
    const sent = bench.calls.launches.map(({ intent, userData }) => [intent.id, userData?.script])
    expect(sent).toEqual([
      ['intent-1', 'first'],
      ['intent-2', 'first'],
      ['intent-2', 'first'],
    ])
  })

  it('an intent is not sent again before a listing has shown its VMs', async () => {
    const bench = await startSettled()
    once(bench, 'reply_lost')
    bench.wants(4)
    await bench.pass(1)
    bench.life.kill()
    bench.faults.fate = (call) => (call === 'list' ? 'failed' : 'done')
    bench.restart()
    await bench.pass(60)
    expect(tokens(bench)).toEqual(['intent-1'])
    bench.faults.fate = () => 'done'
    await bench.pass(60)
    expect(tokens(bench)).toEqual(['intent-1'])
    expect(bench.ids()).toHaveLength(1)
  })

  it('an intent is not sent again above a lowered max_instances', async () => {
    const bench = await startSettled({ maxInstances: 2 })
    once(bench, 'silent')
    bench.wants(4, 4)
    await bench.pass(1)
    bench.life.kill()
    bench.settings = { ...bench.settings, policy: { ...bench.settings.policy, maxInstances: 1 } }
    bench.restart()
    await bench.pass(8 * 60)
    expect(bench.calls.launches.map(({ intent }) => intent.count)).toEqual([2, 1])
    expect(bench.ids()).toHaveLength(1)
  })

  it('an intent is not sent again above a lowered max_instances beside instances that run', async () => {
    const bench = await startSettled({ maxInstances: 4 })
    bench.wants(4, 4)
    await bench.pass(5)
    bench.wants()
    bench.joins(...bench.ids())
    for (const agent of bench.master.agents.values()) Object.assign(agent, { busy: true, freeSlots: 0 })
    await bench.pass(10)
    once(bench, 'silent')
    bench.wants(4, 4)
    await bench.pass(1)
    bench.life.kill()
    bench.settings = { ...bench.settings, policy: { ...bench.settings.policy, maxInstances: 3 } }
    bench.restart()
    await bench.pass(8 * 60)
    expect(bench.calls.launches.map(({ intent }) => intent.count)).toEqual([2, 2, 1])
    expect(bench.ids()).toHaveLength(3)
  })

  it('it is remembered with which user data an agent joined: no probe is launched again', async () => {
    const bench = await startSettled()
    bench.material = { ...bench.material, probe: true } as PoolBench['material']
    bench.wants(4)
    await bench.pass(5)
    bench.joins(...bench.ids())
    await bench.pass(1)
    bench.life.kill()
    bench.restart()
    bench.wants(4, 4, 4)
    await bench.pass(5)
    expect(codesOf(bench)).toEqual([])
    expect(bench.calls.launches.map(({ intent }) => intent.count)).toEqual([1, 2])
  })

  it('idle times continue', async () => {
    const bench = await startSettled({ maxIdle: 10 * minute })
    bench.wants(4)
    await bench.pass(5)
    bench.wants()
    bench.joins(...bench.ids())
    await bench.pass(7 * 60)
    bench.life.kill()
    await bench.pass(60)
    bench.restart()
    await bench.pass(3 * 60)
    expect(bench.calls.terminated).toEqual([bench.ids()])
  })

  it('an instance whose termination was accepted is not counted while the master still shows its agent', async () => {
    const bench = await startSettled({ minInstances: 1, maxInstances: 2, maxIdle: 10 * minute })
    bench.faults.lingersFor = () => 2 * second
    bench.wants(4, 4)
    await bench.pass(10)
    bench.wants()
    bench.joins(...bench.ids())
    const isOver = () => bench.events.some(({ kind }) => kind === 'terminated')
    while (!isOver()) await bench.pass(0.2)
    bench.life.kill()
    await bench.pass(3)
    bench.restart()
    await bench.pass(5 * 60)
    expect(bench.calls.terminated).toHaveLength(1)
    expect(bench.fleet.status().instances).toHaveLength(1)
  })

  it('a paused pool stays paused', async () => {
    const bench = await startSettled()
    await bench.fleet.pause()
    bench.life.kill()
    bench.restart()
    bench.wants(4)
    await bench.pass(60)
    expect(bench.calls.launches).toEqual([])
    expect(codesOf(bench)).toEqual(['PAUSED'])
    await bench.fleet.resume()
    await bench.pass(1)
    expect(bench.calls.launches).toHaveLength(1)
  })

  it('the rate of launches is remembered', async () => {
    const bench = await startSettled({ launchRate: 2 })
    await inVain(bench, 10)
    bench.life.kill()
    bench.restart()
    await bench.pass(10)
    const before = bench.ids().length
    bench.wants(4, 4, 4)
    await bench.pass(10)
    expect(bench.ids()).toHaveLength(before)
    expect(codesOf(bench)).toEqual(['LAUNCH_RATE_SPENT'])
  })
})

describe('an order while the journal is being read', () => {
  it('is carried out after it, and not forgotten', async () => {
    const bench = await startSettled()
    bench.life.kill()
    const slow = bench.disk.read()
    const journal = { ...bench.disk, read: () => bench.clock.sleep(5 * second).then(() => slow) }
    bench.restart({ journal })
    const paused = bench.fleet.pause()
    await bench.pass(20)
    await paused
    bench.life.kill()
    bench.restart()
    bench.wants(4)
    await bench.pass(60)
    expect(codesOf(bench)).toContain('PAUSED')
    expect(bench.calls.launches).toEqual([])
  })
})
