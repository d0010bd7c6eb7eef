// Drains that the master carries out minutes after they were sent: whoever leads the pool by then knows them as the pool's own.
import { describe, expect, it } from 'vitest'
import type { DemandSource } from '../../../src/demand/source.ts'
import { minute } from '../../support/planner.ts'
import { type PoolBench, startSettled } from '../../support/pool-bench.ts'

/** A source whose drains get no answer. Counts them. */
function withoutAnswers(bench: PoolBench, sent: string[]): DemandSource {
  return {
    ...bench.source,
    async drain(id) {
      sent.push(id)
      throw new Error('the master did not answer')
    },
  }
}

/** One VM with an idle agent, which a process has tried to drain in vain. */
async function drainedInVain(): Promise<[PoolBench, string]> {
  const bench = await startSettled({ maxIdle: 2 * minute, maxInstances: 1 })
  bench.wants(4)
  await bench.pass(5)
  bench.wants()
  const [id] = bench.ids()
  bench.joins(id!)
  bench.life.kill()
  const sent: string[] = []
  bench.restart({ demand: withoutAnswers(bench, sent) })
  for (let n = 0; n < 300 && sent.length === 0; n++) await bench.pass(1)
  expect(sent).toEqual([id])
  return [bench, id!]
}

const drainsLate = (bench: PoolBench, id: string) =>
  Object.assign(bench.master.agents.get(id)!, { draining: true, enabled: false })

/** Takes a job, and stays in service. */
function takesJob(bench: PoolBench, id: string): void {
  bench.wants()
  Object.assign(bench.master.agents.get(id)!, { busy: true, freeSlots: 0 })
}

describe('a drain without an answer that takes effect minutes later', () => {
  it.each([
    ['the same process', async () => {}],
    ['the next process', async (bench: PoolBench) => bench.life.kill()],
    [
      'the next process but one, from a checkpoint',
      async (bench: PoolBench) => {
        bench.life.kill()
        bench.restart()
        await bench.pass(70)
        bench.life.kill()
      },
    ],
  ])('is undone by %s when the agent is needed', async (_, goesOn) => {
    const [bench, id] = await drainedInVain()
    takesJob(bench, id)
    await goesOn(bench)
    if (!bench.life.alive) bench.restart()
    await bench.pass(4 * 60)
    expect(bench.master.agents.get(id)).toMatchObject({ draining: false })
    drainsLate(bench, id)
    await bench.pass(30)
    expect(bench.master.agents.get(id)).toMatchObject({ draining: false, enabled: true })
    // Another one, of another attempt.
    drainsLate(bench, id)
    await bench.pass(30)
    expect(bench.master.agents.get(id)).toMatchObject({ draining: false, enabled: true })
  })

  it('is left alone where a person has disabled the agent', async () => {
    const [bench, id] = await drainedInVain()
    takesJob(bench, id)
    bench.life.kill()
    bench.restart()
    await bench.pass(60)
    Object.assign(drainsLate(bench, id), { disabledByPerson: true })
    await bench.pass(60)
    expect(bench.master.agents.get(id)).toMatchObject({ draining: true, enabled: false })
  })

  it('is forgotten after ten minutes: from then on a drain is that of a person', async () => {
    const [bench, id] = await drainedInVain()
    takesJob(bench, id)
    bench.life.kill()
    bench.restart()
    await bench.pass(11 * 60)
    drainsLate(bench, id)
    await bench.pass(60)
    expect(bench.master.agents.get(id)).toMatchObject({ draining: true, enabled: false })
  })
})

describe('a drain that is written down and not sent', () => {
  it('leaves an earlier undrain in doubt: the agent is drained again before its instance is terminated', async () => {
    const [bench, id] = await drainedInVain()
    bench.life.kill()
    const at = bench.now()
    for (const kind of ['draining', 'undraining', 'draining'])
      await bench.disk.append({ at, kind, ids: [id] })
    // The first of them was carried out, the undrain is under way.
    drainsLate(bench, id)
    const drains: string[] = []
    bench.master.onDrain = (agent) => drains.push(agent)
    bench.restart()
    await bench.pass(5 * 60)
    expect(drains).toContain(id)
    expect(bench.cloud.instances.get(id)!.instance.state).not.toBe('running')
  })
})
