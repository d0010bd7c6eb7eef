// The image that launches use now, and the image that each instance shows.
import { afterEach, beforeEach, expect, it } from 'vitest'
import { type AwsCloud, awsCloud, bothTypes } from '../../support/aws-cloud.ts'

let cloud: AwsCloud
beforeEach(async () => {
  cloud = await awsCloud()
})
afterEach(() => cloud.dispose())

it('is the one behind an SSM parameter, asked again after ten minutes', async () => {
  const provider = await cloud.open({ image: { ssm: '/agent/image' } })
  expect(await provider.newestImage!()).toBe('ami-2')
  cloud.ec2.world.parameters['/agent/image'] = 'ami-1'
  expect(await provider.newestImage!()).toBe('ami-2')
  await cloud.clock.sleep(600_000)
  expect(await provider.newestImage!()).toBe('ami-1')
})

it('is none where the configuration names one image', async () => {
  const provider = await cloud.open({ image: { id: 'ami-2' } })
  expect(await provider.newestImage!()).toBeUndefined()
})

it('of a cloud that does not answer is an error with its reason', async () => {
  const provider = await cloud.open({ image: { owner: 'amazon', name: 'No such image*' } })
  await expect(provider.newestImage!()).rejects.toThrow('not found in this region')
})

it('an instance shows its image and its subnet, from one call and from a fleet', async () => {
  const provider = await cloud.open({ image: { ssm: '/agent/image' } })
  await provider.launch(cloud.order(1, bothTypes.slice(0, 1)))
  await provider.launch(cloud.order(1, bothTypes))
  const { instances } = await provider.list()
  expect(instances.map(({ image, offeredZone }) => [image, offeredZone])).toEqual([
    ['ami-2', 'subnet-a'],
    ['ami-2', 'subnet-a'],
  ])
})
