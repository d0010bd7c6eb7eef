// An independent check of the provider's requests to EC2 and the fake EC2's answers: botocore, with Amazon's own description.
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Offering } from '../../../src/planner/snapshot.ts'
import { check } from '../../../src/providers/aws/check.ts'
import type { AwsConfig } from '../../../src/providers/aws/rules.ts'
import { describeProviderContract } from '../../../src/testing/provider-contract.ts'
import { type AwsCloud, awsCloud, bothTypes } from '../../support/aws-cloud.ts'
import { awsFleets, awsRunInstances } from '../../support/aws-harness.ts'
import { awsConfig, master, offering } from '../../support/cloud-pools.ts'
import type { Exchange } from '../../support/fake-ec2/server.ts'
import { pythonWith } from '../../support/python.ts'
import { silentLogger } from '../../support/silent-logger.ts'
import { converse } from '../tls/run.ts'

interface Verdict {
  request: string[]
  answer: string[]
}

const recorded: Exchange[] = []
const record = (exchange: Exchange) => void recorded.push(exchange)
let python: string

/** The first run downloads 15 MB. */
beforeAll(async () => {
  python = await pythonWith('botocore', join(import.meta.dirname, 'requirements.txt'))
}, 300_000)

function judged(exchanges: Exchange[]): Promise<Verdict[]> {
  return converse<Verdict[]>(python, [join(import.meta.dirname, 'judge.py')], exchanges)
}

describeProviderContract('aws, fleets, judged', awsFleets(record))
describeProviderContract('aws, RunInstances, judged', awsRunInstances(record))

describe('every way of launching', () => {
  let cloud: AwsCloud
  beforeAll(async () => {
    cloud = await awsCloud()
    cloud.ec2.record = record
    cloud.ec2.world.wholeVms = true
    const reservedHere = { type: 'g5.xlarge', zone: 'us-west-2a', total: 9, endsAt: Date.now() + 86_400_000 }
    cloud.ec2.world.reservations.set(reservation!, reservedHere).set(block!, { ...reservedHere, block: true })
  })
  afterAll(() => cloud.dispose())

  const one = [offering('g5.xlarge', { zone: 'subnet-a' })]
  const spot = [...one, ...bothTypes].map((each): Offering => ({ ...each, capacityType: 'spot' }))
  const reserved = one.map((each): Offering => ({ ...each, capacityType: 'reserved' }))
  const [reservation, block] = ['cr-0123456789abcdef0', 'cr-0123456789abcdef1']
  const everything: Partial<AwsConfig> = {
    ssh_key_name: 'ops',
    iam_instance_profile_arn: 'arn:aws:iam::123456789012:instance-profile/agent',
    custom_tags: [{ key: 'größe <&>', value: 'a=b&c "d"' }],
    volume: {
      ...awsConfig().volume,
      type: 'gp3',
      size: 200,
      iops: 4000,
      throughput: 300,
      kms_key_id: 'alias/a',
    },
    network_interface: {
      public_ip: false,
      subnet_id: '',
      security_group_id: '',
      security_group_ids: ['sg-1', 'sg-2'],
      efa: 2,
      ipv6: true,
    },
    placement_group: 'together',
    subnet_ids: ['subnet-a', 'subnet-b'],
    spot: { enabled: true, fallback: 'on_demand', max_price: '0.9' },
    base_config: {
      BlockDeviceMappings: [
        { Ebs: { VolumeInitializationRate: 200 } },
        { DeviceName: '/dev/sdb', Ebs: { VolumeSize: 10, VolumeType: 'gp3', DeleteOnTermination: true } },
      ],
      NetworkInterfaces: [{ ConnectionTrackingSpecification: { UdpTimeout: 30 } }],
      Placement: { Tenancy: 'dedicated' },
      CpuOptions: { ThreadsPerCore: 1 },
      MetadataOptions: { InstanceMetadataTags: 'enabled' },
      Monitoring: { Enabled: true },
      EbsOptimized: true,
    },
  }

  it.each([
    ['RunInstances', {}, one],
    ['RunInstances with all fields', everything, one],
    ['a fleet with all fields', everything, bothTypes],
    ['spot', everything, [...spot, ...one]],
    ['a reservation', { capacity: { reservation, only: false } }, reserved],
    ['a Capacity Block', { capacity: { block, only: false } }, reserved],
    ['the image of a parameter', { image: { ssm: '/agent/image' } }, one],
    ['the image of a name', { image: { owner: 'self', name: 'agent-*' } }, one],
  ] as [string, Partial<AwsConfig>, Offering[]][])('by %s', async (_, config, offerings) => {
    const provider = await cloud.open(config)
    const { instances, failures } = await provider.launch(cloud.order(2, offerings))
    expect(failures).toEqual([])
    const ids = instances.map(({ id }) => id)
    for (const id of ids) if (cloud.ec2.world.vms.get(id)!.spotRequestId) cloud.ec2.world.interrupt(id)
    expect((await provider.list()).problems).toEqual([])
    await provider.find!(ids)
    await provider.hasTraces!()
    await provider.consoleStage(ids[0]!)
    await provider.terminate(ids)
    await provider.list()
  })

  it.each([
    ['on demand', one],
    ['spot', spot],
  ])('by a placement group, %s', async (_, offerings) => {
    const provider = await cloud.open({ ...everything, placement_group: 'per_gang' })
    const order = cloud.order(2, offerings)
    for (const _ of [1, 2]) {
      const { instances } = await provider.launch({ ...order, intent: { ...order.intent, gang: true } })
      expect(instances).toHaveLength(2)
      await provider.terminate(instances.map(({ id }) => id))
    }
    await provider.list()
    const cluster = await cloud.openCluster(cloud.owner.clusterId)
    expect(await cluster.deleteUnused!(() => false)).toBe(0)
    expect(cloud.ec2.count('DeletePlacementGroup')).toBeGreaterThan(0)
  })

  it('with missing instances', async () => {
    cloud.ec2.world.stock.set('spot/g5.xlarge/subnet-a', 0)
    await (await cloud.open(everything)).launch(cloud.order(3, [...spot.slice(0, 1), ...one]))
    cloud.ec2.world.stock.clear()
  })

  it('as a dry run', async () => {
    const context = { owner: cloud.owner, master, stateDir: '/nowhere', env: cloud.env, clock: cloud.clock }
    const config = awsConfig({ image: { id: 'ami-2' }, ...everything })
    const items = await check({ ...context, config, logger: silentLogger }, [...spot, ...bothTypes, ...one])
    expect(items.length).toBeGreaterThan(10)
    const gangs = { ...config, placement_group: 'per_gang' }
    await check({ ...context, config: gangs, logger: silentLogger }, one)
  })
})

