// Placement groups: names are unique in the account and region, and a group with instances cannot be deleted.
// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/limitations-placement-groups.html
import { matching } from './filters.ts'
import { taggedAs } from './launches.ts'
import { at, Ec2Error, type Params, tagSet, textsOf, type Xml } from './query.ts'
import type { FakeGroup, FakeVm, World } from './world.ts'

const strategies = ['cluster', 'spread', 'partition']

export function createPlacementGroup(world: World, params: Params): Xml {
  const name = at(params, 'GroupName') ?? ''
  const strategy = at(params, 'Strategy') ?? 'cluster'
  // ASCII only: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreatePlacementGroup.html
  if (!/^[\x20-\x7e]{1,255}$/.test(name))
    throw new Ec2Error('InvalidParameterValue', `Value (${name}) for parameter groupName is invalid.`)
  if (!strategies.includes(strategy))
    throw new Ec2Error('InvalidParameterValue', `Value (${strategy}) for parameter strategy is invalid.`)
  if (world.placementGroups.has(name))
    throw new Ec2Error('InvalidPlacementGroup.Duplicate', `The Placement Group '${name}' already exists.`)
  if (world.placementGroups.size >= world.mostPlacementGroups)
    throw new Ec2Error(
      'PlacementGroupLimitExceeded',
      `Cannot create more than ${world.mostPlacementGroups} placement groups`,
    )
  const group = { name, strategy, tags: taggedAs(params, 'placement-group') }
  world.placementGroups.set(name, group)
  return { placementGroup: groupXml(group) }
}

export function deletePlacementGroup(world: World, params: Params): Xml {
  const { name } = groupOf(world, at(params, 'GroupName'))
  if (inGroup(world, name).length > 0)
    throw new Ec2Error(
      'InvalidPlacementGroup.InUse',
      `The placement group '${name}' is in use and may not be deleted.`,
    )
  world.placementGroups.delete(name)
  return { return: true }
}

export function describePlacementGroups(world: World, params: Params): Xml {
  const names = textsOf(params['GroupName'])
  const asked = names.length ? names.map((name) => groupOf(world, name)) : [...world.placementGroups.values()]
  const found = matching(asked, params, ({ name, strategy, tags }) => ({
    tags,
    values: { 'group-name': name, strategy, state: 'available' },
  }))
  return { placementGroupSet: found.map(groupXml) }
}

/** What a launch of so many instances into its group has against it; undefined: nothing, or no group. */
export function checkGroup(world: World, params: Params, type: string, subnet: string): void {
  const name = at(params, 'Placement', 'GroupName')
  if (name === undefined) return
  const { strategy } = groupOf(world, name)
  if (strategy !== 'cluster') return
  if (/^(?:t\d|mac|m7i-flex\.)/.test(type) || world.types[type]?.clusterGroups === false)
    throw new Ec2Error(
      'InvalidParameterCombination',
      `Cluster placement groups are not supported by the '${type}' instance type. Specify a supported instance type or change the placement group strategy, and try again.`,
    )
  const [neighbour] = inGroup(world, name)
  if (neighbour && world.subnets[neighbour.subnet] !== world.subnets[subnet])
    throw new Ec2Error(
      'InvalidParameterCombination',
      `The placement group '${name}' has instances in another Availability Zone.`,
    )
}

/** How many more instances there is room for next to those of the group of a launch. */
export function roomInGroup(world: World, params: Params): number {
  const name = at(params, 'Placement', 'GroupName')
  return name === undefined ? Number.POSITIVE_INFINITY : world.roomTogether - inGroup(world, name).length
}

/** Instances that are shutting down are still in it. */
function inGroup(world: World, name: string): FakeVm[] {
  return [...world.vms.values()].filter(
    ({ made, state }) => state !== 'terminated' && at(made, 'Placement', 'GroupName') === name,
  )
}

function groupOf(world: World, name = ''): FakeGroup {
  const group = world.placementGroups.get(name)
  if (group) return group
  throw new Ec2Error('InvalidPlacementGroup.Unknown', `The Placement Group '${name}' is unknown.`)
}

function groupXml({ name, strategy, tags }: FakeGroup): Xml {
  return { groupName: name, state: 'available', strategy, tagSet: tagSet(tags) }
}
