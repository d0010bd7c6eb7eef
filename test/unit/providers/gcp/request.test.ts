// The requests of a Compute Engine launch, rule by rule. Whole requests are in test/golden/requests.
import { describe, expect, it } from 'vitest'
import type { Offering } from '../../../../src/planner/snapshot.ts'
import type { GcpFacts } from '../../../../src/providers/gcp/properties.ts'
import { gcpLaunch } from '../../../../src/providers/gcp/request.ts'
import type { GcpConfig } from '../../../../src/providers/gcp/rules.ts'
import { gcpConfig, intentOf, master, offering, owner } from '../../../support/cloud-pools.ts'
import { misfits } from '../../../support/compute-descriptor.ts'

const n1 = offering('n1-standard-8')

function launch(
  more: Partial<GcpConfig> = {},
  offerings: Offering[] = [n1],
  facts: GcpFacts = {},
  count = 3,
) {
  const input = { config: gcpConfig(more), owner, setup: { master }, intent: intentOf(offerings, count) }
  return gcpLaunch(input, facts)
}

function resource(...args: Parameters<typeof launch>) {
  return launch(...args).steps[0]!.request.bulkInsertInstanceResourceResource
}

function zones(...names: string[]): Offering[] {
  return names.map((zone) => ({ ...n1, zone }))
}

describe('the calls of a launch', () => {
  it('one zone: a zonal call', () => {
    expect(launch({}, zones('europe-west4-b')).steps).toMatchObject([
      { call: 'instances.bulkInsert', request: { project: 'my-project', zone: 'europe-west4-b' } },
    ])
  })

  it('several zones: one regional call that may use any of them, and no other', () => {
    const facts = { zones: ['us-central1-a', 'us-central1-b', 'us-central1-f', 'us-east1-b'] }
    const { steps } = launch({}, zones('us-central1-a', 'us-central1-b'), facts)
    expect(steps).toMatchObject([{ call: 'regionInstances.bulkInsert', request: { region: 'us-central1' } }])
    expect(steps[0]!.request.bulkInsertInstanceResourceResource.locationPolicy).toEqual({
      targetShape: 'ANY',
      locations: {
        'zones/us-central1-a': { preference: 'ALLOW' },
        'zones/us-central1-b': { preference: 'ALLOW' },
        'zones/us-central1-f': { preference: 'DENY' },
      },
    })
  })

  it('zones of two regions, types, and capacity types: one call each, in the order of preference', () => {
    const offerings = [
      ...zones('us-central1-a', 'us-east1-b'),
      offering('g2-standard-8', { zone: 'us-central1-a' }),
      offering('g2-standard-8', { zone: 'us-central1-a', capacityType: 'spot' }),
    ]
    const made = launch({ spot: { enabled: true, fallback: 'on_demand' } }, offerings).steps.map((step) => {
      const { machineType, scheduling } = step.request.bulkInsertInstanceResourceResource.instanceProperties
      return [machineType, step.offerings[0]!.zone, scheduling?.provisioningModel]
    })
    expect(made).toEqual([
      ['n1-standard-8', 'us-central1-a', undefined],
      ['n1-standard-8', 'us-east1-b', undefined],
      ['g2-standard-8', 'us-central1-a', undefined],
      ['g2-standard-8', 'us-central1-a', 'SPOT'],
    ])
  })

  it('have ids and names derived from the intent: a repeated call conflicts, another step or intent does not', () => {
    const offerings = [n1, offering('g2-standard-8')]
    const { steps } = launch({}, offerings)
    expect(launch({}, offerings).steps).toEqual(steps)
    expect(new Set(steps.flatMap(({ names }) => names)).size).toBe(6)
    expect(new Set(steps.map(({ request }) => request.requestId)).size).toBe(2)
    const other = gcpLaunch({
      config: gcpConfig(),
      owner,
      setup: { master },
      intent: intentOf([n1], 3, 'other'),
    })
    expect(other.steps[0]!.names).not.toEqual(steps[0]!.names)
    expect(other.steps[0]!.request.requestId).not.toBe(steps[0]!.request.requestId)
  })

  it('name each VM and request at most 5,000 at once, at least one', () => {
    const { count, minCount, perInstanceProperties } = resource({}, [n1], {}, 6000)
    expect({ count, minCount, names: Object.keys(perInstanceProperties).length }).toEqual({
      count: 5000,
      minCount: 1,
      names: 5000,
    })
  })

  it('are as many as needed, with each VM named once', () => {
    const { steps } = launch({}, [n1], {}, 12_000)
    expect(steps.map(({ names }) => names.length)).toEqual([5000, 5000, 2000])
    expect(new Set(steps.flatMap(({ names }) => names)).size).toBe(12_000)
    expect(new Set(steps.map(({ request }) => request.requestId)).size).toBe(3)
  })

  it('give names of at most 63 characters, whatever the prefix', () => {
    const { names } = launch({ name_prefix: 'p'.repeat(100) }, [n1], {}, 5000).steps[0]!
    expect(Math.max(...names.map((name) => name.length))).toBeLessThanOrEqual(63)
    expect(new Set(names).size).toBe(5000)
    for (const name of names.slice(0, 3)) expect(name).toMatch(/^[a-z]([-a-z0-9]*[a-z0-9])?$/)
  })

  it.each(['Det-', '1det', 'det_', 'dét'])('refuse the prefix %s', (name_prefix) => {
    expect(launch({ name_prefix }).problems).toMatchObject([{ code: 'REQUEST_NAME_REFUSED' }])
  })
})

