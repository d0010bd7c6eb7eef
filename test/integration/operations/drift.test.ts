// The real daemon with a pool on each cloud: what differs from the file shows after a reload and after a restart, and what is no
// difference of instances shows nothing.
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { request } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { describe, expect, inject, it, type TestContext } from 'vitest'
import { stringify } from 'yaml'
import { joined } from '../../support/shapes/shape.ts'
import { startClouds } from '../../support/takeover/clouds.ts'
import { type Daemon, freePort, startDaemon } from '../../support/takeover/daemon.ts'
import { testKey } from '../../support/test-keys.ts'
import type { Issued } from '../../support/x509.ts'
import { dns, ip } from '../../support/x509-extensions.ts'
import { authority, server } from '../../support/x509-profiles.ts'

const timeout = 300_000

type Changes = Record<'aws' | 'gcp', object>

async function startCluster({ onTestFinished }: Pick<TestContext, 'onTestFinished'>, images = 'pinned') {
  const dir = realpathSync(mkdtempSync(join(tmpdir(), 'drift-')))
  mkdirSync(join(dir, 'certs'))
  const clouds = await startClouds()
  const port = await freePort()
  const daemons: Daemon[] = []
  onTestFinished(async () => {
    for (const daemon of daemons) await daemon.dispose()
    await clouds.close()
    rmSync(dir, { recursive: true, force: true })
  }, timeout)
  const common = {
    master_url: `https://127.0.0.1:${port}`,
    master_cert_name: 'master.test',
    agent_runtime: 'process',
    preflight: 'off',
    min_instances: 1,
    max_instances: 1,
    rollout: { images },
  }
  const aws = {
    ...common,
    type: 'aws',
    region: 'us-west-2',
    image: { ssm: '/agent/image' },
    instance_types: [
      { type: 'g5.xlarge', slots: 1 },
      { type: 'g5.12xlarge', slots: 4 },
    ],
    subnet_ids: ['subnet-a'],
  }
  const gcp = {
    ...common,
    type: 'gcp',
    project: 'my-project',
    zone: 'us-central1-a',
    boot_disk_source_image: 'projects/my-project/global/images/family/agent',
    instance_types: ['g2-standard-8'],
  }
  const cluster = {
    ...clouds,
    dir,
    /** With keys of the provider of each pool, and of the top. */
    write(changes: Partial<Changes> = {}, top: object = {}) {
      const file = {
        port,
        cluster_id: 'drift',
        state_dir: 'state',
        security: { tls: { cert: 'certs/chain.crt', key: 'certs/server.key' } },
        metrics: { access: 'open' },
        ...top,
        resource_pools: [
          { pool_name: 'on-aws', provider: { ...aws, ...changes.aws } },
          { pool_name: 'on-gcp', provider: { ...gcp, ...changes.gcp } },
        ],
      }
      writeFileSync(join(dir, 'master.yaml'), stringify(file))
    },
    serve(leaf: Issued, ...above: Issued[]) {
      writeFileSync(join(dir, 'certs/server.key'), leaf.key.pem, { mode: 0o600 })
      writeFileSync(join(dir, 'certs/chain.crt'), joined([leaf, ...above]))
    },
    start(): Daemon {
      const daemon = startDaemon({ cli: inject('cli'), dir, port, env: clouds.env })
      daemons.push(daemon)
      return daemon
    },
    /** Both pools have their instance, as the daemon lists it. */
    launched: (daemon: Daemon) =>
      daemon.until('each pool has an instance', async () =>
        daemon
          .instances()
          .then((all) => all.length === 2 && all.every(({ state }) => state === 'running'))
          .catch(() => false),
      ),
    changedClouds: () => clouds.changes().filter((action) => /Terminate|delete$/.test(action)),
    metrics: () =>
      new Promise<string>((resolve, reject) => {
        const options = { port, path: '/metrics', host: '127.0.0.1', rejectUnauthorized: false }
        request(options, (response) => resolve(text(response)))
          .on('error', reject)
          .end()
      }),
  }
  return cluster
}

/** Keys by pool; of a pool without drifted instances, none. */
async function driftOf(daemon: Daemon): Promise<Record<string, string[]>> {
  const { instances } = JSON.parse(await daemon.command('instances', '--format', 'json')) as {
    instances: { pool: string; drifted?: string[] }[]
  }
  return Object.fromEntries(instances.map(({ pool, drifted = [] }) => [pool, drifted]))
}

