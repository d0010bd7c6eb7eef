// A pool is removed from the file, or moved: the real daemon finds its instances, reports them, and terminates them
// when idle.
import { describe, expect, it, type TestContext } from 'vitest'
import { awsDaemonCluster, daemonCertificates, timeout } from '../../support/aws-daemon.ts'
import type { Daemon } from '../../support/takeover/daemon.ts'

const certificates = daemonCertificates()

interface Changes {
  pool?: string
  region?: string
  terminateAfter?: string
  min?: number
}

async function startCluster(context: Pick<TestContext, 'onTestFinished'>) {
  const cluster = await awsDaemonCluster(context, certificates())
  return {
    ...cluster,
    start: ({ pool = 'gpu', region = 'us-west-2', terminateAfter = '1h', min = 0 }: Changes = {}) =>
      cluster.start({
        name: pool,
        file: `orphans: {terminate_after: ${terminateAfter}}`,
        pool: 'agent_reconnect_wait: 60s',
        provider: [
          `region: ${region}`,
          'instance_types: [{type: g5.xlarge, slots: 1}]',
          'subnet_ids: [subnet-a]',
          `min_instances: ${min}`,
          'max_instances: 2',
        ],
      }),
  }
}

async function launchedOne(cluster: Awaited<ReturnType<typeof startCluster>>): Promise<string> {
  const daemon = cluster.start({ min: 1 })
  await daemon.until('one instance is launched', () => cluster.live().length === 1)
  const { id } = cluster.live()[0]!
  await daemon.until('it is in the log', () => daemon.log().includes(id))
  await daemon.stop()
  return id
}

interface Orphans {
  orphans: { id: string; pool: string; location: string; own: boolean; next: string }[]
  problems: { code: string }[]
}

const orphansOf = async (daemon: Daemon): Promise<Orphans> =>
  JSON.parse(await daemon.command('instances', '--orphans', '--format', 'json'))

describe.concurrent('instances of a pool that is not in the file any more', () => {
  it('are named in the log, by status, by instances --orphans, and are terminated on request', {
    timeout,
  }, async (context) => {
    const cluster = await startCluster(context)
    const id = await launchedOne(cluster)
    const daemon = cluster.start({ pool: 'renamed' })
    await daemon.until('it is reported', () => daemon.log().includes('POOL_GONE'))
    const line = daemon
      .log()
      .split('\n')
      .find((text) => text.includes('POOL_GONE'))!
    expect(line).toContain(id)
    expect(line).toContain('"level":"warn"')
    expect(line).toContain(`provision terminate ${id}`)
    expect(await daemon.command('status')).toContain(
      '1 instance of this cluster belongs to no configured pool',
    )
    const { orphans } = await orphansOf(daemon)
    expect(orphans).toMatchObject([
      { id, pool: 'gpu', location: 'aws, region us-west-2', own: true, next: 'grace' },
    ])
    expect(await daemon.command('instances', '--orphans')).toContain(id)
    await daemon.command('terminate', id, '--force', '--yes')
    await daemon.until('it is terminated', () => cluster.live().length === 0)
    await daemon.stop()
  })

  it('join the master again, and are terminated once they are observed idle', {
    timeout,
  }, async (context) => {
    const cluster = await startCluster(context)
    const id = await launchedOne(cluster)
    const daemon = cluster.start({ pool: 'renamed', terminateAfter: '5s' })
    await daemon.until('it is reported', () => daemon.log().includes('POOL_GONE'))
    // It was not observed idle.
    await new Promise((resolve) => setTimeout(resolve, 15_000))
    expect(cluster.live()).toHaveLength(1)
    daemon.startAgent({ id, pool: 'gpu' })
    await daemon.until('it is terminated', () => cluster.live().length === 0)
    expect(daemon.log()).toContain('terminating instances that belong to no configured pool')
    await daemon.stop()
  })

  it('of a pool that was moved are found where they are; the new region starts empty', {
    timeout,
  }, async (context) => {
    const cluster = await startCluster(context)
    const id = await launchedOne(cluster)
    const daemon = cluster.start({ region: 'eu-west-1' })
    await daemon.until('it is reported', () => daemon.log().includes('POOL_GONE'))
    expect(daemon.log()).toContain('the pool was moved')
    const { orphans } = await orphansOf(daemon)
    expect(orphans).toMatchObject([{ id, pool: 'gpu', location: 'aws, region us-west-2', own: true }])
    expect(await daemon.instances()).toEqual([])
    await daemon.stop()
  })
})

it('credentials of another account list no orphans, and that is reported', {
  timeout,
}, async (context) => {
  const cluster = await startCluster(context)
  await launchedOne(cluster)
  cluster.ec2.world.account = '999999999999'
  for (const vm of cluster.ec2.world.vms.values()) vm.visible = false
  const daemon = cluster.start({ pool: 'renamed', terminateAfter: '1s' })
  await daemon.until('it is reported', () => daemon.log().includes('ORPHANS_UNSEEN'))
  expect(daemon.log()).toContain('the credentials belong to account 999999999999')
  expect((await orphansOf(daemon)).problems).toMatchObject([{ code: 'ORPHANS_UNSEEN' }])
  await daemon.stop()
})
