// New limits for a running provisioner, with real agents.
import { afterEach, expect, it } from 'vitest'
import { Cluster } from '../../support/stand-alone.ts'

const cluster = new Cluster()
afterEach(() => cluster.dispose())

it('a reload applies new limits, and does not apply what needs a restart', {
  timeout: 240_000,
}, async () => {
  await cluster.certificate()
  const running = await cluster.start(await cluster.config('min_instances: 1', 'max_idle_agent_period: 1s'))
  const joined = () => running.rows().filter((row) => row.agent === 'joined').length
  await expect.poll(joined, { timeout: 60_000 }).toBe(1)
  const [before] = running.rows()

  await running.reload(await cluster.config('min_instances: 2', 'slots: 2', 'max_idle_agent_period: 1s'))
  await expect.poll(joined, { timeout: 60_000 }).toBe(2)
  expect(cluster.said('changed; in effect now').join()).toContain('default.provider.min_instances')
  expect(cluster.said('restart the provisioner to apply it').join()).toContain('default.provider.slots')
  expect(running.rows().map(({ instance }) => instance)).toContain(before!.instance)
  expect(running.rows().map(({ slots }) => slots)).toEqual([before!.slots, before!.slots])
})