async function untilDrift(daemon: Daemon, wanted: Record<string, readonly string[]>): Promise<void> {
  const words = JSON.stringify(wanted)
  await daemon.until(`drifted: ${words}`, async () => JSON.stringify(await driftOf(daemon)) === words)
}

const names = [dns('master.test'), ip('127.0.0.1')]
const root = authority('root')
const intermediate = authority('intermediate', { issuer: root })
const leaf = () => server(intermediate, { names })
const none = { 'on-aws': [], 'on-gcp': [] }

describe.concurrent('drift', () => {
  it('shows after a reload and a restart; limits and a renewed certificate are none', {
    timeout,
  }, async (context) => {
    const cluster = await startCluster(context)
    cluster.serve(leaf(), intermediate, root)
    cluster.write()
    let daemon = cluster.start()
    await cluster.launched(daemon)
    expect(await driftOf(daemon)).toEqual(none)

    // What is not about instances.
    const limits = { max_idle_agent_period: '1h', boot_timeout: '50m', placement_grace: '5s' }
    cluster.write({ aws: limits, gcp: limits })
    const reloads = () => daemon.log().split('changed; in effect now').length
    await daemon.until('the limits are in effect', () => reloads() > 6)
    const other = authority('other intermediate', { issuer: root })
    cluster.serve(server(other, { names, key: testKey('p256', 'renewed') }), other, root)
    await daemon.until('the renewed certificate is used', () =>
      daemon.log().includes('new instances get the renewed certificate'),
    )
    expect(await driftOf(daemon)).toEqual(none)
    expect(await cluster.metrics()).toContain('provisioner_drifted_instances{pool="on-aws"} 0')

    // A second type, or another one of several, is none; a script is one.
    const script = { ...limits, startup_script: 'mount /data' }
    const changed = {
      aws: { ...script, metadata_hop_limit: 1, instance_types: [{ type: 'g5.xlarge', slots: 1 }] },
      gcp: { ...script, instance_types: ['g2-standard-48'], network_tags: ['agents'] },
    }
    cluster.write(changed)
    const drifted = {
      'on-aws': ['metadata_hop_limit', 'startup_script'],
      'on-gcp': ['instance_type', 'network_tags', 'startup_script'],
    }
    await untilDrift(daemon, drifted)
    expect(await daemon.command('instances', '--pool', 'on-aws')).toMatch(
      /DRIFTED .*\n.* metadata_hop_limit, startup_script$/m,
    )
    await daemon.until('it is explained', async () =>
      (await daemon.command('explain', 'on-gcp')).includes(
        '1 drifted: instance_type 1, network_tags 1, startup_script 1',
      ),
    )
    expect(await cluster.metrics()).toContain('provisioner_drifted_instances{pool="on-gcp"} 1')

    // The journal has it.
    await daemon.kill()
    daemon = cluster.start()
    await daemon.ready()
    await untilDrift(daemon, drifted)
    await daemon.stop()
    cluster.write({ aws: limits, gcp: limits })
    daemon = cluster.start()
    await daemon.ready()
    await cluster.launched(daemon)
    await untilDrift(daemon, none)

    const newRoot = authority('new root')
    cluster.serve(server(newRoot, { names }), newRoot)
    await untilDrift(daemon, { 'on-aws': ['TLS_ROOT'], 'on-gcp': ['TLS_ROOT'] })
    expect(cluster.changedClouds()).toEqual([])
  })

  it.for([
    ['latest', { 'on-aws': ['image'], 'on-gcp': ['boot_disk_source_image'] }],
    ['pinned', none],
  ] as const)('by a newer image, with images %s', { timeout }, async ([images, wanted], context) => {
    const cluster = await startCluster(context, images)
    cluster.serve(leaf(), intermediate, root)
    cluster.write()
    const before = cluster.start()
    await cluster.launched(before)
    expect(await driftOf(before)).toEqual(none)
    await before.stop()
    cluster.ec2.world.parameters['/agent/image'] = 'ami-1'
    Object.assign(cluster.gce.world.images, { newer: { diskSizeGb: '50', status: 'READY' } })
    cluster.gce.world.families['agent'] = 'newer'
    const after = cluster.start()
    await after.ready()
    await cluster.launched(after)
    // Long enough for an answer of each cloud.
    await new Promise((resolve) => setTimeout(resolve, 5_000))
    await untilDrift(after, wanted)
    expect(cluster.changedClouds()).toEqual([])
  })
})
