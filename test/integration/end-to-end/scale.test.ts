// Jobs start and end, and so do agents: the master's queue, the planner, the fleet loop and real processes.
import { afterEach, describe, expect, it } from 'vitest'
import { Cluster } from '../../support/stand-alone.ts'
import { submit } from '../../support/submit.ts'

let cluster: Cluster
afterEach(() => cluster.dispose())

describe('a pool without jobs', () => {
  it('has no agents, gets as many as the jobs need, and has none when they are done', async () => {
    cluster = new Cluster()
    await cluster.certificate()
    const config = await cluster.config('min_instances: 0', 'slots: 2', 'max_idle_agent_period: 1s')
    const running = await cluster.start(config)
    expect(running.rows()).toEqual([])

    // Three jobs of two slots need three agents of two; one more slot needs no fourth once one is free.
    for (const id of ['a', 'b', 'c'])
      expect(await submit(cluster, { id, slots: 2, duration: '3s' })).toBeLessThan(300)
    const joined = () => running.rows().filter((row) => row.agent === 'joined').length
    await expect.poll(joined, { timeout: 60_000 }).toBe(3)
    expect(cluster.said('decided to launch').length).toBeGreaterThan(0)

    await expect.poll(() => running.rows().length, { timeout: 60_000, interval: 200 }).toBe(0)
    expect(cluster.said('decided to drain').length).toBeGreaterThan(0)
    const launched = cluster.said('info local instance started').length
    expect(launched).toBe(3)
  }, 70_000)

  it('never has more than max_instances', async () => {
    cluster = new Cluster()
    await cluster.certificate()
    const running = await cluster.start(await cluster.config('min_instances: 0', 'slots: 1'))
    let most = 0
    const watching = setInterval(() => {
      most = Math.max(most, running.rows().length)
    }, 20)
    for (let n = 0; n < 9; n++) await submit(cluster, { id: `w${n}`, slots: 1, duration: '1s' })
    await expect.poll(() => cluster.said('info local instance started').length, { timeout: 60_000 }).toBe(4)
    await expect
      .poll(() => running.rows().filter((row) => row.agent === 'joined').length, { timeout: 60_000 })
      .toBe(4)
    clearInterval(watching)
    expect(most).toBeLessThanOrEqual(4)
  }, 240_000)
})
