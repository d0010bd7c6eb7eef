// Capacity that is paid for in advance: what is launched into it, and when a Capacity Block ends.
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Offering } from '../../../src/planner/snapshot.ts'
import { check } from '../../../src/providers/aws/check.ts'
import { ec2Client } from '../../../src/providers/aws/client.ts'
import { markReserved, offeringsOf } from '../../../src/providers/aws/reservations.ts'
import type { AwsConfig } from '../../../src/providers/aws/rules.ts'
import { type AwsCloud, awsCloud } from '../../support/aws-cloud.ts'
import { awsConfig, master } from '../../support/cloud-pools.ts'
import { silentLogger } from '../../support/silent-logger.ts'

const minute = 60_000
const hour = 60 * minute
const id = 'cr-0123456789abcdef0'
const group = 'arn:aws:resource-groups:us-west-2:123456789012:group/training'

const pool: Partial<AwsConfig> = {
  instance_types: [{ type: 'g5.12xlarge', slots: 4 }],
  subnet_ids: ['subnet-a'],
}
const inReservation = { ...pool, capacity: { reservation: id, only: false } }
const inBlock = { ...pool, capacity: { block: id, only: false } }

let cloud: AwsCloud
beforeEach(async () => {
  cloud = await awsCloud()
})
afterEach(() => cloud.dispose())

function reserve(more: object = {}) {
  cloud.ec2.world.reservations.set(id, { type: 'g5.12xlarge', zone: 'us-west-2a', total: 2, ...more })
}

async function launch(config: Partial<AwsConfig>, count: number) {
  const provider = await cloud.open(config)
  const result = await provider.launch(cloud.order(count, offeringsOf(awsConfig(config))))
  return { provider, ...result }
}

describe('the offerings of a pool with reserved capacity', () => {
  const kinds = (config: Partial<AwsConfig>) =>
    offeringsOf(awsConfig({ ...pool, ...config })).map(({ capacityType }: Offering) => capacityType)

  it('begin with it, and go on as configured', () => {
    expect(kinds({ capacity: { reservation: id, only: false } })).toEqual(['reserved', 'on_demand'])
    const spot = { enabled: true, fallback: 'on_demand' as const }
    expect(kinds({ spot, capacity: { block: id, only: false } })).toEqual(['reserved', 'spot', 'on_demand'])
    expect(kinds({ spot, capacity: { block: id, only: true } })).toEqual(['reserved'])
    expect(kinds({})).toEqual(['on_demand'])
  })
})

describe('a capacity reservation', () => {
  it('is used first, and what it does not have is launched on demand', async () => {
    reserve()
    const { provider, instances, failures } = await launch(inReservation, 3)
    expect(failures).toEqual([])
    expect(instances.map(({ capacityType }) => capacityType)).toEqual(['reserved', 'reserved', 'on_demand'])
    const { instances: listed, problems } = await provider.list()
    expect(problems).toEqual([])
    expect(listed.map(({ capacityType }) => capacityType).sort()).toEqual([
      'on_demand',
      'reserved',
      'reserved',
    ])
    expect(listed.every(({ endsAt }) => endsAt === undefined)).toBe(true)
    expect(cloud.ec2.count('DescribeCapacityReservations')).toBe(0)
  })

  it('that is full, or of another type or zone, is out of capacity for its offering only', async () => {
    reserve({ zone: 'us-west-2b' })
    const { instances, failures } = await launch(inReservation, 1)
    expect(instances.map(({ capacityType }) => capacityType)).toEqual(['on_demand'])
    expect(failures).toMatchObject([
      { class: 'capacity', offering: { capacityType: 'reserved' }, problem: { code: 'PROVIDER_CAPACITY' } },
    ])
    expect(failures[0]!.problem.message).toContain('launch reserved g5.12xlarge in subnet-a')
    expect(failures[0]!.problem.remedy).toContain('provision check')
  })

  it('that is full and the only capacity is named, with what would be tried without `only`', async () => {
    reserve({ total: 0 })
    const remedies: (string | undefined)[] = []
    for (const reservation of [id, group, 'open']) {
      const { failures } = await launch({ ...pool, capacity: { reservation, only: true } }, 1)
      remedies.push(failures.find((one) => one.class === 'capacity')?.problem.remedy)
    }
    const [one, ofGroup, open] = remedies
    expect(one).toContain(`Capacity reservation ${id} has no free instance of this type and zone`)
    expect(one).toContain('Remove `only: true` from capacity')
    expect(one).toContain('on-demand')
    // The fake endpoint knows no groups of reservations.
    expect(ofGroup).toBeUndefined()
    expect(open).toContain('No open reservation has a free instance of this type and zone')
  })

  it('that does not exist is a mistake, and nothing is bought instead without a word', async () => {
    const { instances, failures } = await launch(inReservation, 1)
    expect(instances).toEqual([])
    expect(failures).toMatchObject([{ class: 'config', offering: { capacityType: 'reserved' } }])
  })

  it.each([
    [{ reservation: id }, { CapacityReservationTarget: { CapacityReservationId: id } }],
    [{ reservation: group }, { CapacityReservationTarget: { CapacityReservationResourceGroupArn: group } }],
    [{ reservation: 'open' }, { CapacityReservationPreference: 'capacity-reservations-only' }],
  ])('%j is asked for by its name, and only for reserved offerings', async (capacity, wanted) => {
    reserve({ total: 1 })
    await launch({ ...pool, capacity: { ...capacity, only: false } }, 2)
    const sent = cloud.ec2.calls.filter(({ action }) => action === 'RunInstances')
    expect(sent[0]!.params).toMatchObject({ CapacityReservationSpecification: wanted })
    expect(sent[0]!.params).not.toHaveProperty('InstanceMarketOptions')
    for (const { params } of sent.slice(1))
      expect(params).not.toHaveProperty('CapacityReservationSpecification')
  })
})

