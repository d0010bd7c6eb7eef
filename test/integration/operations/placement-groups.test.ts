// The daemon is killed between making a placement group and launching into it: there is one group per gang afterwards, and
// none is left when its instances are gone.
import { describe, expect, it, type TestContext } from 'vitest'
import { awsDaemonCluster, daemonCertificates, timeout } from '../../support/aws-daemon.ts'

const certificates = daemonCertificates()

async function startCluster(context: Pick<TestContext, 'onTestFinished'>) {
  const cluster = await awsDaemonCluster(context, certificates())
  return {
    ...cluster,
    start: (placement = 'placement_group: per_gang', name = 'default') =>
      cluster.start({
        name,
        provider: [
          'region: us-west-2',
          'instance_types: [{type: g5.12xlarge, slots: 4}]',
          'subnet_ids: [subnet-a, subnet-b]',
          'min_instances: 0',
          'max_instances: 4',
          placement,
        ],
      }),
    groups: () => [...cluster.ec2.world.placementGroups.keys()].filter((name) => name !== 'together'),
  }
}

/** A group exists, and its launch was sent but never arrived. */
async function killedBetween(cluster: Awaited<ReturnType<typeof startCluster>>): Promise<string> {
  const { ec2 } = cluster
  ec2.faults.push({ action: 'RunInstances', kind: 'hang' })
  const daemon = cluster.start()
  await daemon.ready()
  await daemon.command('submit', '--slots', '8', '--duration', '30m')
  await daemon.until('the launch is sent', () => ec2.count('RunInstances') > 0)
  await daemon.kill()
  ec2.faults.length = 0
  expect(cluster.live()).toEqual([])
  const [name, ...others] = cluster.groups()
  expect(others).toEqual([])
  return name!
}

describe.concurrent('after a kill between a placement group and its instances', () => {
  it('the launch is repeated into the same group, which is deleted when the instances are gone', {
    timeout,
  }, async (context) => {
    const cluster = await startCluster(context)
    const group = await killedBetween(cluster)
    // The job still waits: the master keeps its queue.
    const daemon = cluster.start()
    await daemon.until('the gang is launched', () => cluster.live().length === 2)
    expect(cluster.groups()).toEqual([group])
    for (const { made } of cluster.live()) expect(made).toMatchObject({ Placement: { GroupName: group } })
    await daemon.kill()
    for (const { id } of cluster.live()) cluster.ec2.world.end(id)
    const next = cluster.start()
    await next.until('the gang is launched again', () => cluster.live().length === 2)
    await next.until('the first group is deleted', () => !cluster.groups().includes(group))
    expect(cluster.groups()).toHaveLength(1)
    await next.stop()
  })

  it('the empty group is deleted when nothing wants it, also without its pool or the key', {
    timeout,
  }, async (context) => {
    const cluster = await startCluster(context)
    await killedBetween(cluster)
    const daemon = cluster.start('', 'renamed')
    await daemon.until('the group is deleted', () => cluster.groups().length === 0)
    await daemon.stop()
    expect(cluster.live()).toEqual([])
    expect(cluster.ec2.count('DeletePlacementGroup')).toBe(1)
  })
})
