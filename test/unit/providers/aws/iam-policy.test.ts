// The minimal policy contains every call that the provider makes, and ties every change to our tag.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { leastPolicy, type Policy } from '../../../../src/providers/aws/iam-policy.ts'
import { awsConfig } from '../../../support/cloud-pools.ts'
import { root } from '../../../support/sources.ts'

const profile = 'arn:aws:iam::123456789012:instance-profile/agent'
const everything = awsConfig({
  image: { ssm: '/agent/image' },
  spot: { enabled: true, fallback: 'on_demand' },
  subnet_ids: ['subnet-a', 'subnet-b'],
  network_interface: { public_ip: false, subnet_id: '', security_group_id: 'sg-1' },
  ssh_key_name: 'ops',
  placement_group: 'together',
  capacity: { reservation: 'cr-0123456789', only: false },
  iam_instance_profile_arn: profile,
})
/** One type, one subnet, on demand: nothing but RunInstances. */
const plain = {
  image: { id: 'ami-2' },
  instance_types: [{ type: 'g5.xlarge', slots: 1 }],
  subnet_ids: [],
  network_interface: { public_ip: true, subnet_id: '', security_group_id: '' },
  spot: { enabled: false, fallback: 'none' as const },
  iam_instance_profile_arn: '',
}
type More = Parameters<typeof awsConfig>[0]

const policyOf = (...pools: More[]) =>
  leastPolicy(
    'prod',
    pools.map((more) => awsConfig({ ...plain, ...more })),
  )
const actionsOf = ({ Statement }: Policy) => [...new Set(Statement.flatMap(({ Action }) => Action))].sort()
const cluster = 'agent-provisioner:cluster'
const statement = ({ Statement }: Policy, sid: string) => Statement.find(({ Sid }) => Sid === sid)

