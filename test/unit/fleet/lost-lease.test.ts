// Launches that a process was not allowed to send any more: nothing is learned from them, and nothing is launched twice.
import { beforeEach, describe, expect, it } from 'vitest'
import { guardedProvider } from '../../../src/fleet/guarded.ts'
import { notSent } from '../../../src/platform/may-act.ts'
import type { LaunchOrder, LaunchResult, Provider } from '../../../src/providers/contract.ts'
import { simulatedProvider } from '../../../src/simulator/provider.ts'
import { owner, type PoolBench, problemsOf, startSettled } from '../../support/pool-bench.ts'

let bench: PoolBench
let isHeld: boolean
let orders: LaunchOrder[]
/** Answers of the cloud that take the place of the real ones. */
let answers: ((order: LaunchOrder) => Promise<LaunchResult>)[]
const metrics: string[] = []

async function start(rules: object = {}): Promise<void> {
  bench = await startSettled(
    { maxInstances: 4 },
    { launchError: { timeout: 3_600_000, retries: 0 }, ...rules },
  )
  bench.life.kill()
  const cloud = simulatedProvider(bench.cloud, owner)
  const provider: Provider = {
    ...cloud,
    launch(order, signal) {
      orders.push(order)
      return answers.shift()?.(order) ?? cloud.launch(order, signal)
    },
  }
  const count = (name: string) => void metrics.push(name)
  bench.restart({
    provider: guardedProvider(provider, () => isHeld),
    metrics: { count, gauge() {}, observe() {} },
  })
  await bench.pass(70)
}

beforeEach(async () => {
  isHeld = true
  orders = []
  answers = []
  metrics.splice(0)
  await start()
})

const stoppedAfterAnAttempt = async ({ intent }: LaunchOrder): Promise<LaunchResult> => {
  const problem = notSent('RunInstances')
  return { instances: [], failures: [{ class: 'transient', missing: intent.count, problem }] }
}

describe('a launch that was certainly not sent', () => {
  it('stays open, is no refusal, no launch error and no failure, and is sent later with the same token', async () => {
    isHeld = false
    bench.wants(4)
    await bench.pass(30)
    const { snapshot, blocked } = bench.fleet.status()
    expect([orders, bench.ids()]).toEqual([[], []])
    expect(snapshot!.offerings.map(({ refused }) => refused)).toEqual([undefined])
    expect(blocked.map(({ code }) => code)).toEqual(['LAUNCH_UNSETTLED'])
    expect(problemsOf(bench)).toEqual(['STATE_RIGHT_LOST'])
    expect(metrics).not.toContain('launch_failures')
    isHeld = true
    await bench.pass(10)
    expect(bench.ids()).toHaveLength(1)
    expect(orders).toHaveLength(1)
    const intents = (await bench.disk.read()).flatMap((record) => (record.kind === 'intent' ? [record] : []))
    expect(intents).toHaveLength(1)
    expect(orders[0]!.intent.id).toBe((intents[0]!['intent'] as { id: string }).id)
    expect(bench.fleet.status().blocked).toEqual([])
  })

  it('is tried again every few seconds, not at once', async () => {
    let asked = 0
    bench.life.kill()
    const cloud = simulatedProvider(bench.cloud, owner)
    bench.restart({ provider: guardedProvider(cloud, () => ++asked < 0) })
    await bench.pass(70)
    bench.wants(4)
    await bench.pass(30)
    expect(asked).toBeGreaterThanOrEqual(4)
    expect(asked).toBeLessThanOrEqual(8)
  })

  it('leaves no doubt: when the cloud then refuses, the intent is closed at once', async () => {
    isHeld = false
    bench.wants(4)
    await bench.pass(3)
    bench.faults.stock = () => 0
    isHeld = true
    await bench.pass(10)
    expect([orders.length, bench.ids().length]).toEqual([1, 0])
    expect(bench.fleet.status().blocked.map(({ code }) => code)).not.toContain('LAUNCH_UNSETTLED')
  })
})

describe('a launch that was stopped between two attempts', () => {
  it('is of unknown outcome: repeated with its token, and a refusal then does not close it', async () => {
    answers.push(stoppedAfterAnAttempt)
    bench.wants(4)
    await bench.pass(3)
    expect(bench.fleet.status().snapshot!.offerings.map(({ refused }) => refused)).toEqual([undefined])
    expect(metrics).not.toContain('launch_failures')
    bench.faults.stock = () => 0
    await bench.pass(10)
    expect(new Set(orders.map(({ intent }) => intent.id)).size).toBe(1)
    expect(orders.length).toBeGreaterThan(1)
    expect(bench.fleet.status().blocked.map(({ code }) => code)).toContain('LAUNCH_UNSETTLED')
  })
})
