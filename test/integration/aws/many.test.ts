// Many instances, and many pools of one region: sizes and rates of calls, as EC2 limits them.
import { randomUUID } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type AwsCloud, awsCloud } from '../../support/aws-cloud.ts'
import { offering } from '../../support/cloud-pools.ts'
import { at } from '../../support/fake-ec2/query.ts'
import { FastClock } from '../../support/fast-clock.ts'

let cloud: AwsCloud
beforeEach(async () => {
  cloud = await awsCloud()
})
afterEach(() => cloud.dispose())

const one = [offering('g5.xlarge', { zone: 'subnet-a' })]
const two = [...one, offering('g5.2xlarge', { zone: 'subnet-a' })]
const called = (action: string) => cloud.ec2.calls.filter((call) => call.action === action)
const clockOf = (clock: FastClock) => ({
  now: () => clock.now(),
  sleep: (ms: number, signal?: AbortSignal) => clock.sleep(ms, signal),
})
const poolNamed = (pool: string) => ({ ...cloud.owner, pool })

describe('a launch of many instances', () => {
  it.each([
    ['RunInstances', one, ['MaxCount']],
    ['CreateFleet', two, ['TargetCapacitySpecification', 'TotalTargetCapacity']],
  ])('is sent as %s of at most 500, each with a token of its own', async (action, offerings, count) => {
    const provider = await cloud.open()
    const { instances, failures } = await provider.launch(cloud.order(1_200, offerings))
    expect(failures).toEqual([])
    expect(new Set(instances.map(({ id }) => id)).size).toBe(1_200)
    const calls = called(action)
    expect(calls.map(({ params }) => Number(at(params, ...count)))).toEqual([500, 500, 200])
    const tokens = calls.map(({ params }) => at(params, 'ClientToken'))
    expect(new Set(tokens).size).toBe(3)
    for (const token of tokens) expect(token).toMatch(/^[\x21-\x7e]{1,64}$/)
  })

  it('launches nothing more when it is sent again', async () => {
    const provider = await cloud.open()
    const order = cloud.order(1_200, one)
    const first = await provider.launch(order)
    const again = await provider.launch(order)
    const ids = ({ instances }: typeof first) => instances.map(({ id }) => id).sort()
    expect(ids(again)).toEqual(ids(first))
    expect(cloud.ec2.world.vms.size).toBe(1_200)
  })

  it('is complete although the response to one of its calls was lost', async () => {
    const provider = await cloud.open()
    cloud.ec2.faults.push({ action: 'RunInstances', kind: 'lose_reply', after: 1, times: 1 })
    const { instances, failures } = await provider.launch(cloud.order(1_200, one))
    expect(failures).toEqual([])
    expect(instances).toHaveLength(1_200)
    expect(cloud.ec2.world.vms.size).toBe(1_200)
  })

  it('sends no further call once EC2 has refused one, and keeps what was launched', async () => {
    const provider = await cloud.open()
    const code = 'InsufficientInstanceCapacity'
    cloud.ec2.faults.push({ action: 'RunInstances', kind: 'error', code, after: 1 })
    const { instances, failures } = await provider.launch(cloud.order(5_000, one))
    expect(instances).toHaveLength(500)
    expect(failures).toMatchObject([{ class: 'capacity', missing: 4_500 }])
    // Two were on their way at once; none of the other eight was sent.
    expect(called('RunInstances').length).toBeLessThanOrEqual(3)
  })
})

describe('pools of one region', () => {
  it('look an image up once, and again when it may have changed', async () => {
    const names = ['a', 'b', 'c', 'd']
    const pools = await Promise.all(names.map((name) => cloud.open({}, poolNamed(name))))
    const launchAll = () =>
      Promise.all(pools.map((pool, n) => pool.launch(cloud.order(1, one, poolNamed(names[n]!)))))
    await launchAll()
    expect(called('DescribeImages')).toHaveLength(1)
    await cloud.clock.sleep(601_000)
    await launchAll()
    expect(called('DescribeImages')).toHaveLength(2)
    const other = await cloud.open({ image: { id: 'ami-1' } }, poolNamed('e'))
    await other.launch(cloud.order(1, one, poolNamed('e')))
    expect(called('DescribeImages')).toHaveLength(3)
  })

  it('send a burst of launches at the rate that EC2 allows, so that none fails', async () => {
    // Ten times faster than EC2's buckets fill, so that the test takes seconds.
    Object.assign(cloud.clock, clockOf(new FastClock(10)))
    cloud.ec2.throttle()
    const names = Array.from({ length: 30 }, () => randomUUID())
    const pools = await Promise.all(names.map((name) => cloud.open({}, poolNamed(name))))
    const results = await Promise.all(
      pools.map((pool, n) => pool.launch(cloud.order(1, one, poolNamed(names[n]!)))),
    )
    for (const { failures } of results) expect(failures).toEqual([])
    // Hardly one was refused and repeated: on a busy machine calls arrive closer together than they were sent.
    expect(called('RunInstances').length).toBeLessThanOrEqual(36)
  })
})