describe('a Capacity Block', () => {
  it('is launched into as such, and shows its end: half an hour before its end date', async () => {
    const endsAt = Math.ceil(Date.now() / 1000) * 1000 + 24 * hour
    reserve({ block: true, endsAt })
    const { provider, instances } = await launch(inBlock, 1)
    expect(instances).toMatchObject([{ capacityType: 'reserved' }])
    const { params } = cloud.ec2.calls.find(({ action }) => action === 'RunInstances')!
    expect(params).toMatchObject({
      InstanceMarketOptions: { MarketType: 'capacity-block' },
      CapacityReservationSpecification: { CapacityReservationTarget: { CapacityReservationId: id } },
    })
    const [listed] = (await provider.list()).instances
    expect(listed).toMatchObject({ capacityType: 'reserved', endsAt: endsAt - 30 * minute })
  })

  it.each([
    ['has not started', { startsAt: Date.now() + hour, endsAt: Date.now() + 9 * hour }, /starts at 20/],
    ['is about to end', { endsAt: Date.now() + 69 * minute }, /terminates the instances .* from 20/],
  ])('that %s is not tried, and another offering is', async (_, times, why) => {
    reserve({ block: true, ...times })
    const { instances, failures } = await launch(inBlock, 1)
    expect(instances.map(({ capacityType }) => capacityType)).toEqual(['on_demand'])
    expect(failures).toMatchObject([{ class: 'capacity', offering: { capacityType: 'reserved' } }])
    expect(failures[0]!.problem.message).toMatch(why)
    expect(cloud.ec2.count('RunInstances')).toBe(1)
  })

  it('that EC2 does not know hides the end of no other one', async () => {
    const endsAt = Math.ceil(Date.now() / 1000) * 1000 + 24 * hour
    reserve({ block: true, endsAt })
    const { instances } = await launch(inBlock, 2)
    const [a, b] = instances.map((one) => one.id) as [string, string]
    const api = ec2Client('us-west-2', cloud.env)
    const blocks = new Map([
      [a, 'cr-00000000000000000'],
      [b, id],
    ])
    const marked = await markReserved(api, instances, blocks)
    expect(marked.instances.map((one) => one.endsAt)).toEqual([undefined, endsAt - 30 * minute])
    expect(marked.error).toMatchObject({ name: 'InvalidCapacityReservationId.NotFound' })
    expect((await markReserved(api, instances, new Map([[b, id]]))).error).toBeUndefined()
    api.close()
  })

  it('whose end cannot be read leaves the listing complete', async () => {
    reserve({ block: true, endsAt: Date.now() + 24 * hour })
    const { provider } = await launch(inBlock, 1)
    cloud.ec2.world.denied.add('DescribeCapacityReservations')
    const { complete, instances, problems } = await provider.list()
    expect({ complete, count: instances.length }).toEqual({ complete: true, count: 1 })
    expect(problems.map(({ code }) => code)).toEqual(['PROVIDER_AUTH'])
  })
})

describe('checking reserved capacity', () => {
  async function faults(config: Partial<AwsConfig>) {
    const context = { owner: cloud.owner, master, stateDir: '/nowhere', env: cloud.env, clock: cloud.clock }
    const whole = awsConfig({ image: { id: 'ami-2' }, ...config })
    const items = await check({ ...context, config: whole, logger: silentLogger }, offeringsOf(whole))
    expect(cloud.ec2.world.vms.size).toBe(0)
    return items.flatMap(({ what, problem }) => (problem ? `${what}: ${problem.message}` : []))
  }

  it.each([
    ['nothing', {}, inReservation, undefined],
    ['another type', { type: 'g5.xlarge' }, inReservation, /for g5\.xlarge, which is not an instance type/],
    ['another zone', { zone: 'us-west-2b' }, inReservation, /in us-west-2b, but no subnet/],
    ['its end', { state: 'expired' }, inReservation, /is expired/],
    ['a block', { block: true }, inReservation, /is a Capacity Block/],
    ['no block', {}, inBlock, /is not a Capacity Block/],
  ])('reports %s', async (_, more, config, expected) => {
    reserve(more)
    const found = (await faults(config)).filter((one) => one.includes(`${id}: `))
    expect(found).toEqual(expected ? [expect.stringMatching(expected)] : [])
  })

  it('reports that it does not exist', async () => {
    const found = await faults(inReservation)
    expect(found[0]).toContain('InvalidCapacityReservationId.NotFound')
  })
})
