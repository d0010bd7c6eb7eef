// Connections to EC2 that fall silent: a call on one is given up, others that were open as long are not used any more, and an
// answer that arrives slowly is read to its end.
import { afterEach, beforeEach, expect, it } from 'vitest'
import { type Ec2Api, type Ec2ClientOptions, ec2Client } from '../../../src/providers/aws/client.ts'
import { ec2Failure } from '../../../src/providers/aws/errors.ts'
import { type AwsCloud, awsCloud } from '../../support/aws-cloud.ts'
import { type SilentRelay, silentRelay } from '../../support/silent-relay.ts'

/** Milliseconds, in place of many seconds. */
const silence = { reading: 500, runInstances: 500, createFleet: 500 }

let cloud: AwsCloud
let relay: SilentRelay
let api: Ec2Api
beforeEach(async () => {
  cloud = await awsCloud()
  relay = await silentRelay(Number(new URL(cloud.ec2.url).port))
  api = client({ silence })
})
afterEach(async () => {
  api.close()
  await relay.close()
  await cloud.dispose()
})

function client(options: Ec2ClientOptions): Ec2Api {
  return ec2Client('us-west-2', cloud.env, { ...options, endpoint: `http://127.0.0.1:${relay.port}` })
}

const list = () => api.describeInstances({})

it('a call without any byte is given up and repeated, and no other silent connection is used for it', async () => {
  cloud.ec2.latency = 100
  await Promise.all([list(), list(), list()])
  expect(relay.open()).toBe(3)
  relay.hush()
  const from = Date.now()
  expect(await list()).toMatchObject({ Reservations: [] })
  const took = Date.now() - from
  expect(took).toBeGreaterThanOrEqual(silence.reading)
  expect(took).toBeLessThan(3 * silence.reading)
  expect([relay.usedInSilence(), relay.accepted()]).toEqual([1, 4])
})

it('an answer that falls silent in its middle is given up and asked for again', async () => {
  relay.cut = { missing: 50, times: 1 }
  expect(await list()).toMatchObject({ Reservations: [] })
  expect(cloud.ec2.count('DescribeInstances')).toBe(2)
})

it('an answer that takes longer in all is read to its end', async () => {
  relay.slow = { parts: 6, everyMs: 200 }
  const from = Date.now()
  expect(await list()).toMatchObject({ Reservations: [] })
  expect(Date.now() - from).toBeGreaterThan(2 * silence.reading - 50)
  expect(cloud.ec2.count('DescribeInstances')).toBe(1)
})

it('an idle connection stays open for longer, and is used again', async () => {
  await list()
  await new Promise((resolve) => setTimeout(resolve, 2 * silence.reading))
  await list()
  expect(relay.accepted()).toBe(1)
})

it.each([
  ['RunInstances', () => api.runInstances({ MinCount: 1, MaxCount: 1 })],
  [
    'CreateFleet',
    () =>
      api.createFleet({ LaunchTemplateConfigs: [], TargetCapacitySpecification: { TotalTargetCapacity: 1 } }),
  ],
])('%s is not repeated: whether it took effect is unknown', async (action, launch) => {
  cloud.ec2.faults.push({ action, kind: 'hang' })
  const error = await launch().catch((error: unknown) => error)
  expect(ec2Failure(error, 'launch')).toMatchObject({ class: 'transient' })
  expect(cloud.ec2.count(action)).toBe(1)
})

it('a launch may take longer than a call that reads', async () => {
  api.close()
  api = client({ silence: { reading: 100, runInstances: 5_000, createFleet: 5_000 } })
  cloud.ec2.faults.push({ action: 'DescribeInstances', kind: 'hang', times: 1 })
  cloud.ec2.latency = 400
  await expect(
    api.runInstances({
      MinCount: 1,
      MaxCount: 1,
      ImageId: 'ami-2',
      InstanceType: 'g5.xlarge',
      SubnetId: 'subnet-a',
    }),
  ).resolves.toHaveProperty('Instances')
})
