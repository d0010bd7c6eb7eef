// The requests of an EC2 launch, rule by rule. Whole requests are in test/golden/requests.
import { describe, expect, it } from 'vitest'
import type { Offering } from '../../../../src/planner/snapshot.ts'
import type { AwsFacts } from '../../../../src/providers/aws/machine.ts'
import { awsLaunch, withCount } from '../../../../src/providers/aws/request.ts'
import type { AwsConfig } from '../../../../src/providers/aws/rules.ts'
import { awsConfig, intentOf, master, offering, owner } from '../../../support/cloud-pools.ts'

const known: AwsFacts = { rootDevice: '/dev/xvda', userData: 'IyEvYmluL2Jhc2gK' }

function launch(
  more: Partial<AwsConfig> = {},
  offerings: Offering[] = [offering('g5.xlarge')],
  facts = known,
) {
  return awsLaunch({ config: awsConfig(more), owner, setup: { master }, intent: intentOf(offerings) }, facts)
}

function runInstances(more: Partial<AwsConfig> = {}, offerings?: Offering[]) {
  const [step] = launch(more, offerings).steps
  if (step?.call !== 'RunInstances') throw new Error('expected RunInstances')
  return step.request
}

function fleet(more: Partial<AwsConfig> = {}, offerings?: Offering[], facts?: AwsFacts, index = 0) {
  const step = launch(more, offerings, facts).steps[index]
  if (step?.call !== 'CreateFleet') throw new Error('expected CreateFleet')
  return step
}

const spot: Offering[] = [offering('g5.xlarge', { capacityType: 'spot' })]
const twoTypes = [offering('g5.xlarge'), offering('g4dn.xlarge')]

describe('the calls of a launch', () => {
  it('one on-demand offering: one RunInstances for up to n VMs, with the token of the intent', () => {
    expect(runInstances({}, [offering('g5.xlarge', { zone: 'subnet-0a' })])).toMatchObject({
      ClientToken: intentOf([]).id,
      MinCount: 1,
      MaxCount: 3,
      InstanceType: 'g5.xlarge',
      NetworkInterfaces: [{ SubnetId: 'subnet-0a' }],
    })
  })

  it('several types or subnets: one instant fleet, in the order of preference', () => {
    const offerings = [
      offering('g5.xlarge', { zone: 'subnet-0a' }),
      offering('g5.xlarge', { zone: 'subnet-0b' }),
      offering('g4dn.xlarge', { zone: 'subnet-0a' }),
    ]
    const { request } = fleet({}, offerings)
    expect(request).toMatchObject({
      Type: 'instant',
      OnDemandOptions: { AllocationStrategy: 'prioritized' },
      TargetCapacitySpecification: { TotalTargetCapacity: 3, DefaultTargetCapacityType: 'on-demand' },
    })
    expect(request.LaunchTemplateConfigs?.[0]?.Overrides).toEqual([
      { InstanceType: 'g5.xlarge', SubnetId: 'subnet-0a', Priority: 0 },
      { InstanceType: 'g5.xlarge', SubnetId: 'subnet-0b', Priority: 1 },
      { InstanceType: 'g4dn.xlarge', SubnetId: 'subnet-0a', Priority: 2 },
    ])
  })

  it('spot: a fleet that prefers capacity to price, terminates, and pays at most the maximum price', () => {
    const { request } = fleet({ spot: { enabled: true, max_price: '0.5', fallback: 'none' } }, spot)
    expect(request).toMatchObject({
      SpotOptions: {
        AllocationStrategy: 'price-capacity-optimized',
        InstanceInterruptionBehavior: 'terminate',
      },
      TargetCapacitySpecification: { DefaultTargetCapacityType: 'spot' },
      LaunchTemplateConfigs: [{ Overrides: [{ InstanceType: 'g5.xlarge', MaxPrice: '0.5' }] }],
    })
  })

  it('spot without a maximum price sends none', () => {
    const override = fleet({}, spot).request.LaunchTemplateConfigs?.[0]?.Overrides?.[0]
    expect(override).toEqual({ InstanceType: 'g5.xlarge' })
  })

  it('spot with a fallback: the on-demand call comes second, with a token of its own and no price', () => {
    const { steps } = launch({ spot: { enabled: true, max_price: '1', fallback: 'on_demand' } }, [
      ...spot,
      offering('g5.xlarge'),
    ])
    expect(steps.map(({ call }) => call)).toEqual(['CreateFleet', 'RunInstances'])
    expect(steps[1]!.request.ClientToken).toBe(`${intentOf([]).id}-1`)
    expect(steps[1]!.request.ClientToken!.length).toBeLessThanOrEqual(64)
  })

  it('for the rest of the VMs, a step differs only in the number', () => {
    const { steps } = launch({}, [...spot, offering('g5.xlarge')])
    for (const step of steps) {
      const fewer = JSON.stringify(withCount(step, 1))
      const expected = JSON.stringify(step).replace('"TotalTargetCapacity":3', '"TotalTargetCapacity":1')
      expect(fewer).toBe(expected.replace('"MaxCount":3', '"MaxCount":1'))
    }
  })
})

