// Keys that Determined's provisioner does not have: GCE spot, and the hop limit of the metadata service.
import { describe, expect, it } from 'vitest'
import { parseConfig } from '../../support/config.ts'

function provider(lines: string[]) {
  const text = [
    'resource_pools:',
    '  - pool_name: p',
    '    provider:',
    ...lines.map((line) => `      ${line}`),
  ].join('\n')
  const { config, problems } = parseConfig(text, 'master.yaml')
  return { provider: config?.resource_pools[0]?.provider, codes: problems.map(({ code }) => code) }
}

const gcp = [
  'type: gcp',
  'master_url: http://master:8080',
  'boot_disk_source_image: projects/p/global/images/i',
]
const aws = ['type: aws', 'master_url: http://master:8080', 'image_id: ami-1']

describe('spot on GCP', () => {
  it.each([
    [[], { enabled: false, fallback: 'none' }],
    [['spot: true'], { enabled: true, fallback: 'none' }],
    [['spot: {fallback: on_demand}'], { enabled: true, fallback: 'on_demand' }],
    [['spot: {enabled: false, fallback: on_demand}'], { enabled: false, fallback: 'on_demand' }],
    [['instance_type: {preemptible: true}'], { enabled: true, fallback: 'none' }],
  ])('%j', (lines, spot) => {
    expect(provider([...gcp, ...lines]).provider).toMatchObject({ spot })
  })

  it('has no maximum price', () => {
    expect(provider([...gcp, 'spot: {max_price: "1"}']).codes).toContain('CONFIG_UNKNOWN_KEY')
  })
})

describe('metadata_hop_limit', () => {
  it("is 2 as in Determined's provisioner, or the value of the file", () => {
    expect(provider(aws).provider).toMatchObject({ metadata_hop_limit: 2 })
    expect(provider([...aws, 'metadata_hop_limit: 1']).provider).toMatchObject({ metadata_hop_limit: 1 })
  })

  it('is at least 1', () => {
    expect(provider([...aws, 'metadata_hop_limit: 0']).provider).toBeUndefined()
  })
})
