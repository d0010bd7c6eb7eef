// The provider contract on LocalStack, for both ways of launching; what it cannot show is declared.
import { DescribeInstancesCommand, RunInstancesCommand, TerminateInstancesCommand } from '@aws-sdk/client-ec2'
import { describeProviderContract } from '../../src/testing/provider-contract.ts'
import type { Ability, ProviderHarness } from '../../src/testing/provider-harness.ts'
import { localStackCloud } from './cloud.ts'

/**
 * LocalStack never runs out of capacity, remembers no ClientToken, accepts user data of any size, shows VMs at once and
 * runs none of them, so that consoles are empty. It has no placement groups: their calls return 501, and `Placement.GroupName`
 * of a launch is ignored.
 */
const can: Ability[] = ['foreign_vms', 'self_ending', 'vms_outlive_close', 'find', 'cloud_time', 'traces']

/** @param offerings number of offerings of a launch: several use a fleet, one uses RunInstances */
async function openHarness(offerings: number): Promise<ProviderHarness> {
  const cloud = await localStackCloud()
  const { ec2, owner, image } = cloud
  return {
    provider: await cloud.open(),
    owner,
    open: (by) => cloud.open({}, by),
    order: (count, by) => cloud.order(count, cloud.offerings.slice(0, offerings), by),
    knownType: { instanceType: 'g5.12xlarge', slots: 4 },
    unknownId: 'i-0123456789abcdef0',
    async agentId(id) {
      const { Reservations } = await ec2.send(new DescribeInstancesCommand({ InstanceIds: [id] }))
      return Reservations![0]!.Instances![0]!.InstanceId!
    },
    async foreignInstance() {
      const request = { ImageId: image, InstanceType: 'm5.large', MinCount: 1, MaxCount: 1 } as const
      return (await ec2.send(new RunInstancesCommand(request))).Instances![0]!.InstanceId!
    },
    async endInstance(id) {
      await ec2.send(new TerminateInstancesCommand({ InstanceIds: [id] }))
    },
    dispose: cloud.dispose,
  }
}

describeProviderContract('aws, fleets on LocalStack', {
  can: [...can, 'max_count'],
  open: () => openHarness(2),
})

/** LocalStack's RunInstances launches MinCount VMs, which is one. */
describeProviderContract('aws, RunInstances on LocalStack', { can, open: () => openHarness(1) })
