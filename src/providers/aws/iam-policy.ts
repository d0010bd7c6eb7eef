// The minimal IAM policy for the pools of a configuration: `provision check --print-iam-policy`.

import { ownerTags } from '../contract.ts'
import { groupsOf } from './network.ts'
import { groupsGangs } from './placement.ts'
import { callsOf } from './request.ts'
import { reservationOf } from './reservations.ts'
import type { AwsConfig } from './rules.ts'

export interface Statement {
  Sid: string
  Effect: 'Allow'
  Action: string[]
  Resource: string | string[]
  Condition?: Record<string, Record<string, string | string[]>>
}

export interface Policy {
  Version: '2012-10-17'
  Statement: Statement[]
}

/** Actions that IAM cannot limit to resources, and their purpose. */
export const readActions = {
  DescribeInstances: 'to list instances',
  DescribeCapacityReservations: 'to check the reservation, and to read when a Capacity Block ends',
  DescribeImages: 'to find the image and its root device',
  DescribeInstanceTypes: 'to know the slots of a type',
  DescribeLaunchTemplates: 'to delete outdated launch templates',
  DescribeLaunchTemplateVersions: 'to resolve an SSM parameter',
  DescribeSpotInstanceRequests: 'to read spot interruption notices',
  DescribeInstanceTypeOfferings: 'to check which zones offer a type',
  DescribeSubnets: 'to check subnets',
  DescribeSecurityGroups: 'to check the security groups',
  DescribePlacementGroups: 'to check the placement group, and to find those that launches made',
  DescribeKeyPairs: 'to check the key pair',
} as const

/** Actions on our own instances and templates. */
export const writeActions = {
  RunInstances: 'to launch instances of one offering, and those of fleets',
  CreateFleet: 'to launch instances of several offerings, and spot instances',
  CreateLaunchTemplate: 'to launch through a fleet',
  DeleteLaunchTemplate: 'to delete outdated launch templates',
  CreatePlacementGroup: 'to place the instances of a gang next to each other',
  DeletePlacementGroup: 'to delete the group of a gang when no instance is left in it',
  CreateTags: 'to tag what is launched',
  TerminateInstances: 'to terminate instances',
  GetConsoleOutput: 'to read the boot stage of an instance that did not join',
} as const

type Question = keyof typeof readActions
type Change = keyof typeof writeActions

export interface NeededActions {
  readActions: Set<Question>
  writeActions: Set<Change>
}

/** The actions that one pool needs, including its checks; none that its configuration does not use. */
export function neededActions(config: AwsConfig): NeededActions {
  const { fleets, spot, parameter, templates } = callsOf(config)
  const { ssh_key_name, subnet_ids, network_interface } = config
  const asked: Question[] = ['DescribeInstances', 'DescribeImages', 'DescribeInstanceTypes']
  const changed: Change[] = ['RunInstances', 'CreateTags', 'TerminateInstances', 'GetConsoleOutput']
  if (templates) {
    asked.push('DescribeLaunchTemplates')
    changed.push('CreateLaunchTemplate', 'DeleteLaunchTemplate')
  }
  if (fleets) changed.push('CreateFleet')
  if (parameter) asked.push('DescribeLaunchTemplateVersions')
  if (spot) asked.push('DescribeSpotInstanceRequests')
  if (subnet_ids.length || network_interface.subnet_id)
    asked.push('DescribeSubnets', 'DescribeInstanceTypeOfferings')
  if (groupsOf(config).length) asked.push('DescribeSecurityGroups')
  if (reservationOf(config)) asked.push('DescribeCapacityReservations')
  if (config.placement_group) asked.push('DescribePlacementGroups')
  if (groupsGangs(config)) changed.push('CreatePlacementGroup', 'DeletePlacementGroup')
  if (ssh_key_name) asked.push('DescribeKeyPairs')
  return { readActions: new Set(asked), writeActions: new Set(changed) }
}

const arn = (kind: string) => `arn:*:ec2:*:*:${kind}/*`
const ec2 = (action: string) => `ec2:${action}`

/**
 * New resources must carry the cluster's tag, and only resources that carry it can be terminated: these credentials
 * cannot affect another cluster's VMs. https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonec2.html
 */
