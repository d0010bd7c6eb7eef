import { awsCloud } from '../support/aws-cloud.ts'
import { describeProviderContract } from './provider-contract.ts'
import { abilities, type ProviderHarness } from './provider-harness.ts'

describeProviderContract('aws, on the fake EC2', {
  can: abilities,
  open: async (): Promise<ProviderHarness> => {
    const cloud = await awsCloud()
    const { world } = cloud.ec2
    const stock = ({
      capacityType,
      instanceType,
      zone,
    }: {
      capacityType: string
      instanceType: string
      zone: string
    }) => `${capacityType}/${instanceType}/${zone}`
    return {
      provider: await cloud.open(),
      owner: cloud.owner,
      open: (owner) => cloud.open({}, owner),
      order: (count, owner) => cloud.order(count, undefined, owner),
      knownType: { instanceType: 'g5.12xlarge', slots: 4 },
      agentId: async (id) => world.vms.get(id)!.id,
      partialLaunch({ intent }, count) {
        const [first, ...others] = intent.offerings
        world.stock.set(stock(first!), count)
        for (const offering of others) world.stock.set(stock(offering), 0)
      },
      outOfStock: ({ intent }, count) => world.stock.set(stock(intent.offerings[0]!), count),
      hideNewVms() {
        world.hideNewVms = true
      },
      foreignVm: async () => world.foreignVm(),
      breakListing() {
        cloud.ec2.faults.push({
          action: 'DescribeInstances',
          kind: 'error',
          code: 'UnauthorizedOperation',
          status: 403,
        })
      },
      endVm: async (id) => world.end(id),
      async printOnConsole(id, text) {
        world.vms.get(id)!.console += text
      },
      dispose: cloud.dispose,
    }
  },
})
