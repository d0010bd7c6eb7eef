// A response with status 200 is not trusted by itself: if it is not EC2's response to the call, it proves nothing.
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Offering } from '../../../src/planner/snapshot.ts'
import { type AwsCloud, awsCloud, bothTypes } from '../../support/aws-cloud.ts'
import { offering } from '../../support/cloud-pools.ts'

let cloud: AwsCloud
beforeEach(async () => {
  cloud = await awsCloud()
})
afterEach(() => cloud.dispose())

const one = [offering('g5.xlarge', { zone: 'subnet-a' })]
const spot = one.map((each): Offering => ({ ...each, capacityType: 'spot' }))

/** Bodies that another server may send in EC2's place, and how each is reported. */
const foreign = (action: string, list?: string): [string, string][] => [
  ['', 'an empty body'],
  [' \n', 'an empty body'],
  ['<!DOCTYPE html>\n<html><body>Sign in</body></html>', 'an HTML page'],
  ['<HTML><HEAD/></HTML>', 'an HTML page'],
  ['<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml"/>', 'an HTML page'],
  ['{"Reservations": []}', 'JSON'],
  ['[]', 'JSON'],
  ['OK', 'a body that is not XML'],
  ['<ListBucketResult><Name>x</Name></ListBucketResult>', `XML that is not a ${action}Response`],
  [`<${action}Result><requestId>r</requestId></${action}Result>`, `XML that is not a ${action}Response`],
  [`<${action}Response><requestId>r</requestId>`, `a truncated ${action}Response`],
  [`<${action}Response/>`, list ? `a ${action}Response without a ${list}` : `a truncated ${action}Response`],
]

describe.each(foreign('DescribeInstances', 'reservationSet'))(
  'a listing with the response %j',
  (body, told) => {
    it('is incomplete, with the reason, and nothing is terminated because of it', async () => {
      const provider = await cloud.open()
      const { instances } = await provider.launch(cloud.order(1, one))
      const ids = instances.map(({ id }) => id)
      cloud.ec2.faults.push({ action: 'DescribeInstances', kind: 'body', body })
      for (const listing of [await provider.list(), await provider.find!(ids)]) {
        expect(listing).toMatchObject({ instances: [], complete: false })
        expect(listing.problems).toMatchObject([{ code: 'PROVIDER_TRANSIENT' }])
        expect(listing.problems[0]!.message).toContain(`with ${told}`)
        expect(listing.problems[0]!.remedy).toContain('AWS_ENDPOINT_URL')
      }
      await expect(provider.hasTraces!()).rejects.toThrow(told)
      expect(await provider.terminate(ids)).toMatchObject({
        terminated: [],
        failures: [{ id: ids[0], class: 'transient' }],
      })
    }, 240_000)
  },
)

it.each([
  ['a DescribeInstancesResponse without a reservationSet', '<requestId>r</requestId>'],
  ['a DescribeInstancesResponse without a request id', '<reservationSet/>'],
])('a listing answered with %s is incomplete', async (told, inside) => {
  const body = `<DescribeInstancesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">${inside}</DescribeInstancesResponse>`
  cloud.ec2.faults.push({ action: 'DescribeInstances', kind: 'body', body })
  const listing = await (await cloud.open()).list()
  expect(listing.complete).toBe(false)
  expect(listing.problems[0]!.message).toContain(told)
})

it('an empty listing of EC2 is complete', async () => {
  const body =
    '<?xml version="1.0" encoding="UTF-8"?>\n<DescribeInstancesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">\n<requestId>r</requestId>\n<reservationSet/>\n</DescribeInstancesResponse>\n'
  cloud.ec2.faults.push({ action: 'DescribeInstances', kind: 'body', body })
  expect(await (await cloud.open()).list()).toMatchObject({ instances: [], complete: true, problems: [] })
})

