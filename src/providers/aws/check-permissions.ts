// Which of the actions a pool needs EC2 would allow: each asked for with DryRun, which does nothing.
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/CommonParameters.html (DryRun)
import { problem } from '../../problems/problem.ts'
import type { CheckItem } from '../contract.ts'
import type { Ec2CheckApi } from './check-api.ts'
import { codeOf, ec2Failure } from './errors.ts'
import { changes, questions } from './iam-policy.ts'
import { runInstancesOf } from './launch-trial.ts'
import type { AwsLaunch } from './request.ts'

/** Shaped like a VM's id, and nobody's. */
const nobody = 'i-00000000000000000'

export async function checkPermissions(
  api: Ec2CheckApi,
  { steps }: AwsLaunch,
  signal?: AbortSignal,
): Promise<CheckItem[]> {
  const DryRun = true
  const LaunchTemplateName = 'agent-provisioner-check'
  const asked: [name: string, why: string, ask: () => Promise<unknown>][] = [
    ['DescribeInstances', questions.DescribeInstances, () => api.describeInstances({ DryRun }, signal)],
    [
      'DescribeInstanceTypes',
      questions.DescribeInstanceTypes,
      () => api.describeInstanceTypes({ DryRun }, signal),
    ],
    [
      'DescribeLaunchTemplates',
      questions.DescribeLaunchTemplates,
      () => api.describeLaunchTemplates({ DryRun }, signal),
    ],
    [
      'DescribeSpotInstanceRequests',
      questions.DescribeSpotInstanceRequests,
      () => api.describeSpotInstanceRequests({ DryRun }, signal),
    ],
    [
      'TerminateInstances',
      changes.TerminateInstances,
      () => api.terminateInstances({ DryRun, InstanceIds: [nobody] }, signal),
    ],
    [
      'GetConsoleOutput',
      changes.GetConsoleOutput,
      () => api.getConsoleOutput({ DryRun, InstanceId: nobody }, signal),
    ],
  ]
  for (const step of steps) {
    // A fleet launches by RunInstances under the same credentials, and its own trial looks at neither profile nor key.
    asked.push([
      'RunInstances',
      step.offerings[0]?.capacityType === 'spot' ? 'to launch spot VMs' : changes.RunInstances,
      () => api.runInstances({ ...runInstancesOf(step), DryRun }, signal),
    ])
    if (step.call === 'CreateFleet')
      asked.push(
        [
          'CreateLaunchTemplate',
          changes.CreateLaunchTemplate,
          () => api.createLaunchTemplate({ ...step.template, DryRun }, signal),
        ],
        ['CreateFleet', changes.CreateFleet, () => api.createFleet({ ...step.request, DryRun }, signal)],
        [
          'DeleteLaunchTemplate',
          changes.DeleteLaunchTemplate,
          () => api.deleteLaunchTemplate({ DryRun, LaunchTemplateName }, signal),
        ],
      )
  }
  const once = new Map(asked.map((each) => [`${each[0]} ${each[1]}`, each]))
  return Promise.all([...once.values()].map(([name, why, ask]) => allowed(name, why, ask, signal)))
}

/** EC2 looks at permission first: what it says about things that are not there means that permission is. */
const good = [
  'DryRunOperation',
  'InvalidInstanceID.NotFound',
  'InvalidInstanceID.Malformed',
  'InvalidLaunchTemplateName.NotFoundException',
]

/** A policy may allow these for things with our tag only, and what is tried here does not exist. */
const onOurs = ['TerminateInstances', 'GetConsoleOutput', 'DeleteLaunchTemplate']

async function allowed(
  name: string,
  why: string,
  ask: () => Promise<unknown>,
  signal?: AbortSignal,
): Promise<CheckItem> {
  const what = `ec2:${name} ${why}`
  try {
    await ask()
    return { what }
  } catch (error) {
    signal?.throwIfAborted()
    const code = codeOf(error)
    if (good.includes(code)) return { what }
    if (code !== 'UnauthorizedOperation' || !onOurs.includes(name))
      return { what, problem: ec2Failure(error, `call ec2:${name}`).problem }
    const message = `whether ec2:${name} is allowed for VMs and templates of ours cannot be told`
    return { what, problem: problem('PROVIDER_PERMISSION_UNKNOWN', message) }
  }
}
