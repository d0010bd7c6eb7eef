// The least an IAM policy has to allow, for the pools of a configuration: `provision check --print-iam-policy`.

import { ownerTags } from '../contract.ts'
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

/** Actions EC2 cannot limit to resources, with what they are for. */
export const questions = {
  DescribeInstances: 'to list VMs',
  DescribeImages: 'to find the image and its root device',
  DescribeInstanceTypes: 'to know the slots of a type',
  DescribeLaunchTemplates: 'to tidy up launch templates',
  DescribeLaunchTemplateVersions: 'to resolve an SSM parameter',
  DescribeSpotInstanceRequests: 'to see spot notices',
  DescribeInstanceTypeOfferings: 'to check which zones offer a type',
  DescribeSubnets: 'to check subnets',
  DescribeSecurityGroups: 'to check the security group',
  DescribeKeyPairs: 'to check the key pair',
} as const

/** Actions on VMs and templates of our own. */
export const changes = {
  RunInstances: 'to launch VMs of one offering, and those of fleets',
  CreateFleet: 'to launch VMs of several offerings, and spot VMs',
  CreateLaunchTemplate: 'to launch through a fleet',
  DeleteLaunchTemplate: 'to tidy up launch templates',
  CreateTags: 'to mark what is launched as ours',
  TerminateInstances: 'to end VMs',
  GetConsoleOutput: 'to see how far a VM came that did not join',
} as const

const made = ['instance', 'volume', 'network-interface', 'spot-instances-request', 'fleet', 'launch-template']
const used = [
  'image',
  'snapshot',
  'subnet',
  'security-group',
  'key-pair',
  'network-interface',
  'launch-template',
]
const arn = (kind: string) => `arn:*:ec2:*:*:${kind}/*`
const ec2 = (action: string) => `ec2:${action}`

/**
 * New things must carry the cluster's tag, and only things that carry it can be ended: another cluster's VMs are safe
 * from this one's credentials. https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonec2.html
 */
export function leastPolicy(clusterId: string, pools: readonly AwsConfig[]): Policy {
  const cluster = { [`aws:RequestTag/${ownerTags.cluster}`]: clusterId }
  const ours = { [`aws:ResourceTag/${ownerTags.cluster}`]: clusterId }
  const makes = ['RunInstances', 'CreateFleet', 'CreateLaunchTemplate']
  const parameters = [...new Set(pools.flatMap(({ image }) => ('ssm' in image ? [image.ssm] : [])))]
  const statements: Statement[] = [
    { Sid: 'Ask', Effect: 'Allow', Action: Object.keys(questions).map(ec2), Resource: '*' },
    {
      Sid: 'MakeWithOurTag',
      Effect: 'Allow',
      Action: makes.map(ec2),
      Resource: made.map(arn),
      Condition: { StringEquals: cluster },
    },
    {
      Sid: 'UseForLaunches',
      Effect: 'Allow',
      Action: ['RunInstances', 'CreateFleet'].map(ec2),
      Resource: used.map(arn),
    },
    {
      Sid: 'TagWhatIsMade',
      Effect: 'Allow',
      Action: ['ec2:CreateTags'],
      Resource: made.map(arn),
      Condition: { StringEquals: { 'ec2:CreateAction': makes, ...cluster } },
    },
    {
      Sid: 'EndAndReadOurs',
      Effect: 'Allow',
      Action: ['TerminateInstances', 'GetConsoleOutput', 'DeleteLaunchTemplate'].map(ec2),
      Resource: ['instance', 'launch-template'].map(arn),
      Condition: { StringEquals: ours },
    },
  ]
  if (parameters.length)
    statements.push({
      Sid: 'ReadImageParameter',
      Effect: 'Allow',
      Action: ['ssm:GetParameters'],
      Resource: parameters.map((name) => `arn:*:ssm:*:*:parameter${name}`),
    })
  if (pools.some(({ iam_instance_profile_arn }) => iam_instance_profile_arn))
    statements.push({
      Sid: 'GiveVmsTheirRole',
      Effect: 'Allow',
      Action: ['iam:PassRole'],
      // A profile does not tell the name of its role.
      Resource: 'arn:*:iam::*:role/*',
      Condition: { StringEquals: { 'iam:PassedToService': 'ec2.amazonaws.com' } },
    })
  if (pools.some(({ spot }) => spot.enabled))
    statements.push({
      Sid: 'FirstSpotLaunchOfAnAccount',
      Effect: 'Allow',
      Action: ['iam:CreateServiceLinkedRole'],
      Resource: 'arn:*:iam::*:role/aws-service-role/*',
      Condition: { StringEquals: { 'iam:AWSServiceName': ['spot.amazonaws.com', 'ec2fleet.amazonaws.com'] } },
    })
  return { Version: '2012-10-17', Statement: statements }
}
