import { describe, expect, it } from 'vitest'
import type { ProviderConfig } from '../../../src/config/provider-keys.ts'
import { offeringKey } from '../../../src/planner/snapshot.ts'
import type { AwsConfig } from '../../../src/providers/aws/rules.ts'
import { definitionOf } from '../../../src/providers/definition.ts'
import type { GcpConfig } from '../../../src/providers/gcp/rules.ts'
import { builtInProviders } from '../../../src/providers/index.ts'
import type { LocalConfig } from '../../../src/providers/local/request.ts'

const aws = {
  type: 'aws',
  instance_types: [
    { type: 'p3.2xlarge', slots: 1 },
    { type: 'g5.12xlarge', slots: 4 },
  ],
  subnet_ids: ['subnet-a', 'subnet-b'],
  network_interface: { public_ip: true, subnet_id: '', security_group_id: '' },
  spot: { enabled: true, fallback: 'on_demand' },
} as unknown as AwsConfig

const offeringsOf = (config: ProviderConfig) => definitionOf(builtInProviders, config).offerings(config)
const keys = (config: ProviderConfig) => offeringsOf(config).map(offeringKey)

describe('offerings', () => {
  it('try spot before its fallback, and types before zones', () => {
    expect(keys(aws)).toEqual([
      'spot/p3.2xlarge/subnet-a',
      'spot/p3.2xlarge/subnet-b',
      'spot/g5.12xlarge/subnet-a',
      'spot/g5.12xlarge/subnet-b',
      'on_demand/p3.2xlarge/subnet-a',
      'on_demand/p3.2xlarge/subnet-b',
      'on_demand/g5.12xlarge/subnet-a',
      'on_demand/g5.12xlarge/subnet-b',
    ])
  })

  it('never buy on demand when the pool allows only spot', () => {
    const only = { ...aws, subnet_ids: [], spot: { enabled: true, fallback: 'none' } } as AwsConfig
    expect(keys(only)).toEqual(['spot/p3.2xlarge/any', 'spot/g5.12xlarge/any'])
  })

  it('keep the subnet of the network interface when no list is given', () => {
    const one = {
      ...aws,
      subnet_ids: [],
      network_interface: { ...aws.network_interface, subnet_id: 'subnet-z' },
      spot: { enabled: false, fallback: 'none' },
    } as AwsConfig
    expect(keys(one)).toEqual(['on_demand/p3.2xlarge/subnet-z', 'on_demand/g5.12xlarge/subnet-z'])
  })

  it('use the zones on GCP, also there with spot before its fallback', () => {
    const gcp = {
      type: 'gcp',
      instance_types: [{ type: 'g2-standard-4', slots: 1 }],
      zones: ['us-central1-a', 'us-central1-b'],
      spot: { enabled: true, fallback: 'on_demand' },
    } as unknown as GcpConfig
    expect(keys(gcp)).toEqual([
      'spot/g2-standard-4/us-central1-a',
      'spot/g2-standard-4/us-central1-b',
      'on_demand/g2-standard-4/us-central1-a',
      'on_demand/g2-standard-4/us-central1-b',
    ])
  })

  it('have one slot if CPU slots are allowed, otherwise none, on machines without accelerators', () => {
    const cpu = { ...aws, instance_types: [{ type: 'm5.large', slots: 0 }], subnet_ids: [] } as AwsConfig
    const slots = (config: AwsConfig) => new Set(offeringsOf(config).map((offering) => offering.slots))
    expect(slots({ ...cpu, cpu_slots_allowed: true })).toEqual(new Set([1]))
    expect(slots({ ...cpu, cpu_slots_allowed: false })).toEqual(new Set([0]))
  })

  it('are a single one for this machine', () => {
    expect(keys({ type: 'local', slots: 2 } as LocalConfig)).toEqual(['on_demand/local/any'])
  })
})
