// A placement group for each gang: made before its instances, tagged as they are, and deleted when none is left in it.
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Offering } from '../../../src/planner/snapshot.ts'
import type { AwsConfig } from '../../../src/providers/aws/rules.ts'
import { ownerTags } from '../../../src/providers/contract.ts'
import { type AwsCloud, awsCloud, bothTypes } from '../../support/aws-cloud.ts'
import { offering } from '../../support/cloud-pools.ts'

let cloud: AwsCloud
beforeEach(async () => {
  cloud = await awsCloud()
})
afterEach(() => cloud.dispose())

const one = [offering('g5.12xlarge', { slots: 4, zone: 'subnet-a' })]
const zones = ['subnet-a', 'subnet-b'].map((zone) => offering('g5.12xlarge', { slots: 4, zone }))

function gang(count: number, offerings: Offering[] = one) {
  const order = cloud.order(count, offerings)
  return { ...order, intent: { ...order.intent, gang: true } }
}

const open = (more: Partial<AwsConfig> = {}) => cloud.open({ placement_group: 'per_gang', ...more })
const made = () => [...cloud.ec2.world.placementGroups.values()].filter(({ name }) => name !== 'together')
const live = () => [...cloud.ec2.world.vms.values()].filter(({ state }) => state !== 'terminated')
const groupOf = ({ made: params }: { made: object }) =>
  (params as { Placement?: { GroupName?: string } }).Placement?.GroupName
const actions = () => cloud.ec2.calls.map(({ action }) => action)

