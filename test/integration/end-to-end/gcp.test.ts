// A whole provisioner with a pool on Compute Engine: the fake cloud's VMs run their real startup script, and the agents
// join the built-in master over verified TLS.
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openJournalFile } from '../../../src/state/folder/journal-file.ts'
import { type GceMachines, gceMachines } from '../../support/gce-machines.ts'
import { type GcpCloud, gcpCloud } from '../../support/gcp-cloud.ts'
import { Cluster } from '../../support/stand-alone.ts'
import { submit } from '../../support/submit.ts'

let cloud: GcpCloud
let cluster: Cluster
let machines: GceMachines
beforeEach(async () => {
  cloud = await gcpCloud()
  cluster = new Cluster()
  await cluster.certificate()
  machines = gceMachines(cloud.gce.world, 1)
})
afterEach(async () => {
  await cluster.dispose()
  await machines.close()
  await cloud.dispose()
})

/** As an earlier run has left it: without a journal, the first launch needs two listings a minute apart. */
async function earlierRun(): Promise<void> {
  const file = join(cluster.dir, '.provision/fleet/default.journal')
  const { journal } = await openJournalFile({ file, kind: 'fleet 1', now: Date.now() })
  await journal.append({ at: Date.now(), kind: 'begun' })
  await journal.close()
}

async function start(...provider: string[]) {
  await cluster.config()
  const config = await cluster.config(
    'type: gcp',
    'project: my-project',
    'zones: [us-central1-a, us-central1-b]',
    'boot_disk_source_image: projects/my-project/global/images/agent',
    'instance_types: [{type: g2-standard-8}]',
    `master_url: https://127.0.0.1:${cluster.port}`,
    'master_cert_name: master.test',
    'max_idle_agent_period: 1s',
    ...provider,
  )
  await earlierRun()
  return cluster.start(config, { env: cloud.env })
}

describe('a pool on Compute Engine', () => {
  it('is empty without jobs, gets the VMs that jobs need, and is empty again when they are done', async () => {
    const running = await start()
    expect(running.rows()).toEqual([])
    expect(cloud.gce.count('bulkInsert')).toBe(0)

    for (const id of ['a', 'b'])
      expect(await submit(cluster, { id, slots: 1, duration: '2s' })).toBeLessThan(300)
    const joined = () => running.rows().filter((row) => row.agent === 'joined')
    await expect.poll(() => joined().length, { timeout: 60_000 }).toBe(2)
    expect(joined()[0]).toMatchObject({ certificateName: 'master.test', slots: 1, local: false })
    expect(
      joined()
        .map(({ instance }) => instance)
        .sort(),
    ).toEqual([...cloud.gce.world.vms.keys()].sort())

    await expect.poll(() => cloud.gce.world.vms.size, { timeout: 60_000 }).toBe(0)
    expect(machines.booted()).toBe(2)
  }, 80_000)

  it('replaces a VM that was preempted, deletes its remains, and keeps VMs running when it stops', async () => {
    const running = await start('min_instances: 1', 'spot: true')
    const joined = () => running.rows().find((row) => row.agent === 'joined')?.instance
    await expect.poll(joined, { timeout: 60_000 }).toMatch(/^determined-ai-determined-/)
    const first = joined()!
    cloud.gce.world.preempt(first, 'TERMINATED')
    await expect.poll(joined, { timeout: 60_000 }).not.toBe(first)
    await expect.poll(joined, { timeout: 60_000 }).toBeDefined()
    await expect.poll(() => [...cloud.gce.world.vms.keys()], { timeout: 60_000 }).toEqual([joined()])
    const deletes = cloud.gce.count('delete')
    await running.stop()
    expect(cloud.gce.count('delete')).toBe(deletes)
    expect(cloud.gce.world.vms.size).toBe(1)
  }, 100_000)
})
