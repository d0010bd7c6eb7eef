// Terminates and deletes everything that a trial created, whatever its result.
import {
  DeleteLaunchTemplateCommand,
  DescribeLaunchTemplatesCommand,
  paginateDescribeInstances,
  TerminateInstancesCommand,
} from '@aws-sdk/client-ec2'
import { ownerTags } from '../../src/providers/contract.ts'
import type { Account } from './launches.ts'

/** By the cluster's tag and by the responses to launches: what only one of them shows is terminated as well. */
export async function clearUp({ ec2, owner, ids }: Account): Promise<void> {
  const Filters = [{ Name: `tag:${ownerTags.cluster}`, Values: [owner.clusterId] }]
  const live = new Set(ids)
  for await (const { Reservations = [] } of paginateDescribeInstances({ client: ec2 }, { Filters }))
    for (const { InstanceId = '', State } of Reservations.flatMap(({ Instances = [] }) => Instances))
      if (State?.Name === 'terminated' || State?.Name === 'shutting-down') live.delete(InstanceId)
      else live.add(InstanceId)
  if (live.size) await ec2.send(new TerminateInstancesCommand({ InstanceIds: [...live] }))
  const { LaunchTemplates = [] } = await ec2.send(new DescribeLaunchTemplatesCommand({ Filters }))
  for (const { LaunchTemplateId } of LaunchTemplates)
    await ec2.send(new DeleteLaunchTemplateCommand({ LaunchTemplateId }))
  const ended = live.size ? `${live.size} VMs` : 'no VM'
  console.log(`cleared up: ended ${ended}, removed ${LaunchTemplates.length} launch templates`)
}
