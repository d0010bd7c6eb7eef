// A pool is removed from the file, or moved: the real daemon finds its instances, reports them, and terminates them
// when idle.
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
  certificates = realpathSync(mkdtempSync(join(tmpdir(), 'orphans-certificates-')))
  const names = ['--name', 'master.test', '--ip', '127.0.0.1']
  const { status, stderr } = await runAside(inject('cli'), ['certs', ...names, '--out', certificates])
  expect(status, stderr).toBe(0)
}, timeout)
afterAll(() => rmSync(certificates, { recursive: true, force: true }))

interface Changes {
  pool?: string
  region?: string
  terminateAfter?: string
  min?: number
}

/** A cluster of one AWS pool over a fake EC2. */
async function startCluster({ onTestFinished }: Pick<TestContext, 'onTestFinished'>) {
  const dir = realpathSync(mkdtempSync(join(tmpdir(), 'orphans-')))
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
    start({ pool = 'gpu', region = 'us-west-2', terminateAfter = '1h', min = 0 }: Changes = {}): Daemon {
      writeFileSync(
        join(dir, 'master.yaml'),
        `port: ${port}
cluster_id: orphans
state_dir: state
security: {tls: {cert: certs/chain.crt, key: certs/server.key}}
orphans: {terminate_after: ${terminateAfter}}
resource_pools:
  - pool_name: ${pool}
    agent_reconnect_wait: 60s
    provider:
      type: aws
      region: ${region}
      master_url: https://127.0.0.1:${port}
      master_cert_name: master.test
      image: {id: ami-2}
      instance_types: [{type: g5.xlarge, slots: 1}]
      subnet_ids: [subnet-a]
      min_instances: ${min}
      max_instances: 2
      agent_runtime: process
      preflight: 'off'
`,
      )
      const credentials = { AWS_ACCESS_KEY_ID: 'key', AWS_SECRET_ACCESS_KEY: 'secret' }
      const env = { ...credentials, AWS_ENDPOINT_URL: ec2.url, AWS_EC2_METADATA_DISABLED: 'true' }
      const daemon = startDaemon({ cli: inject('cli'), dir, port, env })
      daemons.push(daemon)
      return daemon
    },
    live: () => [...ec2.world.vms.values()].filter(({ state }) => state === 'pending' || state === 'running'),
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
