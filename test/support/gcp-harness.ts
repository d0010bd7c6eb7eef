// The Google Cloud provider with the fake Compute Engine, for the contract suite.
import type { Offering } from '../../src/planner/snapshot.ts'
import type { ProviderHarness } from '../../src/testing/provider-harness.ts'
import type { GcpCloud } from './gcp-cloud.ts'

export async function gcpHarness(cloud: GcpCloud): Promise<ProviderHarness> {
  const { world } = cloud.gce
  const stock = ({ capacityType, instanceType, zone }: Offering) => `${capacityType}/${instanceType}/${zone}`
  return {
    provider: await cloud.open(),
    owner: cloud.owner,
    open: (owner) => cloud.open({}, owner),
    order: (count, owner) => cloud.order(count, undefined, owner),
    knownType: { instanceType: 'g2-standard-48', slots: 4 },
    unknownId: 'det-0123456789abcdef-1',
    agentId: async (id) => world.vms.get(id)!.name,
    partialLaunch({ intent }, count) {
      const [first, ...others] = intent.offerings
      world.stock.set(stock(first!), count)
      for (const offering of others) world.stock.set(stock(offering), 0)
    },
    outOfStock: ({ intent }, count) => world.stock.set(stock(intent.offerings[0]!), count),
    hideNewInstances() {
      world.hideNewVms = true
    },
    foreignInstance: async () => world.foreignVm(),
    breakListing() {
      cloud.gce.faults.push({ action: 'list', kind: 'error', reason: 'forbidden', status: 403 })
    },
    endInstance: async (id) => world.end(id),
    async printOnConsole(id, text) {
      world.vms.get(id)!.serial += text
    },
    openCluster: cloud.openCluster,
    dispose: cloud.dispose,
  }
}