it.each([
  ['RunInstances', one],
  ['CreateFleet', bothTypes],
] as const)('a launch by %s answered with something else is replayed under its token', async (action, of) => {
  for (const [body] of foreign(action)) {
    cloud.ec2.faults.splice(0, cloud.ec2.faults.length, { action, kind: 'body', body, times: 1 })
    const result = await (await cloud.open()).launch(cloud.order(1, [...of]))
    expect(result).toMatchObject({ failures: [], instances: [{}] })
  }
  cloud.ec2.faults.splice(0, cloud.ec2.faults.length, { action, kind: 'body', body: '<html/>' })
  const result = await (await cloud.open()).launch(cloud.order(2, [...of]))
  expect(result).toMatchObject({ instances: [], failures: [{ class: 'transient', missing: 2 }] })
  expect(result.failures[0]!.problem.message).toContain('with an HTML page')
})

it.each(['RunInstances', 'CreateFleet'])(
  'a truncated response to %s causes no second launch',
  async (action) => {
    cloud.ec2.faults.push({ action, kind: 'cut', times: 1 })
    const order = cloud.order(2, action === 'RunInstances' ? one : bothTypes)
    const result = await (await cloud.open()).launch(order)
    expect(result).toMatchObject({ failures: [], instances: [{}, {}] })
    expect(cloud.ec2.world.vms.size).toBe(2)
  },
)

it.each([403, 404, 503])('a page with status %i does not count as a refusal', async (status) => {
  cloud.ec2.faults.push({ action: 'RunInstances', kind: 'body', body: '<html>blocked</html>', status })
  const { failures } = await (await cloud.open()).launch(cloud.order(1, one))
  expect(failures).toMatchObject([{ class: 'transient' }])
  expect(failures[0]!.problem.message).toContain(`HTTP ${status} with an HTML page`)
})

it('another response to the query for spot notices is reported', async () => {
  const provider = await cloud.open({ spot: { enabled: true, fallback: 'none' } })
  await provider.launch(cloud.order(1, spot))
  cloud.ec2.faults.push({ action: 'DescribeSpotInstanceRequests', kind: 'body', body: '' })
  const listing = await provider.list()
  expect(listing.instances).toHaveLength(1)
  expect(listing.problems).toMatchObject([{ code: 'PROVIDER_TRANSIENT' }])
})

describe('terminating', () => {
  it('an instance that no listing shows is terminated by EC2, which may know it', async () => {
    const provider = await cloud.open()
    const { instances } = await provider.launch(cloud.order(1, one))
    const [id] = instances.map((each) => each.id)
    const later = await cloud.open()
    cloud.ec2.world.vms.get(id!)!.unlisted = true
    expect(await later.terminate([id!])).toEqual({ terminated: [id], failures: [] })
    expect(cloud.ec2.world.vms.get(id!)!.state).toBe('shutting-down')
  })

  it('an id that EC2 does not know counts as terminated after one call each', async () => {
    const ids = [7, 8, 9].map((digit) => `i-${String(digit).repeat(17)}`)
    const provider = await cloud.open()
    expect(await provider.terminate(ids)).toMatchObject({ failures: [] })
    expect(cloud.ec2.count('TerminateInstances')).toBe(3)
  })

  it('one that was launched a moment ago and is unknown to EC2 is retried later', async () => {
    cloud.ec2.world.hideNewVms = true
    const provider = await cloud.open()
    const { instances } = await provider.launch(cloud.order(1, one))
    const result = await provider.terminate(instances.map(({ id }) => id))
    expect(result).toMatchObject({ terminated: [], failures: [{ class: 'transient' }] })
  })

  it.each(foreign('TerminateInstances'))(
    'with the response %j does not count as done',
    async (body) => {
      const provider = await cloud.open()
      const { instances } = await provider.launch(cloud.order(1, one))
      cloud.ec2.faults.push({ action: 'TerminateInstances', kind: 'body', body })
      const result = await provider.terminate(instances.map(({ id }) => id))
      expect(result).toMatchObject({ terminated: [], failures: [{ class: 'transient' }] })
    },
    60_000,
  )
})
