// A launch step as the RunInstances call that could be tried in its place: the same machine, one VM, the first offering.
import type { RunInstancesRequest } from '@aws-sdk/client-ec2'
import type { LaunchStep } from './launch-steps.ts'

export function runInstancesOf(step: LaunchStep): RunInstancesRequest {
  if (step.call === 'RunInstances') return step.request
  const machine = step.template.LaunchTemplateData as RunInstancesRequest
  const { TagSpecifications: tags = [], NetworkInterfaces: [network] = [] } = machine
  const [{ instanceType, zone, capacityType }] = step.offerings as [LaunchStep['offerings'][number]]
  return {
    ...machine,
    MinCount: 1,
    MaxCount: 1,
    InstanceType: instanceType as NonNullable<RunInstancesRequest['InstanceType']>,
    NetworkInterfaces: [{ ...network, ...(zone ? { SubnetId: zone } : {}) }],
    ...(capacityType === 'spot' ? { InstanceMarketOptions: { MarketType: 'spot' } } : {}),
    // All of them: a policy may demand our tag on each thing that a launch makes.
    TagSpecifications: [...(step.request.TagSpecifications ?? []), ...tags].filter(
      ({ ResourceType }) => ResourceType !== 'fleet',
    ),
  }
}
