// The whole chain: the provisioner launches EC2 instances, they boot with their user data, their agents join or report
// why not. EC2's API is a fake; the machines, and all that happens on them, are real.

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { MasterConfig } from '../../src/config/master-config.ts'
import { systemClock } from '../../src/platform/clock.ts'
import { builtInProviders } from '../../src/providers/index.ts'
import { composeProvisioner, type Provisioner } from '../../src/provisioner/provisioner.ts'
import { type AwsCloud, awsCloud } from '../support/aws-cloud.ts'
import { loadConfig } from '../support/config.ts'
import { Cluster } from '../support/stand-alone.ts'
import { type BootingEc2, bootingEc2 } from './support/booting-ec2.ts'
import { agentImage, Site } from './support/site.ts'

let site: Site
let cloud: AwsCloud
let ec2: BootingEc2
let provisioner: Provisioner
const cluster = new Cluster()
beforeAll(async () => {
  site = await Site.open()
  cloud = await awsCloud()
  ec2 = bootingEc2(cloud, site)
  await cluster.certificate()
})
afterAll(async () => {
  await provisioner?.stop()
  await cluster.dispose()
  ec2.stop()
  await cloud.dispose()
  await site.dispose()
})

/** Two pools that need an instance each; those of the second pool have a fault. */
async function configuration(): Promise<MasterConfig> {
  const { port } = await cluster.config()
  const pool = (name: string, more: object) => ({
    pool_name: name,
    provider: {
      type: 'aws',
      region: 'us-west-2',
      image: { id: 'ami-1' },
      instance_type: 'm5.large',
      cpu_slots_allowed: true,
      network_interface: { public_ip: false },
      master_url: `https://master.test:${port}`,
      preflight_address: `127.0.0.1:${port}`,
      agent_docker_image: agentImage,
      boot_timeout: '300s',
      min_instances: 1,
      max_instances: 1,
      ...more,
    },
  })
  const file = join(cluster.dir, 'two-pools.yaml')
  writeFileSync(
    file,
    JSON.stringify({
      port,
      cluster_id: cluster.id,
      security: { tls: { cert: 'chain.crt', key: 'server.key' } },
      resource_pools: [pool('default', {}), pool('broken', { startup_script: 'mount /data\n' })],
    }),
  )
  const { config, problems } = loadConfig(file)
  if (!config) throw new Error(JSON.stringify(problems))
  return config
}

/** A new provisioner waits a minute for instances that EC2 shows late. Here the minute is over after the first listing. */
const clock = {
  ...systemClock,
  now: () => systemClock.now() + (cloud.ec2.count('DescribeInstances') >= 2 ? 61_000 : 0),
}

it('launches instances that join, reports why one does not, and keeps them running when it stops', async () => {
  provisioner = composeProvisioner({
    providers: builtInProviders,
    config: await configuration(),
    version: '0.0.0-test',
    env: { PATH: process.env['PATH'] },
    localAgent: [],
    clock,
    logger: cluster.log,
  })
  await provisioner.start()
  const rowOf = (pool: string) => provisioner.rows().find((row) => row.pool === pool)
  const logLines = () => cluster.log.lines.join('\n')
  await expect.poll(() => ec2.machines.size, { timeout: 60_000, message: logLines() }).toBe(2)

  const good = ec2.machines.get(rowOf('default')!.instance)!
  const broken = ec2.machines.get(rowOf('broken')!.instance)!
  await site.until(good, 'it joins', () => rowOf('default')?.agent === 'joined')
  expect(rowOf('default')).toMatchObject({ state: 'running', slots: 1, certificateName: 'master.test' })

  await site.until(broken, 'it is off', () => !broken.isOn())
  await expect
    .poll(logLines, { timeout: 240_000 })
    .toMatch(/did not join: startup_script_failed.*NEVER_JOINED/)

  await provisioner.stop()
  expect(cloud.ec2.count('TerminateInstances')).toBe(0)
  expect(good.isOn()).toBe(true)
})