describe('the minimal policy', () => {
  const policy = leastPolicy('prod', [everything, { ...everything, placement_group: 'per_gang' }])

  it('allows every command of the client if all of them are used, and CreateTags', () => {
    const client = readFileSync(join(root, 'src/providers/aws/client.ts'), 'utf8')
    const commands = [...client.matchAll(/: (\w+)Command,/g)].map(([, name]) => `ec2:${name}`)
    expect(commands.length).toBeGreaterThan(10)
    const ofEc2 = actionsOf(policy).filter((action) => action.startsWith('ec2:'))
    expect(ofEc2).toEqual([...commands, 'ec2:CreateTags'].sort())
  })

  it('allows a pool of one offering what it needs, and nothing else', () => {
    expect(actionsOf(policyOf({}))).toEqual([
      'ec2:CreateTags',
      'ec2:DescribeImages',
      'ec2:DescribeInstanceTypes',
      'ec2:DescribeInstances',
      'ec2:GetConsoleOutput',
      'ec2:RunInstances',
      'ec2:TerminateInstances',
    ])
    const kinds = JSON.stringify(policyOf({}))
    expect(kinds).not.toMatch(/fleet|launch-template|key-pair|spot|iam:/)
  })

  it.each([
    ['a key pair', { ssh_key_name: 'ops' }, ['ec2:DescribeKeyPairs']],
    [
      'a security group',
      { network_interface: { ...plain.network_interface, security_group_id: 'sg-1' } },
      ['ec2:DescribeSecurityGroups'],
    ],
    [
      'several security groups',
      { network_interface: { ...plain.network_interface, security_group_ids: ['sg-1', 'sg-2'] } },
      ['ec2:DescribeSecurityGroups'],
    ],
    [
      'a capacity reservation',
      { capacity: { reservation: 'cr-0123456789', only: false } },
      ['ec2:DescribeCapacityReservations'],
    ],
    ['any open reservation', { capacity: { reservation: 'open', only: false } }, []],
    ['a placement group', { placement_group: 'together' }, ['ec2:DescribePlacementGroups']],
    [
      'a placement group for each gang',
      { placement_group: 'per_gang' },
      ['ec2:CreatePlacementGroup', 'ec2:DeletePlacementGroup', 'ec2:DescribePlacementGroups'],
    ],
    [
      'a KMS key',
      { volume: { type: 'gp3', size: 200, encrypted: false, kms_key_id: 'alias/agents' } },
      [
        'kms:CreateGrant',
        'kms:Decrypt',
        'kms:DescribeKey',
        'kms:GenerateDataKeyWithoutPlaintext',
        'kms:ReEncrypt*',
      ],
    ],
    ['a subnet', { subnet_ids: ['subnet-a'] }, ['ec2:DescribeInstanceTypeOfferings', 'ec2:DescribeSubnets']],
    [
      'a parameter',
      { image: { ssm: '/agent/image' } },
      [
        'ec2:CreateLaunchTemplate',
        'ec2:DeleteLaunchTemplate',
        'ec2:DescribeLaunchTemplateVersions',
        'ec2:DescribeLaunchTemplates',
        'ssm:GetParameters',
      ],
    ],
    [
      'several types on demand',
      { instance_types: [...plain.instance_types, { type: 'g5.12xlarge', slots: 4 }] },
      [
        'ec2:CreateFleet',
        'ec2:CreateLaunchTemplate',
        'ec2:DeleteLaunchTemplate',
        'ec2:DescribeLaunchTemplates',
        'iam:CreateServiceLinkedRole',
      ],
    ],
    [
      'spot',
      { spot: { enabled: true, fallback: 'none' as const } },
      [
        'ec2:CreateFleet',
        'ec2:CreateLaunchTemplate',
        'ec2:DeleteLaunchTemplate',
        'ec2:DescribeLaunchTemplates',
        'ec2:DescribeSpotInstanceRequests',
        'iam:CreateServiceLinkedRole',
      ],
    ],
    ['a profile', { iam_instance_profile_arn: profile }, ['iam:PassRole']],
  ] as [string, More, string[]][])('adds for %s only what it needs', (_, more, added) => {
    const without = actionsOf(policyOf({}))
    const actions = actionsOf(policyOf(more))
    expect(actions.filter((action) => !without.includes(action))).toEqual(added)
    expect(without.filter((action) => !actions.includes(action))).toEqual([])
  })

  it('allows nothing to be created or terminated without the tag of the cluster', () => {
    const changing = policy.Statement.filter(({ Action }) =>
      Action.some((one) => /Terminate|Delete|Create(?:Tags|Fleet|Launch)|RunInstances/.test(one)),
    ).filter(({ Sid }) => Sid !== 'UseForLaunches')
    expect(changing.length).toBeGreaterThanOrEqual(5)
    for (const { Condition } of changing)
      expect(JSON.stringify(Condition)).toMatch(
        /aws:(Request|Resource)Tag\/agent-provisioner:cluster":"prod"/,
      )
    expect(JSON.stringify(statement(policy, 'UseForLaunches'))).not.toMatch(/:(?:instance|volume|fleet)\//)
  })

  it('fits into a managed policy', () => {
    expect(JSON.stringify(policy).length).toBeLessThan(6144)
  })
})

describe('roles that can be passed', () => {
  const other = 'arn:aws-cn:iam::210987654321:instance-profile/path/other'
  const launch = (policy: Policy) => statement(policy, 'LaunchWithOurTag')!

  it('are those of the profiles of the pools, because a launch can have no other', () => {
    const policy = policyOf({ iam_instance_profile_arn: profile }, { iam_instance_profile_arn: other })
    expect(launch(policy)).toMatchObject({
      Action: ['ec2:RunInstances'],
      Resource: ['arn:*:ec2:*:*:instance/*'],
      Condition: { ArnEquals: { 'ec2:InstanceProfile': [profile, other] } },
    })
    expect(statement(policy, 'GiveVmsTheirRole')).toMatchObject({
      Resource: ['arn:aws:iam::123456789012:role/*', 'arn:aws-cn:iam::210987654321:role/*'],
      Condition: { StringEquals: { 'iam:PassedToService': 'ec2.amazonaws.com' } },
    })
    const launching = policy.Statement.filter(({ Action }) => Action.includes('ec2:RunInstances'))
    const elsewhere = launching.filter(({ Sid }) => Sid !== 'LaunchWithOurTag')
    expect(elsewhere.flatMap(({ Resource }) => Resource)).not.toContain('arn:*:ec2:*:*:instance/*')
  })

  it('may be none if a pool has no profile', () => {
    const policy = policyOf({ iam_instance_profile_arn: profile }, {})
    expect(launch(policy).Condition).toMatchObject({
      ArnEqualsIfExists: { 'ec2:InstanceProfile': [profile] },
    })
  })

  it('are none without a profile', () => {
    expect(JSON.stringify(policyOf({}))).not.toMatch(/PassRole|InstanceProfile/)
  })
})

it.each([
  ['/my/image', '/my/image'],
  ['/my/image:3', '/my/image'],
  ['/my/image:stable', '/my/image'],
  ['image', '/image'],
  ['image:3', '/image'],
])('the parameter %s is allowed by its name', (ssm, name) => {
  const found = statement(policyOf({ image: { ssm } }), 'ReadImageParameter')
  expect(found!.Resource).toEqual([`arn:*:ssm:*:*:parameter${name}`])
})

it('allows a parameter by its ARN if it is named by that', () => {
  const ssm = 'arn:aws:ssm:us-west-2:123456789012:parameter/shared/image:7'
  const found = statement(policyOf({ image: { ssm } }), 'ReadImageParameter')
  expect(found!.Resource).toEqual(['arn:aws:ssm:us-west-2:123456789012:parameter/shared/image'])
})

it.each([
  ['on demand', false, ['ec2fleet.amazonaws.com']],
  ['on spot', true, ['ec2fleet.amazonaws.com', 'spot.amazonaws.com']],
])('the roles of fleets %s can be made', (_, enabled, services) => {
  const spot = { enabled, fallback: 'none' as const }
  const policy = policyOf({ spot, subnet_ids: ['subnet-a', 'subnet-b'] })
  const found = statement(policy, 'FirstFleetOfAnAccount')!
  expect(found.Condition).toEqual({ StringEquals: { 'iam:AWSServiceName': services } })
  for (const resource of found.Resource) expect(resource).toContain('/AWSServiceRoleForEC2')
})

it('names the KMS keys of volumes, keys behind an alias by the alias, and what launches use', () => {
  const arn = 'arn:aws:kms:us-west-2:123456789012:key/1234'
  const volume = (kms_key_id: string) =>
    ({ volume: { type: 'gp3', size: 200, encrypted: false, kms_key_id } }) as const
  const policy = policyOf(volume(arn), volume('abcd'), volume('alias/agents'))
  expect(statement(policy, 'UseKeysOfVolumes')).toMatchObject({ Resource: [arn, 'arn:*:kms:*:*:key/abcd'] })
  expect(statement(policy, 'UseKeysOfVolumes')).not.toHaveProperty('Condition')
  expect(statement(policy, 'GrantKeysToVolumesByAlias')).toMatchObject({
    Resource: 'arn:*:kms:*:*:key/*',
    Condition: {
      'ForAnyValue:StringEquals': { 'kms:ResourceAliases': ['alias/agents'] },
      Bool: { 'kms:GrantIsForAWSResource': 'true' },
    },
  })
  const group = 'arn:aws:resource-groups:us-west-2:123456789012:group/training'
  const capacity = { reservation: group, only: false }
  const used = statement(policyOf({ placement_group: 'together', capacity }), 'UseForLaunches')
  expect(used!.Resource).toEqual(expect.arrayContaining(['arn:*:ec2:*:*:capacity-reservation/*', group]))
  expect(used!.Resource).toContain('arn:*:ec2:*:*:placement-group/*')
})

it('makes and deletes only placement groups with our tag, and may launch into them', () => {
  const policy = policyOf({ placement_group: 'per_gang' })
  const groups = 'arn:*:ec2:*:*:placement-group/*'
  const [request, resource] = [`aws:RequestTag/${cluster}`, `aws:ResourceTag/${cluster}`]
  expect(statement(policy, 'MakeWithOurTag')).toMatchObject({
    Action: ['ec2:CreatePlacementGroup'],
    Resource: expect.arrayContaining([groups]),
    Condition: { StringEquals: { [request]: 'prod' } },
  })
  expect(statement(policy, 'TagWhatIsMade')).toMatchObject({
    Resource: expect.arrayContaining([groups]),
    Condition: {
      StringEquals: { 'ec2:CreateAction': ['RunInstances', 'CreatePlacementGroup'], [request]: 'prod' },
    },
  })
  expect(statement(policy, 'EndAndReadOurs')).toMatchObject({
    Action: expect.arrayContaining(['ec2:DeletePlacementGroup']),
    Resource: expect.arrayContaining([groups]),
    Condition: { StringEquals: { [resource]: 'prod' } },
  })
  expect(statement(policy, 'UseForLaunches')!.Resource).toContain(groups)
})
