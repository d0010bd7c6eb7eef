// What base_config of an AWS pool may contain, and how it is merged over the requests of both ways to launch.
import { describe, expect, it } from 'vitest'
import { baseFaults, withBase } from '../../../../src/providers/aws/base-config.ts'
import fields from '../../../../src/providers/aws/instance-fields.json' with { type: 'json' }
import { awsLaunch } from '../../../../src/providers/aws/request.ts'
import { awsConfig, intentOf, master, offering, owner } from '../../../support/cloud-pools.ts'
import { instanceFields } from '../../../support/ec2-model.ts'

const reported = (base: object, usesTemplates = false) =>
  baseFaults(base, usesTemplates).map(({ message }) => message)

describe('base_config', () => {
  it('has the same fields as the SDK', () => {
    expect(fields, 'run `node scripts/aws-instance-fields.ts`').toEqual(instanceFields())
  })

  it('may contain any field of RunInstances that the provisioner does not set', () => {
    const base = {
      BlockDeviceMappings: [{ DeviceName: '/dev/sdb', Ebs: { VolumeSize: 100, VolumeType: 'gp3' } }],
      NetworkInterfaces: [{ DeviceIndex: 0, Groups: ['sg-1'], Ipv6AddressCount: 1 }],
      Placement: { GroupName: 'g', Tenancy: 'dedicated', PartitionNumber: 1 },
      CpuOptions: { CoreCount: 2, ThreadsPerCore: 1 },
      CapacityReservationSpecification: {
        CapacityReservationTarget: { CapacityReservationId: 'cr-1' },
      },
      MetadataOptions: { HttpTokens: 'required', InstanceMetadataTags: 'enabled' },
      Monitoring: { Enabled: true },
      EbsOptimized: true,
      DisableApiTermination: false,
      CreditSpecification: { CpuCredits: 'unlimited' },
      EnclaveOptions: { Enabled: false },
      LicenseSpecifications: [{ LicenseConfigurationArn: 'arn:aws:license-manager:::x' }],
    }
    expect(reported(base)).toEqual([])
    expect(reported(base, true)).toEqual([])
  })

  it('may contain no other name and no value of another type, at any depth', () => {
    expect(
      baseFaults(
        {
          Placement: { GroupNam: 'g' },
          NetworkInterfaces: [{}, { Groups: 'sg-1', DeviceIndex: '0' }],
          BlockDeviceMappings: { DeviceName: '/dev/sda1' },
          CpuOptions: { CoreCount: 1.5, ThreadsPerCore: null },
          EbsOptimized: 'yes',
          Monitoring: true,
          ebsOptimized: true,
        },
        false,
      ),
    ).toEqual([
      {
        path: ['base_config', 'Placement', 'GroupNam'],
        part: 'key',
        message: "base_config.Placement.GroupNam is not a field of EC2's RunInstances",
        remedy: 'Did you mean "GroupName"?',
      },
      expect.objectContaining({
        path: ['base_config', 'NetworkInterfaces', 1, 'Groups'],
        part: 'value',
        message: 'base_config.NetworkInterfaces[1].Groups must be a list, but is "sg-1"',
      }),
      expect.objectContaining({
        message: 'base_config.NetworkInterfaces[1].DeviceIndex must be an integer, but is "0"',
        remedy: 'Write an integer, without quotes.',
      }),
      expect.objectContaining({ path: ['base_config', 'BlockDeviceMappings'] }),
      expect.objectContaining({ message: expect.stringContaining('must be an integer, but is 1.5') }),
      expect.objectContaining({ path: ['base_config', 'CpuOptions', 'ThreadsPerCore'] }),
      expect.objectContaining({ message: 'base_config.EbsOptimized must be a boolean, but is "yes"' }),
      expect.objectContaining({ message: 'base_config.Monitoring must be a mapping, but is true' }),
      expect.objectContaining({
        path: ['base_config', 'ebsOptimized'],
        remedy: 'Did you mean "EbsOptimized"?',
      }),
    ])
  })

  it('knows the values of enums', () => {
    expect(reported({ Placement: { Tenancy: 'dedicatd' } })).toEqual([
      'base_config.Placement.Tenancy must be one of dedicated, default, host, but is "dedicatd"',
    ])
  })

  it.each([
    ['UserData', 'x', /starts the agent/],
    ['MinCount', 1, /jobs that wait/],
    ['MaxCount', 1, /jobs that wait/],
    ['ClientToken', 'x', /repeated launch/],
    ['DryRun', true, /nothing would be launched/],
    ['LaunchTemplate', {}, /own launch templates/],
    ['InstanceInitiatedShutdownBehavior', 'stop', /powers itself off/],
    ['TagSpecifications', [], /custom_tags/],
    ['ImageId', 'ami-1', /Use image\./],
    ['InstanceType', 'g5.xlarge', /instance_types/],
    ['KeyName', 'ops', /ssh_key_name/],
    ['IamInstanceProfile', { Name: 'x' }, /iam_instance_profile_arn/],
    ['SubnetId', 'subnet-1', /subnet_ids/],
    ['SecurityGroupIds', ['sg-1'], /security_group/],
    ['InstanceMarketOptions', {}, /spot/],
    ['PrivateIpAddress', '10.0.0.1', /single instance/],
    ['NetworkInterfaces', [{ SubnetId: 'subnet-1' }], /subnet_ids/],
    ['NetworkInterfaces', [{ NetworkInterfaceId: 'eni-1' }], /single instance/],
    ['MetadataOptions', { HttpTokens: 'optional' }, /IMDSv2/],
    ['MetadataOptions', { HttpEndpoint: 'disabled' }, /reads the id/],
    ['MetadataOptions', { HttpPutResponseHopLimit: 3 }, /metadata_hop_limit/],
    ['DisableApiTermination', true, /could not terminate/],
  ])('does not set %s %j, and says why', (field, value, why) => {
    const faults = baseFaults({ [field]: value }, false)
    expect(faults).toHaveLength(1)
    expect(`${faults[0]!.message}. ${faults[0]!.remedy}`).toMatch(why)
    expect(faults[0]!.message).toMatch(new RegExp(`^base_config\\.${field}`))
  })

  it('refuses what launch templates lack only where they are used', () => {
    const base = { RamdiskId: 'ari-1', BlockDeviceMappings: [{ Ebs: { OutpostArn: 'arn:x' } }] }
    expect(reported(base)).toEqual([])
    expect(reported(base, true)).toEqual([
      expect.stringMatching(/^base_config\.RamdiskId cannot be used in this pool: launch templates/),
      expect.stringMatching(/^base_config\.BlockDeviceMappings\[0\]\.Ebs\.OutpostArn cannot/),
    ])
  })
})