describe("by Amazon's description", () => {
  /** Caused on purpose by a clause of the contract. */
  const nonsense = /'no-such-type\.9xlarge'/

  it('no request and no answer has a fault', async () => {
    const actions = new Set(recorded.map(({ action }) => action))
    expect(actions.size).toBeGreaterThanOrEqual(16)
    const verdicts = await judged(recorded)
    const faults = verdicts.flatMap(({ request, answer }) => [...request, ...answer])
    expect([...new Set(faults)].filter((fault) => !nonsense.test(fault))).toEqual([])
    expect(recorded.length).toBeGreaterThan(300)
  })

  const sent = (action: string) =>
    recorded.find((one) => one.action === action && one.status === 200 && !one.request.includes('DryRun'))!

  it.each([
    ['a name', 'RunInstances', 'InstanceType=', 'InstanceTyp=', /InstanceTyp: no such parameter/],
    ['a word of a list of words', 'RunInstances', 'VolumeType=gp3', 'VolumeType=gp33', /none of VolumeType/],
    ['a number', 'RunInstances', 'MaxCount=', 'MaxCount=a', /not a integer/],
    ['an index', 'RunInstances', 'TagSpecification.1.', 'TagSpecification.0.', /has the indexes/],
    ['base64', 'RunInstances', 'UserData=', 'UserData=%3C', /not base64/],
    ['what has to be there', 'RunInstances', 'MinCount=', 'KernelId=', /MinCount/],
    ['a flag', 'RunInstances', 'DeleteOnTermination=true', 'DeleteOnTermination=yes', /not a boolean/],
    ['an action', 'DescribeInstances', 'Action=DescribeInstances', 'Action=ListInstances', /no action/],
  ])('a request with another %s fails', async (_, action, from, to, expected) => {
    const exchange = sent(action)
    expect(exchange.request).toContain(from)
    const planted = { ...exchange, request: exchange.request.replace(from, to) }
    const [verdict] = await judged([planted])
    expect(verdict!.request.join('\n')).toMatch(expected)
  })

  it.each([
    ['an element', '<instanceId>', '<instanceIdent/><instanceId>', /instanceIdent: no such element/],
    ['a word', '<name>pending</name>', '<name>waiting</name>', /none of InstanceStateName/],
    ['a time', '<launchTime>', '<launchTime>soon ', /cannot read the answer: Invalid timestamp/],
    ['a root', /RunInstancesResponse/g, 'RunInstancesResult', /answered with/],
    ['no request id', /<requestId>[^<]*<.requestId>/, '', /without a request id/],
  ])('an answer with another %s fails', async (_, from, to, expected) => {
    const exchange = sent('RunInstances')
    const planted = { ...exchange, answer: exchange.answer.replace(from, to) }
    expect(planted.answer).not.toBe(exchange.answer)
    const [verdict] = await judged([planted])
    expect(verdict!.answer.join('\n')).toMatch(expected)
  })
})
