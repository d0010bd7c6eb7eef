// Launches through Google's client: the requests that Compute Engine gets, and the results of its responses.
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Offering } from '../../../src/planner/snapshot.ts'
import type { LaunchResult } from '../../../src/providers/contract.ts'
import { gcpLaunch } from '../../../src/providers/gcp/request.ts'
import { userDataOf } from '../../support/aws-cloud.ts'
import { gcpConfig, master, offering } from '../../support/cloud-pools.ts'
import { bothTypes, type GcpCloud, gcpCloud, inZones, zone, zones } from '../../support/gcp-cloud.ts'

let cloud: GcpCloud
beforeEach(async () => {
  cloud = await gcpCloud()
})
afterEach(() => cloud.dispose())

const one = [offering('g2-standard-8', { zone })]
const spot = { enabled: true, fallback: 'on_demand' } as const
const spotAndFallback: Offering[] = [{ ...one[0]!, capacityType: 'spot' }, ...one]

const vms = () => [...cloud.gce.world.vms.values()]
const sent = () => cloud.gce.calls.filter(({ action }) => action === 'bulkInsert')
const classes = ({ failures }: LaunchResult) => failures.map((failure) => failure.class)

describe('the request to Compute Engine', () => {
  it('contains the user data byte for byte, every label, and the exact values as metadata', async () => {
    const provider = await cloud.open({ labels: { team: 'research' } })
    const order = cloud.order(1, one)
    order.userData = userDataOf('#!/bin/bash\necho "ä $(date) `id` {{x}} + %2B"\n')
    await provider.launch(order)
    const [vm] = vms()
    expect(vm!.metadata).toEqual({
      'startup-script': order.userData.script,
      'determined-master-address': 'master.example.com:8443',
      'agent-provisioner-cluster': cloud.owner.clusterId,
      'agent-provisioner-pool': 'GPU pool',
      'agent-provisioner-writer': cloud.owner.writerId,
      'agent-provisioner-intent': order.intent.id,
    })
    expect(vm!.labels).toEqual({
      team: 'research',
      'managed-by': 'determined-ai-determined',
      'determined-resource-pool': '_47_50_55_20pool',
      'determined-master-host': 'master-example-com',
      'determined-master-port': '8443',
      'agent-provisioner-cluster': cloud.owner.clusterId,
      'agent-provisioner-pool': '_47_50_55_20pool',
      'agent-provisioner-writer': cloud.owner.writerId,
      'agent-provisioner-intent': order.intent.id,
    })
  })

  it('is the same as in a dry run, with the placeholders filled in', async () => {
    const order = cloud.order(2, one)
    await (await cloud.open()).launch(order)
    const input = { config: gcpConfig(), owner: cloud.owner, setup: { master } }
    const { request } = gcpLaunch({ ...input, intent: order.intent }).steps[0]!
    const shown = JSON.stringify(request.bulkInsertInstanceResourceResource).replace(
      '"<user data>"',
      JSON.stringify(order.userData.script),
    )
    // The client writes 64-bit numbers as strings, and empty maps where there is nothing.
    expect(leaves(sent()[0]!.body).sort()).toEqual(leaves(JSON.parse(shown)).sort())
    expect(sent()[0]!.query.get('requestId')).toBe(request.requestId)
  })

  it('keeps the fields of base_config beside our keys', async () => {
    const base_config = {
      minCpuPlatform: 'Intel Cascade Lake',
      scheduling: { maxRunDuration: { seconds: '3600' } },
      shieldedInstanceConfig: { enableVtpm: true },
      labels: { cost: 'a1' },
    }
    await (await cloud.open({ base_config })).launch(cloud.order(1, one))
    expect(sent()[0]!.body['instanceProperties']).toMatchObject(base_config)
  })

  it("has the token of this machine's account", async () => {
    await (await cloud.open()).launch(cloud.order(1, one))
    expect(new Set(cloud.gce.calls.map(({ authorization }) => authorization))).toEqual(
      new Set(['Bearer token-of-the-vm']),
    )
  })

  it('is one call for a thousand VMs', async () => {
    const result = await (await cloud.open()).launch(cloud.order(1000, one))
    expect(result.instances).toHaveLength(1000)
    expect(sent()).toHaveLength(1)
  })
})

