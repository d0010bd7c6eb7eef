// A provisioner with a pool on EC2: it launches where there is capacity, keeps its VMs running when it stops, and
// recognises them when it starts again.
import { EC2Client } from '@aws-sdk/client-ec2'
import { afterEach, beforeEach, expect, inject, it } from 'vitest'
import type { MasterConfig } from '../../../src/config/master-config.ts'
import { systemClock } from '../../../src/platform/clock.ts'
import type { Provisioner } from '../../../src/provisioner/provisioner.ts'
import { type AwsCloud, awsCloud } from '../../support/aws-cloud.ts'
import { type Ec2Vms, runEc2Vms } from '../../support/ec2-vms.ts'
import { runCliAside } from '../../support/run-cli.ts'
import { Cluster } from '../../support/stand-alone.ts'

let cloud: AwsCloud
let cluster: Cluster
let vms: Ec2Vms
beforeEach(async () => {
  cloud = await awsCloud()
  cluster = new Cluster()
  vms = runEc2Vms(new EC2Client({ region: 'us-west-2' }), inject('cli'))
})
afterEach(async () => {
  await cluster.dispose()
  await vms.close()
  await cloud.dispose()
})

/** The machine's clock, which can be advanced. */
let ahead = 0
const clock = { ...systemClock, now: () => systemClock.now() + ahead }
const pollOptions = { timeout: 60_000 }

async function start(config: MasterConfig): Promise<Provisioner> {
  const listings = cloud.ec2.count('DescribeInstances')
  const running = await cluster.start(config, { clock })
  await expect.poll(() => cloud.ec2.count('DescribeInstances')).toBeGreaterThan(listings)
  return running
}

async function configOf(...lines: string[]): Promise<MasterConfig> {
  await cluster.certificate()
  return cluster.config(
    'type: aws',
    'region: us-west-2',
    'image: {id: ami-2}',
    'instance_type: g5.12xlarge',
    'subnet_ids: [subnet-a, subnet-b]',
    'master_url: https://127.0.0.1',
    'agent_runtime: process',
    'agent_config_file_contents: {artificial_slots: 4}',
    'agent_reconnect_backoff: 1',
    'boot_timeout: 10m',
    'min_instances: 0',
    ...lines,
  )
}

async function submit(): Promise<void> {
  const work = ['submit', '--slots', '4', '--duration', '30m']
  const { status, stderr } = await runCliAside(work, { cwd: cluster.dir })
  expect(status, stderr).toBe(0)
}

const joined = (running: Provisioner) => running.rows().filter(({ agent }) => agent === 'joined').length

it('launches in the zone with capacity, stops without terminating a VM, and resumes with them', async () => {
  const config = await configOf()
  const first = await start(config)
  // For a cluster it has no memory of, it needs two listings a minute apart before it launches anything.
  ahead += 61_000
  const { world } = cloud.ec2
  world.stock.set('on_demand/g5.12xlarge/subnet-a', 0)
  await submit()
  await submit()
  await expect.poll(() => joined(first), pollOptions).toBe(2)
  expect([...world.vms.values()].map(({ subnet }) => subnet)).toEqual(['subnet-b', 'subnet-b'])
  expect(cluster.said('InsufficientInstanceCapacity')).toHaveLength(1)

  await first.stop()
  expect([...world.vms.values()].map(({ state }) => state)).toEqual(['running', 'running'])
  const second = await start(config)
  await expect.poll(() => joined(second), pollOptions).toBe(2)
  expect(world.vms.size).toBe(2)
  expect(cloud.ec2.count('TerminateInstances')).toBe(0)
}, 120_000)

it('drains an instance before its Capacity Block ends, and launches the next one elsewhere', async () => {
  const block = 'cr-0123456789abcdef0'
  const reservation = { type: 'g5.12xlarge', zone: 'us-west-2a', total: 4, block: true }
  const endsIn = (ms: number) =>
    cloud.ec2.world.reservations.set(block, { ...reservation, endsAt: Date.now() + ahead + ms })
  endsIn(24 * 3_600_000)
  const running = await start(await configOf(`capacity: {block: ${block}}`))
  ahead += 61_000
  await submit()
  await expect.poll(() => joined(running), pollOptions).toBe(1)
  endsIn(3_600_000)
  const drained = () => cluster.said('decided to drain').filter((line) => line.includes('TIME_LIMIT'))
  await expect.poll(drained, pollOptions).toHaveLength(1)
  await submit()
  await expect.poll(() => joined(running), pollOptions).toBe(2)
  const reserved = [...cloud.ec2.world.vms.values()].map(({ reservationId }) => reservationId)
  expect(reserved).toEqual([block, undefined])
}, 120_000)

it('drains a spot VM that AWS interrupts, and launches another for the next job', async () => {
  const running = await start(await configOf('spot: true'))
  ahead += 61_000
  await submit()
  await expect.poll(() => joined(running), pollOptions).toBe(1)
  const [taken] = cloud.ec2.world.vms.keys()
  cloud.ec2.world.interrupt(taken!)
  const drained = () => cluster.said('decided to drain').filter((line) => line.includes('SPOT_INTERRUPTED'))
  await expect.poll(drained, pollOptions).toHaveLength(1)
  await submit()
  await expect.poll(() => joined(running), pollOptions).toBe(2)
  expect([...cloud.ec2.world.vms.values()].map(({ capacity }) => capacity)).toEqual(['spot', 'spot'])
}, 120_000)