describe('the launch template of a fleet', () => {
  it('is named by its content: other user data, other name; another intent, the same name', () => {
    const name = fleet({}, twoTypes).template.LaunchTemplateName
    expect(name).toMatch(/^agent-provisioner-gpu-[0-9a-f]{24}$/)
    expect(fleet({}, twoTypes, { ...known, userData: 'b3RoZXI=' }).template.LaunchTemplateName).not.toBe(name)
    const config = awsConfig()
    const later = awsLaunch(
      { config, owner, setup: { master }, intent: intentOf(twoTypes, 7, 'another') },
      known,
    )
    expect(later.steps[0]).toMatchObject({ template: { LaunchTemplateName: name } })
  })

  it('has no name while the user data is unknown', () => {
    expect(fleet({}, twoTypes, {}).template.LaunchTemplateName).toContain('<hash of the template>')
  })

  it('has a name that EC2 accepts, whatever the name of the pool', () => {
    const pool = `Großer Pool/${'x'.repeat(200)}`
    const { steps } = awsLaunch(
      { config: awsConfig(), owner: { ...owner, pool }, setup: { master }, intent: intentOf(twoTypes) },
      known,
    )
    const [step] = steps
    expect(step?.call === 'CreateFleet' && step.template.LaunchTemplateName).toMatch(
      /^[a-zA-Z0-9().\-/_]{3,128}$/,
    )
  })

  it.each([
    ['spot', spot, ['network-interface', 'spot-instances-request']],
    ['on-demand', twoTypes, ['network-interface']],
  ])('tags what a fleet of %s VMs cannot', (_, offerings, expected) => {
    const { template, request } = fleet({}, offerings)
    const kinds = template.LaunchTemplateData?.TagSpecifications?.map((tags) => tags.ResourceType)
    expect(kinds).toEqual(expected)
    expect(request.TagSpecifications?.map((tags) => tags.ResourceType)).toEqual([
      'instance',
      'volume',
      'fleet',
    ])
  })
})

describe('the machine', () => {
  it('accepts metadata requests only with a token, terminates when it powers off, has its own root device', () => {
    expect(runInstances()).toMatchObject({
      MetadataOptions: { HttpTokens: 'required', HttpPutResponseHopLimit: 1 },
      InstanceInitiatedShutdownBehavior: 'terminate',
      BlockDeviceMappings: [
        { DeviceName: '/dev/xvda', Ebs: { VolumeType: 'gp3', DeleteOnTermination: true } },
      ],
    })
  })

  it('requests nothing that the pool does not set', () => {
    const request = runInstances()
    expect(request).not.toHaveProperty('KeyName')
    expect(request).not.toHaveProperty('IamInstanceProfile')
    expect(request.BlockDeviceMappings?.[0]?.Ebs).not.toHaveProperty('Encrypted')
    expect(request.NetworkInterfaces?.[0]).not.toHaveProperty('Groups')
    expect(request.NetworkInterfaces?.[0]).not.toHaveProperty('SubnetId')
  })

  it('has the disk, network, profile and key of the pool', () => {
    expect(
      runInstances({
        volume: { type: 'io2', size: 300, encrypted: true, iops: 5000 },
        network_interface: { public_ip: false, subnet_id: '', security_group_id: 'sg-1' },
        iam_instance_profile_arn: 'arn:profile',
        ssh_key_name: 'ops',
      }),
    ).toMatchObject({
      BlockDeviceMappings: [{ Ebs: { VolumeType: 'io2', VolumeSize: 300, Encrypted: true, Iops: 5000 } }],
      NetworkInterfaces: [{ AssociatePublicIpAddress: false, Groups: ['sg-1'] }],
      IamInstanceProfile: { Arn: 'arn:profile' },
      KeyName: 'ops',
    })
  })

  it('warns that containers reach the metadata service if the hop limit allows it', () => {
    const codes = (hops: number) => launch({ metadata_hop_limit: hops }).problems.map(({ code }) => code)
    expect(codes(2)).toEqual(['REQUEST_METADATA_OPEN'])
    expect(codes(1)).toEqual([])
  })
})

describe('values that only AWS knows', () => {
  it('are named in one warning, and have placeholders', () => {
    const { region, problems } = launch(
      { region: undefined, image: { owner: '099720109477', name: 'ubuntu-*' }, tag_value: undefined },
      undefined,
      {},
    )
    expect(region).toMatch(/^<from AWS_REGION/)
    expect(problems).toMatchObject([
      {
        code: 'REQUEST_UNKNOWN_OFFLINE',
        severity: 'warning',
        details: {
          unknown: [
            expect.stringContaining('region'),
            'image <newest image ubuntu-* of 099720109477>',
            expect.stringContaining('root device'),
            expect.stringContaining('tag managed_by'),
          ],
        },
      },
    ])
  })

  it('are not warned about once they are known', () => {
    const config = { region: undefined, tag_value: undefined, image: { ssm: '/image' } }
    const facts = { ...known, region: 'eu-west-1', imageId: 'ami-1', tagValue: 'i-master' }
    const { region, steps, problems } = launch(config, undefined, facts)
    expect(problems).toEqual([])
    expect(region).toBe('eu-west-1')
    expect(JSON.stringify(steps)).not.toContain('<')
    expect(steps[0]!.request).toMatchObject({ ImageId: 'ami-1' })
  })
})