describe("the metadata of the master's VM", () => {
  it("fills in the project, the zone, the label and the names, as Determined's provisioner does", async () => {
    Object.assign(cloud.metadata.values, {
      'project/project-id': 'my-project',
      'instance/name': 'the-master-of-this-cluster-in-a-long-word',
      'instance/zone': 'projects/1/zones/us-central1-b',
    })
    const unknown = { project: undefined, zone: undefined, label_value: undefined, name_prefix: undefined }
    const { instances } = await (await cloud.open(unknown)).launch(
      cloud.order(1, [offering('g2-standard-8')]),
    )
    const [vm] = vms()
    expect(vm).toMatchObject({
      zone: 'us-central1-b',
      labels: { 'managed-by': 'the-master-of-this-cluster-in' },
    })
    expect(instances).toMatchObject([{ zone: 'us-central1-b' }])
    expect(vm!.name).toMatch(/^the-master-of-this-cluster-in-[a-z2-7]{12}-0$/)
  })

  it.each(['project', 'zone'])('is reported if it is missing: %s', async (key) => {
    const opened = cloud.open({ [key]: undefined })
    await expect(opened).rejects.toMatchObject({ code: 'PROVIDER_CONFIG' })
    await expect(opened).rejects.toThrow(`no Google Cloud ${key} is known`)
  })
})

describe('several zones', () => {
  it('are one call; zones of the region that are not named are denied, and queried once', async () => {
    const provider = await cloud.open({ zones })
    await provider.launch(cloud.order(2, inZones))
    await provider.launch(cloud.order(2, inZones))
    expect(sent()[0]!.body['locationPolicy']).toEqual({
      targetShape: 'ANY',
      locations: {
        'zones/us-central1-a': { preference: 'ALLOW' },
        'zones/us-central1-b': { preference: 'ALLOW' },
        'zones/us-central1-c': { preference: 'ALLOW' },
        'zones/us-central1-f': { preference: 'DENY' },
      },
    })
    expect(cloud.gce.count('region')).toBe(1)
  })

  it('two of three without capacity: the third is used, in the same call, and nothing is refused', async () => {
    for (const empty of zones.slice(0, 2)) cloud.gce.world.stock.set(`on_demand/g2-standard-8/${empty}`, 0)
    const result = await (await cloud.open({ zones })).launch(cloud.order(3, inZones))
    expect(result.failures).toEqual([])
    expect(result.instances.map((instance) => instance.zone)).toEqual(Array(3).fill('us-central1-c'))
    expect(cloud.gce.calls.map(({ action }) => action)).toEqual(['region', 'bulkInsert', 'wait', 'list'])
  })

  it('all without capacity except for one VM: the VM, and a refusal that names the zone', async () => {
    for (const short of zones) cloud.gce.world.stock.set(`on_demand/g2-standard-8/${short}`, 0)
    cloud.gce.world.stock.set('on_demand/g2-standard-8/us-central1-a', 1)
    const result = await (await cloud.open({ zones })).launch(cloud.order(3, inZones))
    expect(result.instances).toMatchObject([{ zone: 'us-central1-a' }])
    expect(result.failures).toMatchObject([
      {
        class: 'capacity',
        missing: 2,
        offering: { zone: 'us-central1-c' },
        problem: { code: 'PROVIDER_CAPACITY' },
      },
    ])
  })
})