export function leastPolicy(clusterId: string, pools: readonly AwsConfig[]): Policy {
  const needs = pools.map(neededActions)
  const has = (action: Change) => needs.some(({ writeActions: needed }) => needed.has(action))
  const usesSpot = pools.some((pool) => callsOf(pool).spot)
  const cluster = { [`aws:RequestTag/${ownerTags.cluster}`]: clusterId }
  const ours = { [`aws:ResourceTag/${ownerTags.cluster}`]: clusterId }
  const asked = Object.keys(readActions).filter((name) =>
    needs.some(({ readActions: needed }) => needed.has(name as Question)),
  )
  const launching = (['RunInstances', 'CreateFleet'] as const).filter(has)
  const creating = (
    ['RunInstances', 'CreateFleet', 'CreateLaunchTemplate', 'CreatePlacementGroup'] as const
  ).filter(has)
  const besides = ['volume', 'network-interface', ...(usesSpot ? ['spot-instances-request'] : [])]
  const ofFleets = has('CreateFleet') ? ['fleet'] : []
  const templates = has('CreateLaunchTemplate') ? ['launch-template'] : []
  const groups = has('CreatePlacementGroup') ? ['placement-group'] : []
  const made = ['instance', ...besides, ...ofFleets, ...templates, ...groups]
  const used = ['image', 'snapshot', 'subnet', 'security-group', 'network-interface']
  if (pools.some(({ ssh_key_name }) => ssh_key_name)) used.push('key-pair')
  if (pools.some(({ placement_group }) => placement_group)) used.push('placement-group')
  if (pools.some(({ capacity }) => capacity)) used.push('capacity-reservation')
  if (has('CreateFleet')) used.push('launch-template')
  const withTag = (Sid: string, actions: readonly Change[], kinds: string[]): Statement => ({
    Sid,
    Effect: 'Allow',
    Action: actions.map(ec2),
    Resource: kinds.map(arn),
    Condition: { StringEquals: cluster },
  })
  const launch = withTag('LaunchWithOurTag', ['RunInstances'], ['instance'])
  const others = creating.filter((action) => action !== 'RunInstances')
  const statements: Statement[] = [
    { Sid: 'Ask', Effect: 'Allow', Action: asked.map(ec2), Resource: '*' },
    { ...launch, Condition: { ...launch.Condition, ...profileCondition(pools) } },
    withTag('MakeWhatInstancesNeed', ['RunInstances'], besides),
    ...(others.length ? [withTag('MakeWithOurTag', others, made)] : []),
    {
      Sid: 'UseForLaunches',
      Effect: 'Allow',
      Action: launching.map(ec2),
      Resource: [...used.map(arn), ...reservationGroups(pools)],
    },
    {
      Sid: 'TagWhatIsMade',
      Effect: 'Allow',
      Action: ['ec2:CreateTags'],
      Resource: made.map(arn),
      Condition: { StringEquals: { 'ec2:CreateAction': creating, ...cluster } },
    },
    {
      Sid: 'EndAndReadOurs',
      Effect: 'Allow',
      Action: (
        ['TerminateInstances', 'GetConsoleOutput', 'DeleteLaunchTemplate', 'DeletePlacementGroup'] as const
      )
        .filter(has)
        .map(ec2),
      Resource: ['instance', ...templates, ...groups].map(arn),
      Condition: { StringEquals: ours },
    },
    ...parameters(pools),
    ...volumeKeys(pools),
    ...passedRoles(pools),
    ...serviceRoles(has('CreateFleet'), usesSpot),
  ]
  return { Version: '2012-10-17', Statement: statements }
}

function reservationGroups(pools: readonly AwsConfig[]): string[] {
  const named = pools.flatMap(({ capacity }) => capacity?.reservation ?? [])
  return [...new Set(named.filter((name) => name.startsWith('arn:')))]
}

function profilesOf(pools: readonly AwsConfig[]): string[] {
  return [...new Set(pools.flatMap((pool) => pool.iam_instance_profile_arn || []))]
}

/** A launch must have one of the pools' profiles; it may have none only when a pool has none. */
function profileCondition(pools: readonly AwsConfig[]): Statement['Condition'] {
  const profiles = profilesOf(pools)
  if (!profiles.length) return {}
  const always = pools.every(({ iam_instance_profile_arn }) => iam_instance_profile_arn)
  return { [always ? 'ArnEquals' : 'ArnEqualsIfExists']: { 'ec2:InstanceProfile': profiles } }
}

