// Agents that are not managed instances are not admitted by the built-in master, whatever the cloud answers; agents in
// the journals reconnect meanwhile, and keep their jobs.
import { EC2Client } from '@aws-sdk/client-ec2'
import { afterEach, beforeEach, expect, inject, it } from 'vitest'
import type { MasterConfig } from '../../../src/config/master-config.ts'
import type { DevelopmentChain } from '../../../src/pki/development-ca.ts'
import { systemClock } from '../../../src/platform/clock.ts'
import type { Provisioner } from '../../../src/provisioner/provisioner.ts'
import { type AwsCloud, awsCloud } from '../../support/aws-cloud.ts'
import { type Ec2Vms, runEc2Vms } from '../../support/ec2-vms.ts'
import { rawAgent } from '../../support/raw-agent.ts'
import { runCliAside } from '../../support/run-cli.ts'
import { Cluster } from '../../support/stand-alone.ts'

let cloud: AwsCloud
let cluster: Cluster
let vms: Ec2Vms
let chain: DevelopmentChain
beforeEach(async () => {
  cloud = await awsCloud()
  cluster = new Cluster()
  chain = await cluster.certificate()
  vms = runEc2Vms(new EC2Client({ region: 'us-west-2' }), inject('cli'))
})
afterEach(async () => {
  await cluster.dispose()
  await vms.close()
  await cloud.dispose()
})

let ahead = 0
const clock = { ...systemClock, now: () => systemClock.now() + ahead }
const pollOptions = { timeout: 60_000 }

const configOf = (): Promise<MasterConfig> =>
  cluster.config(
    'type: aws',
    'region: us-west-2',
    'image: {id: ami-2}',
    'instance_type: g5.12xlarge',
    'master_url: https://127.0.0.1',
    'agent_runtime: process',
    'agent_config_file_contents: {artificial_slots: 4}',
    'agent_reconnect_backoff: 1',
    'min_instances: 0',
  )

function listingsFail(): void {
  const denied = { code: 'UnauthorizedOperation', message: 'You are not authorized.', status: 403 }
  cloud.ec2.faults.push({ action: 'DescribeInstances', kind: 'error', ...denied })
}

/** The status line and the body of the response, or `joined`. */
async function dial(id: string): Promise<string> {
  return rawAgent(cluster.port, chain, id).then(
    ({ socket }) => {
      socket.destroy()
      return 'joined'
    },
    (error: Error) => error.message,
  )
}

/** The same, when the master has waited as long as it does for an answer about an agent. */
async function dialAndWait(id: string): Promise<string> {
  const answer = dial(id)
  await systemClock.sleep(1000)
  ahead += 15_000
  return answer
}

const joined = (running: Provisioner) => running.rows().filter(({ agent }) => agent === 'joined').length
const work = async (...args: string[]) => (await runCliAside(args, { cwd: cluster.dir })).stdout

it('an unknown agent waits as long as nothing can be listed, and is rejected after the listing', async () => {
  listingsFail()
  await cluster.start(await configOf(), { clock })
  const secret = ['--env', 'DB_PASSWORD=hunter2-the-secret', '--', 'true']
  const id = (await work('submit', '--slots', '4', ...secret)).trim()
  for (const hours of [0, 1, 24]) {
    ahead += hours * 3_600_000
    expect(await dialAndWait('stranger')).toMatch(/ 503 .*not a known instance/s)
  }
  expect(await work('work', id)).toContain('pending')
  cloud.ec2.faults.length = 0
  ahead += 61_000
  await expect.poll(() => dial('stranger'), pollOptions).toMatch(/ (?:403|503) /)
  expect(cluster.said('agent joined').filter((line) => line.includes('stranger'))).toEqual([])
  // However often it dials.
  await Promise.all(Array.from({ length: 20 }, (_, n) => dial(`stranger-${n}`)))
  expect(cluster.said('agent rejected').length).toBeLessThan(8)
}, 120_000)

it('agents in the journals reconnect while nothing can be listed, and keep their jobs', async () => {
  const config = await configOf()
  const first = await cluster.start(config, { clock })
  ahead += 61_000
  const id = (await work('submit', '--slots', '4', '--duration', '30m')).trim()
  await expect.poll(() => joined(first), pollOptions).toBe(1)
  await expect.poll(() => work('work', id), pollOptions).toContain('running')
  await first.stop()
  listingsFail()
  const second = await cluster.start(config, { clock })
  await expect.poll(() => joined(second), pollOptions).toBe(1)
  expect(await work('work', id)).toContain('running')
  const [vm] = cloud.ec2.world.vms.keys()
  expect(await dialAndWait('stranger')).toMatch(/ 503 /)
  expect(await dial(vm!)).toMatch(/ 500 .*already connected/s)
  expect(cluster.said('state=lost')).toEqual([])
}, 120_000)
