// CreateFleet of type instant: several offerings in one call, each with its own error.
import { make, quotaLeft, remember, subnetOf, taggedAs, tagKinds, usedToken } from './launches.ts'
import { at, Ec2Error, objectsOf, type Params, type Xml } from './query.ts'
import type { Capacity, FakeVm, World } from './world.ts'

interface Override {
  type: string
  subnet: string
  xml: Xml
  maxPrice: number
  priority: number
}

export function createFleet(world: World, params: Params): Xml {
  const used = usedToken(world, 'CreateFleet', params)
  if (used) return used.answer as Xml
  if (at(params, 'Type') !== 'instant')
    throw new Ec2Error('InvalidParameterValue', 'only instant fleets are known here')
  const strange = tagKinds(params).find((kind) => !['fleet', 'instance', 'volume'].includes(kind))
  if (strange) throw new Ec2Error('InvalidParameterValue', `'${strange}' cannot be tagged by a fleet`)
  const config = objectsOf(params['LaunchTemplateConfigs'])[0]
  const name = at(config, 'LaunchTemplateSpecification', 'LaunchTemplateName') ?? ''
  const template = world.templates.get(name)
  if (!template)
    throw new Ec2Error(
      'InvalidLaunchTemplateName.NotFoundException',
      `The specified launch template, ${name}, does not exist`,
    )
  const capacity: Capacity =
    at(params, 'TargetCapacitySpecification', 'DefaultTargetCapacityType') === 'spot' ? 'spot' : 'on_demand'
  const overrides = objectsOf(config?.['Overrides']).map((one) => overrideOf(world, one))
  const wanted = Number(at(params, 'TargetCapacitySpecification', 'TotalTargetCapacity'))
  const launched: { override: Override; vms: FakeVm[] }[] = []
  const errors: Xml[] = []
  let missing = wanted
  for (const override of inOrder(world, overrides, capacity)) {
    const [code, message, limit] = misfit(world, template.data, capacity) ?? room(world, override, capacity)
    const count = Math.min(missing, limit)
    if (count > 0) {
      const tags = { ...taggedAs(template.data, 'instance'), ...taggedAs(params, 'instance') }
      const { type, subnet } = override
      launched.push({
        override,
        vms: make(world, { params: template.data, type, subnet, capacity, count, tags }),
      })
    }
    missing -= count
    // A fleet reports every offering that failed, also when another one replaced it.
    if (limit < missing + count) errors.push(errorXml(override, capacity, code, message))
    if (missing === 0) break
  }
  const answer = {
    fleetId: world.id('fleet'),
    errorSet: errors,
    fleetInstanceSet: launched.map(({ override, vms }) => ({
      launchTemplateAndOverrides: { overrides: override.xml },
      lifecycle: capacity === 'spot' ? 'spot' : 'on-demand',
      instanceIds: vms.map(({ id }) => id),
      instanceType: override.type,
      availabilityZone: world.subnets[override.subnet],
    })),
  }
  remember(world, 'CreateFleet', params, {
    vms: launched.flatMap(({ vms }) => vms.map(({ id }) => id)),
    answer,
  })
  return answer
}

function overrideOf(world: World, one: Params): Override {
  const type = at(one, 'InstanceType') ?? ''
  const named = at(one, 'SubnetId')
  return {
    type,
    subnet: subnetOf(world, named),
    xml: { instanceType: type, subnetId: named },
    maxPrice: Number(at(one, 'MaxPrice') ?? Number.POSITIVE_INFINITY),
    priority: Number(at(one, 'Priority') ?? 0),
  }
}

/** `prioritized`: by priority. `price-capacity-optimized`: largest capacity first. */
function inOrder(world: World, overrides: Override[], capacity: Capacity): Override[] {
  if (capacity === 'on_demand') return overrides.toSorted((a, b) => a.priority - b.priority)
  const stock = ({ type, subnet }: Override) =>
    Math.min(world.inStock('spot', type, subnet), Number.MAX_SAFE_INTEGER)
  return overrides.toSorted((a, b) => stock(b) - stock(a))
}

/** An on-demand VM has no spot request to tag; EC2 rejects that for each offering. */
function misfit(world: World, template: Params, capacity: Capacity): [string, string, number] | undefined {
  const refused = world.fleetRefuses[capacity]
  if (refused) return [...refused, 0]
  if (capacity === 'spot' || !tagKinds(template).includes('spot-instances-request')) return undefined
  const message =
    'You cannot specify tags for Spot instances requests if there are no Spot instances requests being created by the request.'
  return ['InvalidParameterValue', message, 0]
}

/** The error when no more can be launched, and how many can be. */
function room(
  world: World,
  { type, subnet, maxPrice }: Override,
  capacity: Capacity,
): [string, string, number] {
  if (!(type in world.types)) return ['InvalidParameterValue', `Invalid value '${type}' for InstanceType.`, 0]
  if (capacity === 'spot' && maxPrice < world.spotPrice)
    return [
      'SpotMaxPriceTooLow',
      `Your Spot request price of ${maxPrice} is lower than the minimum required`,
      0,
    ]
  const left = quotaLeft(world, capacity)
  const stock = world.inStock(capacity, type, subnet)
  if (left < stock)
    return [
      capacity === 'spot' ? 'MaxSpotInstanceCountExceeded' : 'VcpuLimitExceeded',
      'You have requested more than your limit allows',
      left,
    ]
  return ['InsufficientInstanceCapacity', `There is no ${type} capacity in ${world.subnets[subnet]}`, stock]
}

function errorXml(override: Override, capacity: Capacity, errorCode: string, errorMessage: string): Xml {
  return {
    launchTemplateAndOverrides: { overrides: override.xml },
    lifecycle: capacity === 'spot' ? 'spot' : 'on-demand',
    errorCode,
    errorMessage,
  }
}