describe('merging', () => {
  const ours = {
    BlockDeviceMappings: [{ DeviceName: '/dev/xvda', Ebs: { VolumeSize: 200, VolumeType: 'gp3' } }],
    NetworkInterfaces: [{ DeviceIndex: 0, DeleteOnTermination: true, Groups: ['sg-ours'] }],
    MetadataOptions: { HttpTokens: 'required' },
  }

  it('keeps the fields of ours that it does not name', () => {
    expect(withBase(ours, { MetadataOptions: { InstanceMetadataTags: 'enabled' } }, '/dev/xvda')).toEqual({
      ...ours,
      MetadataOptions: { HttpTokens: 'required', InstanceMetadataTags: 'enabled' },
    })
  })

  it('merges block devices by name, of which the root device is the default, and adds others', () => {
    const BlockDeviceMappings = [
      { Ebs: { Encrypted: true } },
      { DeviceName: '/dev/xvda', Ebs: { VolumeSize: 300 } },
      { DeviceName: '/dev/sdb', VirtualName: 'ephemeral0' },
    ]
    expect(withBase(ours, { BlockDeviceMappings }, '/dev/xvda').BlockDeviceMappings).toEqual([
      { DeviceName: '/dev/xvda', Ebs: { VolumeSize: 300, VolumeType: 'gp3', Encrypted: true } },
      { DeviceName: '/dev/sdb', VirtualName: 'ephemeral0' },
    ])
  })

  it('merges network interfaces by card and index, of which 0 is the default, and replaces other lists', () => {
    const NetworkInterfaces = [
      { Groups: ['sg-1', 'sg-2'] },
      { DeviceIndex: 1, NetworkCardIndex: 1, InterfaceType: 'efa' },
    ]
    expect(withBase(ours, { NetworkInterfaces }, '/dev/xvda').NetworkInterfaces).toEqual([
      { DeviceIndex: 0, DeleteOnTermination: true, Groups: ['sg-1', 'sg-2'] },
      { DeviceIndex: 1, NetworkCardIndex: 1, InterfaceType: 'efa' },
    ])
    expect(ours.NetworkInterfaces[0]!.Groups).toEqual(['sg-ours'])
  })

  it.each([
    ['RunInstances', [offering('g5.xlarge', { zone: 'subnet-1' })]],
    ['CreateFleet', [offering('g5.xlarge'), offering('g6.xlarge')]],
    ['CreateFleet', [offering('g5.xlarge', { capacityType: 'spot' })]],
  ] as const)('is part of what %s launches', (call, offerings) => {
    const base_config = { Placement: { GroupName: 'g' }, NetworkInterfaces: [{ Groups: ['sg-1', 'sg-2'] }] }
    const config = awsConfig({ base_config })
    const facts = { rootDevice: '/dev/xvda', userData: 'eA==' }
    const [step] = awsLaunch(
      { config, owner, setup: { master }, intent: intentOf([...offerings]) },
      facts,
    ).steps
    expect(step!.call).toBe(call)
    const data = step!.call === 'RunInstances' ? step!.request : step!.template.LaunchTemplateData
    expect(data).toMatchObject({
      Placement: { GroupName: 'g' },
      NetworkInterfaces: [{ DeviceIndex: 0, Groups: ['sg-1', 'sg-2'], DeleteOnTermination: true }],
      UserData: 'eA==',
    })
  })

  it('of a volume without size for another device than the root is refused once that is known', () => {
    const BlockDeviceMappings = [{ DeviceName: '/dev/sda1', Ebs: { KmsKeyId: 'alias/agents' } }]
    const problemsOf = (rootDevice?: string) =>
      awsLaunch(
        {
          config: awsConfig({ base_config: { BlockDeviceMappings } }),
          owner,
          setup: { master },
          intent: intentOf([offering('g5.xlarge')]),
        },
        rootDevice ? { rootDevice } : {},
      ).problems.filter(({ code }) => code === 'REQUEST_BASE_CONFIG')
    expect(problemsOf('/dev/sda1')).toEqual([])
    expect(problemsOf()).toEqual([])
    expect(problemsOf('/dev/xvda')).toMatchObject([
      {
        severity: 'error',
        message: expect.stringContaining('/dev/sda1 is not the root device of the image'),
      },
    ])
  })
})
