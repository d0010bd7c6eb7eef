// The daemon is killed between making a placement group and launching into it: there is one group per gang afterwards, and
// none is left when its instances are gone.
import { cpSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, inject, it, type TestContext } from 'vitest'
import { fakeEc2 } from '../../support/fake-ec2/server.ts'
import { runAside } from '../../support/run-aside.ts'
import { type Daemon, freePort, startDaemon } from '../../support/takeover/daemon.ts'

const timeout = 300_000
let certificates: string
beforeAll(async () => {
  certificates = realpathSync(mkdtempSync(join(tmpdir(), 'groups-certificates-')))
  const names = ['--name', 'master.test', '--ip', '127.0.0.1']
  const { status, stderr } = await runAside(inject('cli'), ['certs', ...names, '--out', certificates])
  expect(status, stderr).toBe(0)
}, timeout)
afterAll(() => rmSync(certificates, { recursive: true, force: true }))

async function startCluster({ onTestFinished }: Pick<TestContext, 'onTestFinished'>) {
  const dir = realpathSync(mkdtempSync(join(tmpdir(), 'groups-')))
  cpSync(certificates, join(dir, 'certs'), { recursive: true })
  const ec2 = await fakeEc2()
  const port = await freePort()
  const daemons: Daemon[] = []
  onTestFinished(async () => {
    for (const daemon of daemons) await daemon.dispose()
    await ec2.close()
    rmSync(dir, { recursive: true, force: true })
  }, timeout)
  return {
    ec2,
    start(placement = 'placement_group: per_gang', pool = 'default'): Daemon {
      writeFileSync(
        join(dir, 'master.yaml'),
        `port: ${port}
cluster_id: groups
state_dir: state
security: {tls: {cert: certs/chain.crt, key: certs/server.key}}
resource_pools:
  - pool_name: ${pool}
    provider:
      type: aws
      region: us-west-2
      master_url: https://127.0.0.1:${port}
      master_cert_name: master.test
      image: {id: ami-2}
      instance_types: [{type: g5.12xlarge, slots: 4}]
      subnet_ids: [subnet-a, subnet-b]
      min_instances: 0
      max_instances: 4
      agent_runtime: process
      preflight: 'off'
      ${placement}
`,
      )
      const credentials = { AWS_ACCESS_KEY_ID: 'key', AWS_SECRET_ACCESS_KEY: 'secret' }
      const env = { ...credentials, AWS_ENDPOINT_URL: ec2.url, AWS_EC2_METADATA_DISABLED: 'true' }
      const daemon = startDaemon({ cli: inject('cli'), dir, port, env })
      daemons.push(daemon)
      return daemon
    },
    groups: () => [...ec2.world.placementGroups.keys()].filter((name) => name !== 'together'),
    live: () => [...ec2.world.vms.values()].filter(({ state }) => state === 'pending' || state === 'running'),
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
