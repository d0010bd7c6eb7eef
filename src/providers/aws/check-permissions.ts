// Which of a pool's actions EC2 would allow: each is called with DryRun, which changes nothing.
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/CommonParameters.html (DryRun)
import type { Offering } from '../../planner/index.ts'
import { problem } from '../../problems/index.ts'
import type { CheckItem } from '../contract.ts'
import type { Ec2Api, RunInstancesRequest } from './client.ts'
import { codeOf, ec2Failure } from './errors.ts'
import { neededActions, readActions, writeActions } from './iam-policy.ts'
import type { ResolvedImage } from './image.ts'
import type { AwsLaunch, LaunchStep } from './request.ts'
import type { AwsConfig } from './rules.ts'

export interface PermissionInput {
  api: Ec2Api
  config: AwsConfig
  /** The launch of one instance, with the facts found by the checks. */
  prepare: (image: ResolvedImage, gang?: boolean) => AwsLaunch
}

const launchReasons: Record<Offering['capacityType'], string> = {
  on_demand: writeActions.RunInstances,
  spot: 'to launch spot instances',
  reserved: 'to launch into reserved capacity',
}

/** A well-formed instance id that does not exist. */
const unknownId = 'i-00000000000000000'

export async function checkPermissions(
  { api, config, prepare }: PermissionInput,
  image: ResolvedImage,
  signal?: AbortSignal,
): Promise<CheckItem[]> {
  const { steps } = prepare(image)
  const [ofGang] = prepare(image, true).steps
  const DryRun = true
  const LaunchTemplateName = 'agent-provisioner-check'
  const asked: [name: string, why: string, ask: () => Promise<unknown>][] = [
    ['DescribeInstances', readActions.DescribeInstances, () => api.describeInstances({ DryRun }, signal)],
    [
      'DescribeInstanceTypes',
      readActions.DescribeInstanceTypes,
      () => api.describeInstanceTypes({ DryRun }, signal),
    ],
  ]
  const needed = neededActions(config).readActions
  if (needed.has('DescribeLaunchTemplates'))
    asked.push([
      'DescribeLaunchTemplates',
      readActions.DescribeLaunchTemplates,
      () => api.describeLaunchTemplates({ DryRun }, signal),
    ])
  if (needed.has('DescribeSpotInstanceRequests'))
    asked.push([
      'DescribeSpotInstanceRequests',
      readActions.DescribeSpotInstanceRequests,
      () => api.describeSpotInstanceRequests({ DryRun }, signal),
    ])
  if (ofGang?.call === 'RunInstances' && ofGang.group) {
    const { group } = ofGang
    asked.push(
      [
        'DescribePlacementGroups',
        readActions.DescribePlacementGroups,
        () => api.describePlacementGroups({ DryRun }, signal),
      ],
      [
        'CreatePlacementGroup',
        writeActions.CreatePlacementGroup,
        () => api.createPlacementGroup({ ...group, DryRun }, signal),
      ],
      [
        'DeletePlacementGroup',
        writeActions.DeletePlacementGroup,
        () => api.deletePlacementGroup({ DryRun, GroupName: group.GroupName }, signal),
      ],
    )
  }
  asked.push(
    [
      'TerminateInstances',
      writeActions.TerminateInstances,
      () => api.terminateInstances({ DryRun, InstanceIds: [unknownId] }, signal),
    ],
    [
      'GetConsoleOutput',
      writeActions.GetConsoleOutput,
      () => api.getConsoleOutput({ DryRun, InstanceId: unknownId }, signal),
    ],
  )
  for (const step of steps) {
    // A fleet launches by RunInstances with the same credentials, and a dry run of CreateFleet checks neither profile
    // nor key.
    asked.push([
      'RunInstances',
      launchReasons[step.offerings[0]?.capacityType ?? 'on_demand'],
      () => api.runInstances({ ...runInstancesOf(step), DryRun }, signal),
    ])
    if (step.call === 'CreateFleet')
      asked.push(
        [
          'CreateLaunchTemplate',
          writeActions.CreateLaunchTemplate,
          () => api.createLaunchTemplate({ ...step.template, DryRun }, signal),
        ],
        ['CreateFleet', writeActions.CreateFleet, () => api.createFleet({ ...step.request, DryRun }, signal)],
        [
          'DeleteLaunchTemplate',
          writeActions.DeleteLaunchTemplate,
          () => api.deleteLaunchTemplate({ DryRun, LaunchTemplateName }, signal),
        ],
      )
  }
  const once = new Map(asked.map((each) => [`${each[0]} ${each[1]}`, each]))
  return Promise.all([...once.values()].map(([name, why, ask]) => allowed(name, why, ask)))
}

/** EC2 checks the permission first: an error about a missing resource means that the permission is granted. */
const good = [
  'DryRunOperation',
  'InvalidInstanceID.NotFound',
  'InvalidInstanceID.Malformed',
  'InvalidLaunchTemplateName.NotFoundException',
  'InvalidPlacementGroup.Unknown',
]

/** A policy may allow these only for resources with our tag, and the resources tried here do not exist. */
const onManaged = ['TerminateInstances', 'GetConsoleOutput', 'DeleteLaunchTemplate', 'DeletePlacementGroup']

async function allowed(name: string, why: string, ask: () => Promise<unknown>): Promise<CheckItem> {
  const what = `ec2:${name} ${why}`
  try {
    await ask()
    return { what }
  } catch (error) {
    const code = codeOf(error)
    if (good.includes(code)) return { what }
    if (code !== 'UnauthorizedOperation' || !onManaged.includes(name))
      return { what, problem: ec2Failure(error, `call ec2:${name}`).problem }
    const message = `cannot determine whether ec2:${name} is allowed for managed instances and launch templates`
    return { what, problem: problem('PROVIDER_PERMISSION_UNKNOWN', message) }
  }
}

/** The RunInstances call that a step can be tried with: the same settings, one VM, the first offering. */
function runInstancesOf(step: LaunchStep): RunInstancesRequest {
  if (step.call === 'RunInstances') return step.request
  const machine = step.template.LaunchTemplateData as RunInstancesRequest
  const { TagSpecifications: tags = [], NetworkInterfaces: interfaces = [] } = machine
  const [{ instanceType, zone, capacityType }] = step.offerings as [LaunchStep['offerings'][number]]
  return {
    ...machine,
    MinCount: 1,
    MaxCount: 1,
    InstanceType: instanceType as NonNullable<RunInstancesRequest['InstanceType']>,
    NetworkInterfaces: interfaces.map((one) => ({ ...one, ...(zone ? { SubnetId: zone } : {}) })),
    ...(capacityType === 'spot' ? { InstanceMarketOptions: { MarketType: 'spot' } } : {}),
    // Sends all tags: a policy may require our tag on everything that a launch creates.
    TagSpecifications: [...(step.request.TagSpecifications ?? []), ...tags].filter(
      ({ ResourceType }) => ResourceType !== 'fleet',
    ),
  }
}
