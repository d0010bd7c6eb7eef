// Work comes and goes, and so do the agents: the master's queue, the planner, the fleet loop and real processes.
import { readFileSync } from 'node:fs'
import { request } from 'node:https'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { Cluster } from '../../support/stand-alone.ts'

let cluster: Cluster
afterEach(() => cluster.dispose())

/** Hands work in over the REST API, as a client with the token would. */
function submit(work: object): Promise<number> {
  const file = (name: string) => readFileSync(join(cluster.dir, name), 'utf8')
  return new Promise((resolve, reject) => {
    const call = request(
      {
        host: '127.0.0.1',
        port: cluster.port,
        path: '/provision/v1/work',
        method: 'POST',
        ca: file('chain.crt'),
        servername: 'master.test',
        headers: {
          authorization: `Bearer ${file('.provision/token').trim()}`,
          'content-type': 'application/json',
        },
      },
      (response) => resolve(response.resume().statusCode!),
    )
    call.on('error', reject).end(JSON.stringify(work))
  })
}

describe('a pool without work', () => {
  it('has no agents, gets as many as the work needs, and has none when it is done', async () => {
    cluster = new Cluster()
    await cluster.certificate()
    const config = await cluster.config('min_instances: 0', 'slots: 2', 'max_idle_agent_period: 1s')
    const running = await cluster.start(config)
    expect(running.rows()).toEqual([])

    // Three pieces of two slots need three agents of two; one more slot needs no fourth once one is free.
    for (const id of ['a', 'b', 'c']) expect(await submit({ id, slots: 2, duration: '3s' })).toBeLessThan(300)
    const joined = () => running.rows().filter((row) => row.agent === 'joined').length
    await expect.poll(joined, { timeout: 20_000 }).toBe(3)
    expect(cluster.said('decided to launch').length).toBeGreaterThan(0)

    await expect.poll(() => running.rows().length, { timeout: 40_000, interval: 200 }).toBe(0)
    expect(cluster.said('decided to drain').length).toBeGreaterThan(0)
    const launched = cluster.said('info local VM started').length
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
    for (let n = 0; n < 9; n++) await submit({ id: `w${n}`, slots: 1, duration: '1s' })
    await expect.poll(() => cluster.said('info local VM started').length, { timeout: 20_000 }).toBe(4)
    await expect
      .poll(() => running.rows().filter((row) => row.agent === 'joined').length, { timeout: 20_000 })
      .toBe(4)
    clearInterval(watching)
    expect(most).toBeLessThanOrEqual(4)
  }, 60_000)
})