describe('a gang', () => {
  it('is launched into a cluster group of its own, which has the tags of its instances', async () => {
    const provider = await open()
    const order = gang(3)
    const { instances, failures } = await provider.launch(order)
    expect(failures).toEqual([])
    expect(instances).toHaveLength(3)
    const [group, ...others] = made()
    expect(others).toEqual([])
    expect(group).toMatchObject({
      strategy: 'cluster',
      tags: {
        [ownerTags.cluster]: cloud.owner.clusterId,
        [ownerTags.pool]: cloud.owner.pool,
        [ownerTags.writer]: cloud.owner.writerId,
        [ownerTags.intent]: order.intent.id,
      },
    })
    expect(group!.name).toMatch(/^agent-provisioner-GPU-pool---[a-z2-7]{24}$/)
    expect(live().map(groupOf)).toEqual([group!.name, group!.name, group!.name])
    expect(actions().indexOf('CreatePlacementGroup')).toBeLessThan(actions().indexOf('RunInstances'))
    await provider.launch(gang(2))
    expect(made()).toHaveLength(2)
  })

  it('is the only launch with a group, and only where the pool asks for it', async () => {
    await (await open()).launch(cloud.order(3, one))
    await (await cloud.open()).launch(gang(3))
    await (await cloud.open({ placement_group: 'together' })).launch(gang(3))
    expect(made()).toEqual([])
    expect(live().map(groupOf)).toEqual([...Array(6).fill(undefined), 'together', 'together', 'together'])
    expect(actions()).not.toContain('DescribePlacementGroups')
  })

  it.each([
    ['the group was made', 'CreatePlacementGroup'],
    ['the instances were launched', 'RunInstances'],
  ])(
    'has one group and no more instances when it is repeated because no answer came after %s',
    async (_, action) => {
      const order = gang(2)
      cloud.ec2.faults.push({ action, kind: 'lose_reply', times: 1 })
      const { instances } = await (await open()).launch(order)
      expect(instances).toHaveLength(2)
      // As after a restart of the provisioner.
      const again = await (await open()).launch(order)
      expect(again.instances.map(({ id }) => id).sort()).toEqual(instances.map(({ id }) => id).sort())
      expect(made()).toHaveLength(1)
      expect(live()).toHaveLength(2)
    },
  )

  it('is launched although its empty group was deleted in between', async () => {
    const order = gang(2)
    const provider = await open()
    cloud.ec2.faults.push({
      action: 'RunInstances',
      kind: 'error',
      code: 'InvalidPlacementGroup.Unknown',
      times: 1,
    })
    const { instances, failures } = await provider.launch(order)
    expect(failures).toEqual([])
    expect(instances).toHaveLength(2)
    expect(cloud.ec2.count('CreatePlacementGroup')).toBe(2)
  })

  it('is tried again later while EC2 does not show the group to launches', async () => {
    cloud.ec2.faults.push({ action: 'RunInstances', kind: 'error', code: 'InvalidPlacementGroup.Unknown' })
    const { failures } = await (await open()).launch(gang(2))
    expect(failures).toMatchObject([{ class: 'transient', missing: 2 }])
  })

  it('gets no group of somebody else, and the problem says so', async () => {
    const order = gang(2)
    const provider = await open()
    cloud.ec2.faults.push({ action: 'RunInstances', kind: 'error', code: 'InternalError', status: 500 })
    await provider.launch(order)
    const [group] = made()
    group!.tags = {}
    cloud.ec2.faults.length = 0
    const { instances, failures } = await provider.launch(order)
    expect(instances).toEqual([])
    expect(failures).toMatchObject([{ class: 'config', problem: { code: 'PROVIDER_CONFIG' } }])
    expect(failures[0]!.problem.message).toContain(`${group!.name} exists already`)
    expect(failures[0]!.problem.remedy).toContain(`--group-name ${group!.name}`)
  })

  it('that does not fit is refused as a whole, with the name of its group', async () => {
    cloud.ec2.world.roomTogether = 3
    const provider = await open()
    const { instances, failures } = await provider.launch(gang(4))
    expect(instances).toEqual([])
    const name = made()[0]!.name
    expect(failures).toMatchObject([{ class: 'capacity', missing: 4, offering: { zone: 'subnet-a' } }])
    expect(failures[0]!.problem.message).toContain(
      `could not launch 4 g5.12xlarge in subnet-a together in placement group ${name}: InsufficientInstanceCapacity`,
    )
    expect(failures[0]!.problem.remedy).toContain('remove placement_group')
    expect(live()).toEqual([])
  })

  it('is tried in one zone after the other, with one type, and is never split', async () => {
    cloud.ec2.world.stock.set('on_demand/g5.12xlarge/subnet-a', 3)
    const { instances, failures } = await (await open()).launch(gang(4, zones))
    expect(instances.map(({ zone }) => zone)).toEqual(Array(4).fill('us-west-2b'))
    expect(failures).toMatchObject([{ class: 'capacity', missing: 0, offering: { zone: 'subnet-a' } }])
    expect(made()).toHaveLength(1)
    expect(actions()).not.toContain('CreateFleet')
  })

  it('of spot instances is one launch as well, and on demand where spot has none', async () => {
    const spot = zones.map((each) => ({ ...each, capacityType: 'spot' as const }))
    const provider = await open({ spot: { enabled: true, fallback: 'on_demand', max_price: '0.5' } })
    const { instances } = await provider.launch(gang(2, [...spot, ...zones]))
    expect(instances.map(({ capacityType, zone }) => [capacityType, zone])).toEqual(
      Array(2).fill(['spot', 'us-west-2a']),
    )
    expect([...cloud.ec2.world.spotRequests.values()][0]!.tags).toHaveProperty(ownerTags.cluster)
    for (const zone of ['subnet-a', 'subnet-b']) cloud.ec2.world.stock.set(`spot/g5.12xlarge/${zone}`, 1)
    const other = await provider.launch(gang(2, [...spot, ...zones]))
    expect(other.instances.map(({ capacityType }) => capacityType)).toEqual(['on_demand', 'on_demand'])
  })

  it('of a type that no cluster group holds is refused with EC2’s words', async () => {
    cloud.ec2.world.types['t3.large'] = {}
    const { failures } = await (await open()).launch(gang(2, [offering('t3.large', { zone: 'subnet-a' })]))
    expect(failures).toMatchObject([{ class: 'config' }])
    expect(failures[0]!.problem.message).toContain("not supported by the 't3.large' instance type")
  })

  it('above the limit of groups is over quota', async () => {
    cloud.ec2.world.mostPlacementGroups = 1
    const { failures } = await (await open()).launch(gang(2))
    expect(failures).toMatchObject([{ class: 'quota', problem: { code: 'PROVIDER_QUOTA' } }])
    expect(failures[0]!.problem.remedy).toContain('Placement groups per Region')
  })
})