describe('values that only Google Cloud knows', () => {
  it('are named in one warning, and have placeholders', () => {
    const unknown = { project: undefined, zone: undefined, label_value: undefined, name_prefix: undefined }
    const { steps, problems } = launch(unknown)
    expect(problems).toMatchObject([{ code: 'REQUEST_UNKNOWN_OFFLINE', severity: 'warning' }])
    expect(problems[0]!.details!['unknown']).toHaveLength(3)
    expect(steps[0]!.request).toMatchObject({
      project: expect.stringMatching(/^</),
      zone: expect.stringMatching(/^</),
    })
  })

  it('are not warned about once they are known', () => {
    const unknown = { project: undefined, zone: undefined, label_value: undefined, name_prefix: undefined }
    const facts = { project: 'p', zone: 'us-east1-b', identity: 'master-1', startupScript: '#!/bin/bash\n' }
    const { steps, problems } = launch(unknown, [n1], facts)
    expect(problems).toEqual([])
    expect(JSON.stringify(steps)).not.toContain('<')
    expect(steps[0]!.names[0]).toMatch(/^master-1-[a-z2-7]{12}-0$/)
    expect(steps[0]!.request).toMatchObject({ project: 'p', zone: 'us-east1-b' })
    expect(resource(unknown, [n1], facts).instanceProperties.labels).toMatchObject({
      'managed-by': 'master-1',
    })
  })
})

describe('every field', () => {
  const offerings = [
    ...zones('us-central1-a', 'us-central1-b'),
    offering('g2-standard-8', { capacityType: 'spot' }),
  ]
  const full: Partial<GcpConfig> = {
    spot: { enabled: true, fallback: 'on_demand' },
    network_interface: { network: 'n', subnetwork: 's', external_ip: true },
    network_tags: ['t'],
    service_account: { email: 'e', scopes: ['s'] },
    base_config: {
      scheduling: { maxRunDuration: { seconds: 3600 } },
      disks: [{ type: 'SCRATCH', interface: 'NVME' }],
    },
  }

  it("is one of the client's own, with a value of its enums", () => {
    const { steps } = launch(full, offerings, { zones: ['us-central1-c'] })
    const found = steps.flatMap(({ call, request }) =>
      misfits(
        call === 'instances.bulkInsert' ? 'BulkInsertInstanceRequest' : 'BulkInsertRegionInstanceRequest',
        request,
      ),
    )
    expect(found).toEqual([])
  })

  it('would be detected otherwise', () => {
    expect(misfits('Scheduling', { onHostMaintenence: 'TERMINATE' })).toHaveLength(1)
    expect(misfits('Scheduling', { onHostMaintenance: 'STOP' })).toHaveLength(1)
    expect(misfits('InstanceProperties', { disks: [{ boot: 'yes' }] })).toHaveLength(1)
  })

  it('of base_config is known', () => {
    expect(launch({ base_config: { min_cpu_platform: 'Intel Skylake' } }).problems).toMatchObject([
      { code: 'REQUEST_BASE_CONFIG', message: expect.stringContaining('base_config.min_cpu_platform') },
    ])
  })
})
