// The image that launches use now: of a family it is asked for, and launches name it, where a newer one makes instances drifted.
import { afterEach, beforeEach, expect, it } from 'vitest'
import { buildRequest } from '../../../src/providers/gcp/request.ts'
import { gcpConfig, intentOf, master, owner } from '../../support/cloud-pools.ts'
import { bothTypes, type GcpCloud, gcpCloud } from '../../support/gcp-cloud.ts'

const family = 'projects/my-project/global/images/family/agent'
const latest = {
  boot_disk_source_image: family,
  rollout: { ...gcpConfig().rollout, images: 'latest' },
} as const

let cloud: GcpCloud
beforeEach(async () => {
  cloud = await gcpCloud()
})
afterEach(() => cloud.dispose())

const imageOf = ({ gce }: GcpCloud) => {
  const [call] = gce.calls.filter(({ action }) => action === 'bulkInsert').slice(-1)
  return JSON.stringify(call).match(/global\/images\/[\w/]+/)?.[0]
}

it('is the image of the family, asked again after ten minutes; launches name it, and their instances have it', async () => {
  const provider = await cloud.open(latest)
  expect(await provider.newestImage!()).toBe('projects/my-project/global/images/agent')
  Object.assign(cloud.gce.world.images, { newer: { diskSizeGb: '50', status: 'READY' } })
  cloud.gce.world.families['agent'] = 'newer'
  const { instances } = await provider.launch(cloud.order(2, bothTypes.slice(0, 1)))
  expect(instances.map(({ image }) => image)).toEqual(
    Array(2).fill('projects/my-project/global/images/agent'),
  )
  expect(imageOf(cloud)).toBe('global/images/agent')
  await cloud.clock.sleep(600_000)
  expect(await provider.newestImage!()).toBe('projects/my-project/global/images/newer')
  const { instances: later } = await provider.launch(cloud.order(1, bothTypes.slice(0, 1)))
  expect(later.map(({ image }) => image)).toEqual(['projects/my-project/global/images/newer'])
  expect(imageOf(cloud)).toBe('global/images/newer')
})

it('is left to Compute Engine while images are pinned', async () => {
  const provider = await cloud.open({ boot_disk_source_image: family })
  const { instances } = await provider.launch(cloud.order(1, bothTypes.slice(0, 1)))
  expect(instances.map(({ image }) => image)).toEqual([undefined])
  expect(imageOf(cloud)).toBe('global/images/family/agent')
  expect(cloud.gce.count('image')).toBe(0)
})

it('is none where the configuration names one image, or none', async () => {
  for (const image of ['projects/my-project/global/images/agent', '']) {
    const provider = await cloud.open({ ...latest, boot_disk_source_image: image })
    expect(await provider.newestImage!()).toBeUndefined()
  }
})

it('an unknown family fails the launch and the question, with its reason', async () => {
  const provider = await cloud.open({ ...latest, boot_disk_source_image: family.replace('agent', 'gone') })
  await expect(provider.newestImage!()).rejects.toThrow(/gone/)
  const { instances, failures } = await provider.launch(cloud.order(1, bothTypes.slice(0, 1)))
  expect(instances).toEqual([])
  expect(failures.map(({ problem }) => problem.message)).toEqual([expect.stringContaining('gone')])
})

it('is a placeholder in a dry run, as everything that only the cloud knows', () => {
  const config = gcpConfig(latest)
  const input = { config, owner, setup: { master }, intent: intentOf(bothTypes.slice(0, 1)) }
  const { body, problems } = buildRequest(input)
  expect(JSON.stringify(body)).toContain(`<newest image of ${family}>`)
  expect(problems.map(({ message }) => message).join()).toContain('image <newest image of')
})
