// The provider's data about the whole cluster, through the real SDK, also when AWS does not respond.
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { type AwsCloud, awsCloud } from '../../support/aws-cloud.ts'
import { offering } from '../../support/cloud-pools.ts'

let cloud: AwsCloud
beforeEach(async () => {
  cloud = await awsCloud()
})
afterEach(() => cloud.dispose())

const one = [offering('g5.xlarge', { zone: 'subnet-a' })]
const unknown = 'i-0123456789abcdef0'

describe('the account', () => {
  it('is that of the instances, without a call to STS', async () => {
    const provider = await cloud.open()
    const { instances } = await provider.launch(cloud.order(1, one))
    expect((await provider.find!(instances.map(({ id }) => id))).account).toBe('123456789012')
    expect(cloud.ec2.count('GetCallerIdentity')).toBe(0)
  })

  it.each([
    ['says nothing', { kind: 'hang' }],
    ['breaks off', { kind: 'drop' }],
    ['is a portal', { kind: 'body', body: '<html>Sign in</html>' }],
    ['is not there', { kind: 'html' }],
    ['refuses', { kind: 'error', code: 'InvalidClientTokenId', status: 403 }],
  ] as const)('is unknown, within seconds and after one call, when STS %s', async (_, fault) => {
    cloud.ec2.faults.push({ action: 'GetCallerIdentity', ...fault })
    const provider = await cloud.open()
    const started = performance.now()
    const found = await provider.find!([unknown])
    expect(performance.now() - started).toBeLessThan(6000)
    expect(found).toMatchObject({ instances: [], complete: true, problems: [] })
    expect(found.account).toBeUndefined()
    expect(cloud.ec2.count('GetCallerIdentity')).toBe(1)
  })

  it('is no longer requested once the query is aborted', async () => {
    cloud.ec2.faults.push({ action: 'GetCallerIdentity', kind: 'hang' })
    const provider = await cloud.open()
    const stop = new AbortController()
    const finding = provider.find!([], stop.signal)
    await expect.poll(() => cloud.ec2.count('GetCallerIdentity'), { timeout: 60_000 }).toBe(1)
    stop.abort(new Error('shutting down'))
    await expect(finding).rejects.toThrow('shutting down')
  })
})

it('is queried for ids in filters: hundreds of them in few calls, and an unknown one does not affect the others', async () => {
  const provider = await cloud.open()
  const { instances } = await provider.launch(cloud.order(250, one))
  const ids = [...instances.map(({ id }) => id), unknown]
  const found = await provider.find!(ids)
  expect(found).toMatchObject({ complete: true, problems: [] })
  expect(found.instances).toHaveLength(250)
  expect(cloud.ec2.count('DescribeInstances')).toBe(2)
})

describe('traces', () => {
  const fleets = {
    instance_types: [
      { type: 'g5.12xlarge', slots: 4 },
      { type: 'g4dn.12xlarge', slots: 4 },
    ],
  }

  it('are terminated instances', async () => {
    const provider = await cloud.open()
    const { instances } = await provider.launch(cloud.order(1, one))
    cloud.ec2.world.end(instances[0]!.id)
    expect(await provider.hasTraces!()).toBe(true)
  })

  it('are launch templates, if the pool may create them', async () => {
    const provider = await cloud.open(fleets)
    expect(await provider.hasTraces!()).toBe(false)
    await provider.launch(cloud.order(1))
    cloud.ec2.world.vms.clear()
    expect(await provider.hasTraces!()).toBe(true)
  })

  it('cannot be determined without permission to list launch templates', async () => {
    cloud.ec2.world.denied.add('DescribeLaunchTemplates')
    await expect((await cloud.open(fleets)).hasTraces!()).rejects.toThrow(/DescribeLaunchTemplates/)
    const plain = await cloud.open({ instance_types: [{ type: 'g5.xlarge', slots: 1 }] })
    expect(await plain.hasTraces!()).toBe(false)
  })
})

it('contains the region, also when the file sets none', async () => {
  vi.stubEnv('AWS_REGION', 'eu-west-1')
  expect((await cloud.open({ region: undefined })).location).toEqual({ region: 'eu-west-1' })
})