/**
 * The role of a profile cannot be named here: it may have another name, and may change while the profile stays the
 * same. Roles of the profiles' accounts can be passed to EC2 only, and RunInstances, the only way to pass one here,
 * accepts no other profile (`ec2:InstanceProfile` above).
 */
function passedRoles(pools: readonly AwsConfig[]): Statement[] {
  const profiles = profilesOf(pools)
  if (!profiles.length) return []
  const roles = profiles.map((profile) => {
    const [, partition = '*', , , account = '*'] = profile.split(':')
    return `arn:${partition}:iam::${account}:role/*`
  })
  return [
    {
      Sid: 'GiveVmsTheirRole',
      Effect: 'Allow',
      Action: ['iam:PassRole'],
      Resource: [...new Set(roles)],
      Condition: { StringEquals: { 'iam:PassedToService': 'ec2.amazonaws.com' } },
    },
  ]
}

/** The name in an ARN has a leading slash and no version or label (`/my/image:3`), which IAM does not compare. */
function parameters(pools: readonly AwsConfig[]): Statement[] {
  const names = pools.flatMap(({ image }) => ('ssm' in image ? [image.ssm] : []))
  const resources = names.map((name) => {
    const whole = /^arn:[^:]*:ssm:[^:]*:[^:]*:parameter[^:]*/.exec(name)?.[0]
    return whole ?? `arn:*:ssm:*:*:parameter/${name.replace(/^\//, '').replace(/:.*$/s, '')}`
  })
  if (!resources.length) return []
  return [
    {
      Sid: 'ReadImageParameter',
      Effect: 'Allow',
      Action: ['ssm:GetParameters'],
      Resource: [...new Set(resources)],
    },
  ]
}

/**
 * The KMS keys of volumes. An alias is no resource of a policy: the key behind it is allowed by its alias
 * (https://docs.aws.amazon.com/kms/latest/developerguide/alias-authorization.html).
 */
function volumeKeys(pools: readonly AwsConfig[]): Statement[] {
  const keys = [...new Set(pools.flatMap(({ volume }) => volume.kms_key_id ?? []))]
  const aliasOf = (key: string) => /(?:^|:)(alias\/.+)$/.exec(key)?.[1]
  const aliases = keys.flatMap((key) => aliasOf(key) ?? [])
  const named = keys.filter((key) => !aliasOf(key))
  const resources = named.map((key) => (key.startsWith('arn:') ? key : `arn:*:kms:*:*:key/${key}`))
  const using = ['Decrypt', 'DescribeKey', 'GenerateDataKeyWithoutPlaintext', 'ReEncrypt*']
  const of = (
    suffix: string,
    Resource: string | string[],
    more: Statement['Condition'] = {},
  ): Statement[] => [
    {
      Sid: `UseKeysOfVolumes${suffix}`,
      Effect: 'Allow',
      Action: using.map((action) => `kms:${action}`),
      Resource,
      ...(Object.keys(more).length ? { Condition: more } : {}),
    },
    {
      Sid: `GrantKeysToVolumes${suffix}`,
      Effect: 'Allow',
      Action: ['kms:CreateGrant'],
      Resource,
      Condition: { ...more, Bool: { 'kms:GrantIsForAWSResource': 'true' } },
    },
  ]
  return [
    ...(resources.length ? of('', resources) : []),
    ...(aliases.length
      ? of('ByAlias', 'arn:*:kms:*:*:key/*', {
          'ForAnyValue:StringEquals': { 'kms:ResourceAliases': aliases },
        })
      : []),
  ]
}

/** Fleets and spot each have a service-linked role; AWS creates it at the first launch of an account. */
function serviceRoles(fleets: boolean, spot: boolean): Statement[] {
  if (!fleets) return []
  const services = [['ec2fleet.amazonaws.com', 'AWSServiceRoleForEC2Fleet']]
  if (spot) services.push(['spot.amazonaws.com', 'AWSServiceRoleForEC2Spot'])
  return [
    {
      Sid: 'FirstFleetOfAnAccount',
      Effect: 'Allow',
      Action: ['iam:CreateServiceLinkedRole'],
      Resource: services.map(([service, role]) => `arn:*:iam::*:role/aws-service-role/${service}/${role}`),
      Condition: { StringEquals: { 'iam:AWSServiceName': services.map(([service = '']) => service) } },
    },
  ]
}
