// Security groups, EFA, IPv6, placement, tenancy and the KMS key of a pool, in the requests of both ways to launch.
import { describe, expect, it } from 'vitest'
import type { Offering } from '../../../../src/planner/snapshot.ts'
import { efaInterfaces, interfaceCount } from '../../../../src/providers/aws/network.ts'
import { awsLaunch } from '../../../../src/providers/aws/request.ts'
import { type AwsConfig, knownGpuTypes } from '../../../../src/providers/aws/rules.ts'
import { awsConfig, intentOf, master, offering, owner } from '../../../support/cloud-pools.ts'

const facts = { rootDevice: '/dev/xvda', userData: 'eA==' }
const network = { public_ip: false, subnet_id: '', security_group_id: '' }

function steps(more: Partial<AwsConfig>, offerings: Offering[]) {
  const config = awsConfig(more)
  return awsLaunch({ config, owner, setup: { master }, intent: intentOf(offerings) }, facts).steps
}

/** What is launched alike in both ways. */
function machines(more: Partial<AwsConfig>, type = 'g5.xlarge') {
  const spot = offering(type, { capacityType: 'spot', zone: 'subnet-1' })
  const [run] = steps(more, [offering(type, { zone: 'subnet-1' })])
  const [fleet] = steps(more, [spot])
  if (run?.call !== 'RunInstances' || fleet?.call !== 'CreateFleet') throw new Error('expected both calls')
  return [run.request, fleet.template.LaunchTemplateData!] as const
}

describe('security groups', () => {
  it.each([
    [{ security_group_id: 'sg-1' }, ['sg-1']],
    [{ security_group_ids: ['sg-1', 'sg-2'] }, ['sg-1', 'sg-2']],
  ])('%j', (more, Groups) => {
    for (const { NetworkInterfaces } of machines({ network_interface: { ...network, ...more } }))
      expect(NetworkInterfaces).toMatchObject([{ DeviceIndex: 0, Groups, AssociatePublicIpAddress: false }])
  })
})

describe('EFA', () => {
  it.each([
    ['p4d.24xlarge', 4],
    ['p5.48xlarge', 32],
    ['p5en.48xlarge', 16],
    ['g6e.24xlarge', 2],
  ])('has an interface for each network card of %s', (type, count) => {
    const [run, template] = machines(
      { network_interface: { ...network, efa: true, security_group_ids: ['sg-1'] } },
      type,
    )
    for (const { NetworkInterfaces: interfaces = [] } of [run, template]) {
      expect(interfaces).toHaveLength(count)
      expect(interfaces[0]).toMatchObject({ DeviceIndex: 0, NetworkCardIndex: 0, InterfaceType: 'efa' })
      interfaces.slice(1).forEach((one, index) => {
        expect(one).toMatchObject({ DeviceIndex: 1, NetworkCardIndex: index + 1, InterfaceType: 'efa' })
      })
      for (const one of interfaces) {
        expect(one).toMatchObject({ Groups: ['sg-1'], DeleteOnTermination: true })
        expect(one, 'EC2 refuses it for several interfaces').not.toHaveProperty('AssociatePublicIpAddress')
      }
    }
    for (const one of run.NetworkInterfaces!) expect(one.SubnetId).toBe('subnet-1')
    for (const one of template.NetworkInterfaces!) expect(one).not.toHaveProperty('SubnetId')
  })

  it('keeps a public address beside a single interface', () => {
    const [run] = machines({ network_interface: { ...network, public_ip: true, efa: true } }, 'g5.48xlarge')
    expect(run.NetworkInterfaces).toEqual([
      {
        DeviceIndex: 0,
        NetworkCardIndex: 0,
        InterfaceType: 'efa',
        AssociatePublicIpAddress: true,
        DeleteOnTermination: true,
        SubnetId: 'subnet-1',
      },
    ])
  })

  it('has as many interfaces as the pool asks for', () => {
    const [run] = machines({ network_interface: { ...network, efa: 2 } }, 'p9.48xlarge')
    expect(run.NetworkInterfaces).toHaveLength(2)
  })

  it('has a fleet of its own for types with another number of network cards', () => {
    const types = ['p5.48xlarge', 'p5e.48xlarge', 'p4d.24xlarge']
    const spot = types.map((type) => offering(type, { capacityType: 'spot' }))
    const found = steps({ network_interface: { ...network, efa: true } }, spot)
    const sizes = found.map((step) =>
      step.call === 'CreateFleet' ? step.template.LaunchTemplateData!.NetworkInterfaces!.length : 0,
    )
    expect(sizes).toEqual([32, 4])
    expect(found.map(({ request }) => request.ClientToken)).toEqual([intentOf([]).id, `${intentOf([]).id}-1`])
    expect(found.map(({ offerings }) => offerings.map(({ instanceType }) => instanceType))).toEqual([
      ['p5.48xlarge', 'p5e.48xlarge'],
      ['p4d.24xlarge'],
    ])
  })

  it('is known for every GPU type but those with another layout, which are named', () => {
    const unknown = knownGpuTypes().filter((type) => efaInterfaces(type) === undefined)
    expect(new Set(unknown.map((type) => type.split('.')[0]))).toEqual(new Set(['p2', 'p6-b300']))
  })

  it('counts the interfaces of base_config too', () => {
    const count = (efa: boolean, NetworkInterfaces: object[]) =>
      interfaceCount({ network_interface: { efa }, base_config: { NetworkInterfaces } }, 'g6e.24xlarge')
    expect(count(false, [])).toBe(1)
    expect(count(false, [{ DeviceIndex: 0, Groups: [] }, { DeviceIndex: 1 }])).toBe(2)
    expect(count(true, [{ NetworkCardIndex: 1, DeviceIndex: 1 }])).toBe(2)
  })
})

it('IPv6 is assigned to the primary interface only', () => {
  for (const { NetworkInterfaces = [] } of machines(
    { network_interface: { ...network, ipv6: true, efa: true } },
    'p4d.24xlarge',
  ))
    expect(NetworkInterfaces.map((one) => one.Ipv6AddressCount)).toEqual([1, undefined, undefined, undefined])
})

it('placement group and tenancy', () => {
  for (const { Placement } of machines({ placement_group: 'together', tenancy: 'dedicated' }))
    expect(Placement).toEqual({ GroupName: 'together', Tenancy: 'dedicated' })
  for (const machine of machines({})) expect(machine).not.toHaveProperty('Placement')
})

it('no placement group for a launch that is no gang', () => {
  for (const machine of machines({ placement_group: 'per_gang' }))
    expect(machine).not.toHaveProperty('Placement')
  for (const { Placement } of machines({ placement_group: 'per_gang', tenancy: 'dedicated' }))
    expect(Placement).toEqual({ Tenancy: 'dedicated' })
})

it('a KMS key encrypts the volume', () => {
  const volume = { type: 'gp3', size: 200, encrypted: false, kms_key_id: 'alias/agents' } as const
  for (const { BlockDeviceMappings } of machines({ volume }))
    expect(BlockDeviceMappings).toMatchObject([{ Ebs: { Encrypted: true, KmsKeyId: 'alias/agents' } }])
})