describe('groups that are not needed', () => {
  const unused = async (isUsed: (intentId: string) => boolean = () => false) =>
    (await cloud.openCluster(cloud.owner.clusterId)).deleteUnused!(isUsed)

  it('are deleted, also of launches that failed and of pools that are gone', async () => {
    cloud.ec2.world.roomTogether = 0
    await (await open()).launch(gang(2))
    await (await cloud.open({ placement_group: 'per_gang' }, { ...cloud.owner, pool: 'gone' })).launch(
      gang(2),
    )
    expect(made()).toHaveLength(2)
    expect(await unused()).toBe(0)
    expect(made()).toEqual([])
  })

  it('are only ours: not those of other clusters, and none that launches did not make', async () => {
    cloud.ec2.world.roomTogether = 0
    const other = { ...cloud.owner, clusterId: 'another' }
    await (await cloud.open({ placement_group: 'per_gang' }, other)).launch({ ...gang(2), owner: other })
    const tags = {
      [ownerTags.cluster]: cloud.owner.clusterId,
      [ownerTags.pool]: 'p',
      [ownerTags.intent]: 'i',
    }
    cloud.ec2.world.placementGroups.set('by hand', { name: 'by hand', strategy: 'cluster', tags })
    expect(await unused()).toBe(0)
    expect(made()).toHaveLength(2)
    expect(actions()).not.toContain('DeletePlacementGroup')
  })

  it('are kept while an instance is in them or shuts down, and counted', async () => {
    const provider = await open()
    const order = gang(2)
    const { instances } = await provider.launch(order)
    expect(await unused((intentId) => intentId === order.intent.id)).toBe(1)
    expect(actions()).not.toContain('DeletePlacementGroup')
    // Not listed, although it exists.
    expect(await unused()).toBe(1)
    await provider.terminate(instances.map(({ id }) => id))
    expect(await unused()).toBe(1)
    await provider.list()
    expect(await unused()).toBe(0)
    expect(made()).toEqual([])
  })

  it('are no reason to keep the others, and cost one call where there are none', async () => {
    expect(await unused()).toBe(0)
    expect(actions()).toEqual(['DescribePlacementGroups'])
    cloud.ec2.world.roomTogether = 0
    const provider = await open()
    for (const _ of [1, 2, 3]) await provider.launch(gang(2))
    cloud.ec2.faults.push({ action: 'DeletePlacementGroup', kind: 'error', code: 'Strange', times: 1 })
    await expect(unused()).rejects.toMatchObject({ problems: [{ code: 'PROVIDER_CONFIG' }] })
    expect(made()).toHaveLength(1)
    expect(await unused()).toBe(0)
  })

  it('are traces of the cluster', async () => {
    const provider = await open()
    expect(await provider.hasTraces!()).toBe(false)
    cloud.ec2.world.roomTogether = 0
    await provider.launch(gang(2))
    expect(await provider.hasTraces!()).toBe(true)
    expect(await (await cloud.open()).hasTraces!()).toBe(false)
  })
})

it('a fleet launches what is no gang, as in any pool', async () => {
  const { instances } = await (await open()).launch(cloud.order(2, bothTypes))
  expect(instances).toHaveLength(2)
  expect(actions()).toContain('CreateFleet')
  expect(made()).toEqual([])
})
