// The digests of pools that never change. If one does, journals of earlier versions have other digests: raise
// `generationVersion` (src/rollout/generation.ts) and let this test write files for the new version, or every instance drifts with the upgrade.
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { generationVersion } from '../../src/rollout/generation.ts'
import { type LaunchFolder, launchedOf, launchFolder } from '../support/launched.ts'

let folder: LaunchFolder
beforeAll(async () => {
  folder = await launchFolder()
})
afterAll(() => folder.dispose())

const plain = { security: {} }
const pools: Record<string, object> = {
  'aws-smallest': { type: 'aws', master_url: 'http://10.0.0.5:8080', image: { id: 'ami-0123456789abcdef0' } },
  'aws-full': {
    type: 'aws',
    master_url: 'http://10.0.0.5:8080',
    image: { ssm: '/an/image' },
    instance_types: ['g5.xlarge', 'g6.xlarge'],
    subnet_ids: ['subnet-a', 'subnet-b'],
    network_interface: { public_ip: false, security_group_ids: ['sg-1', 'sg-2'] },
    spot: { enabled: true, fallback: 'on_demand', max_price: '1.5' },
    capacity: { reservation: 'cr-0123456789abcdef0' },
    base_config: { EbsOptimized: true },
    volume: { size: 300, iops: 4000 },
    tag_value: 'me',
    custom_tags: [{ key: 'team', value: 'a' }],
    log_group: 'agents',
    startup_script: 'mount /data\n',
    agent_config_file_contents: { log: { level: 'debug' } },
  },
  'gcp-smallest': {
    type: 'gcp',
    master_url: 'http://10.0.0.5:8080',
    project: 'p',
    zone: 'us-central1-a',
    boot_disk_source_image: 'projects/p/global/images/family/f',
  },
  'gcp-full': {
    type: 'gcp',
    master_url: 'http://10.0.0.5:8080',
    project: 'p',
    zones: ['us-central1-a', 'us-central1-b'],
    boot_disk_source_image: 'projects/p/global/images/i',
    instance_type: { machine_type: 'n1-standard-8', gpu_type: 'nvidia-tesla-t4', gpu_num: 1 },
    labels: { team: 'a' },
    name_prefix: 'agent-',
    network_tags: ['agent'],
    service_account: { email: 'a@p.iam.gserviceaccount.com' },
    capacity: { reservation: 'one' },
    use_cloud_logging: true,
  },
  local: { type: 'local', master_url: 'http://10.0.0.5:8080' },
}
const fileOf = (name: string) => join(import.meta.dirname, 'generations', `${generationVersion}-${name}.json`)

it.each(Object.entries(pools))('%s', async (name, provider) => {
  const { generation } = await launchedOf(folder, provider, plain)
  const file = fileOf(name)
  // Only for a version that has no files yet: no option of the test runner rewrites them.
  if (!existsSync(file)) writeFileSync(file, `${JSON.stringify(generation, undefined, 2)}\n`)
  expect(generation).toEqual(JSON.parse(readFileSync(file, 'utf8')))
})

it('every file belongs to a pool of this version', () => {
  const wanted = Object.keys(pools).map((name) => `${generationVersion}-${name}.json`)
  expect(readdirSync(join(import.meta.dirname, 'generations')).sort()).toEqual(wanted.sort())
})
