import type { Offering } from '../../src/planner/snapshot.ts'
import { systemClock } from '../../src/platform/clock.ts'
import type { Ownership } from '../../src/providers/contract.ts'
import { createCloud, endInstance, noFaults, performLaunch } from '../../src/simulator/cloud.ts'
import { simulatedCluster, simulatedProvider } from '../../src/simulator/provider.ts'
import { orderOf, ownerOf, userDataOf } from '../../src/testing/order.ts'
import { describeProviderContract } from '../../src/testing/provider-contract.ts'
import { abilities, type ProviderHarness } from '../../src/testing/provider-harness.ts'

const offering = (instanceType: string): Offering => ({
  instanceType,
  zone: 'a',
  capacityType: 'on_demand',
  slots: 4,
})

describeProviderContract('simulated', {
  can: [...abilities, 'find', 'traces', 'clusters', 'shared_listing'],
  open: async (): Promise<ProviderHarness> => {
    const owner = ownerOf('default')
    const faults = { ...noFaults }
    const cloud = createCloud({ clock: systemClock, faults, catalogue: { m4: 4, n4: 4 } })
    const order = (count: number, forOwner: Ownership = owner) =>
      orderOf(forOwner, count, ['m4', 'n4'].map(offering), userDataOf('#!/bin/bash\n', 16_384))
    return {
      provider: simulatedProvider(cloud, owner),
      owner,
      open: async (other) => simulatedProvider(cloud, other),
      order,
      knownType: { instanceType: 'm4', slots: 4 },
      unknownId: 'unknown-1',
      agentId: async (id) => id,
      dispose: async () => {},
      openCluster: async (clusterId) => simulatedCluster(cloud, clusterId),
      partialLaunch: (_, count) => {
        faults.quota = () => count
      },
      outOfStock: ({ intent }, count) => {
        faults.stock = ({ instanceType }) =>
          instanceType === intent.offerings[0]?.instanceType ? count : 100
      },
      hideNewInstances: () => {
        faults.hiddenFor = () => 60_000
      },
      async foreignInstance() {
        const foreignOwner = { clusterId: 'none', pool: 'none', writerId: 'none' }
        return performLaunch(cloud, order(1, foreignOwner)).instances[0]!.id
      },
      breakListing: () => {
        faults.listing = () => ({ instances: [], complete: false })
      },
      endInstance: async (id) => endInstance(cloud, cloud.instances.get(id)!, 'its script failed', 'stopped'),
      printOnConsole: async (id, text) => {
        cloud.instances.get(id)!.console += text
      },
    }
  },
})