describe('when capacity is missing', () => {
  it('insufficient capacity during the operation is handled like one at once, and requested only once', async () => {
    cloud.gce.world.stock.set('on_demand/g2-standard-8/us-central1-a', 0)
    const result = await (await cloud.open()).launch(cloud.order(5, one))
    expect(result).toMatchObject({
      instances: [],
      failures: [{ class: 'capacity', offering: one[0], missing: 5 }],
    })
    expect(result.failures[0]!.problem.message).toContain('does not have enough resources')
    expect(sent()).toHaveLength(1)
  })

  it('the remaining VMs are launched on demand after spot', async () => {
    cloud.gce.world.stock.set('spot/g2-standard-8/us-central1-a', 2)
    const result = await (await cloud.open({ spot })).launch(cloud.order(5, spotAndFallback))
    expect(result.instances.map(({ capacityType }) => capacityType).sort()).toEqual([
      'on_demand',
      'on_demand',
      'on_demand',
      'spot',
      'spot',
    ])
    expect(result.failures).toMatchObject([{ class: 'capacity', missing: 0 }])
  })

  it('the next machine type is used for the rest', async () => {
    cloud.gce.world.stock.set(`on_demand/g2-standard-48/${zone}`, 1)
    const result = await (await cloud.open()).launch(cloud.order(3))
    expect(result.instances.map(({ instanceType }) => instanceType).sort()).toEqual([
      'a2-highgpu-4g',
      'a2-highgpu-4g',
      'g2-standard-48',
    ])
    expect(result.failures).toMatchObject([{ class: 'capacity', offering: bothTypes[0], missing: 0 }])
  })

  it.each([
    ['while the operation runs', undefined],
    ['at once', "Quota 'NVIDIA_L4_GPUS' exceeded.  Limit: 0.0 in region us-central1."],
  ])('a quota says which one, %s', async (_, message) => {
    if (message)
      cloud.gce.faults.push({
        action: 'bulkInsert',
        kind: 'error',
        reason: 'quotaExceeded',
        status: 403,
        message,
      })
    else cloud.gce.world.quota = { on_demand: 1 }
    const result = await (await cloud.open()).launch(cloud.order(3, one))
    expect(classes(result)).toEqual(['quota'])
    expect(result.instances.length + result.failures[0]!.missing).toBe(3)
    expect(result.failures[0]!.problem).toMatchObject({ code: 'PROVIDER_QUOTA' })
    expect(result.failures[0]!.problem.message).toContain("Quota 'NVIDIA_L4_GPUS' exceeded")
  })

  it('a quota applies to the region: no zone is used', async () => {
    cloud.gce.world.quota = { on_demand: 1 }
    const result = await (await cloud.open({ zones })).launch(cloud.order(3, inZones))
    expect(result.instances).toHaveLength(1)
    expect(result.failures.map(({ offering, missing }) => [offering, missing])).toEqual([
      [inZones[0], 0],
      [inZones[1], 0],
      [inZones[2], 2],
    ])
  })

  it('a refusal is remembered for the offering as the pool names it, without a zone', async () => {
    cloud.gce.world.stock.set('on_demand/g2-standard-8/us-central1-a', 0)
    const anywhere = offering('g2-standard-8')
    const result = await (await cloud.open()).launch(cloud.order(1, [anywhere]))
    expect(result.failures).toMatchObject([{ class: 'capacity', offering: anywhere }])
  })

  it('a spot quota falls back as well', async () => {
    cloud.gce.world.quota = { spot: 0 }
    const result = await (await cloud.open({ spot })).launch(cloud.order(2, spotAndFallback))
    expect(result.instances.map(({ capacityType }) => capacityType)).toEqual(['on_demand', 'on_demand'])
    expect(classes(result)).toEqual(['quota'])
  })

  it('an image that does not exist is an error in the configuration', async () => {
    const provider = await cloud.open({ boot_disk_source_image: 'projects/my-project/global/images/gone' })
    const result = await provider.launch(cloud.order(2, one))
    expect(result).toMatchObject({ instances: [], failures: [{ class: 'config', missing: 2 }] })
    expect(result.failures[0]!.problem.message).toContain('images/gone')
  })
})

function leaves(value: unknown): string[] {
  return typeof value === 'object' && value !== null
    ? Object.entries(value).flatMap(([name, one]) => leaves(one).map((leaf) => `${name} ${leaf}`))
    : [String(value)]
}
