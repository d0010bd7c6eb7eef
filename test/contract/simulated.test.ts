import { randomUUID } from 'node:crypto'
import { systemClock } from '../../src/platform/clock.ts'
import type { LaunchOrder, Ownership } from '../../src/providers/contract.ts'
import { createCloud, endVm, noFaults, performLaunch } from '../../src/simulator/cloud.ts'
import { simulatedProvider } from '../../src/simulator/provider.ts'
import { describeProviderContract } from '../../src/testing/provider-contract.ts'
import { abilities, type ProviderHarness } from '../../src/testing/provider-harness.ts'
import { userDataOf } from '../../src/testing/user-data.ts'

describeProviderContract('simulated', {
  can: abilities,
  open: async (): Promise<ProviderHarness> => {
    const owner = { clusterId: randomUUID(), pool: 'default', writerId: randomUUID() }
    const faults = { ...noFaults }
    const cloud = createCloud({ clock: systemClock, faults, catalogue: { m4: 4, n4: 4 } })
    const order = (count: number, forOwner: Ownership = owner): LaunchOrder => ({
      intent: {
        id: randomUUID(),
        count,
        offerings: ['m4', 'n4'].map((instanceType) => ({
          instanceType,
          zone: 'a',
          capacityType: 'on_demand' as const,
          slots: 4,
        })),
      },
      owner: forOwner,
      userData: userDataOf('#!/bin/bash\n', 16_384),
    })
    return {
      provider: simulatedProvider(cloud, owner),
      owner,
      open: async (other) => simulatedProvider(cloud, other),
      order,
      knownType: { instanceType: 'm4', slots: 4 },
      agentId: async (id) => id,
      dispose: async () => {},
      partialLaunch: (_, count) => {
        faults.quota = () => count
      },
      outOfStock: ({ intent }, count) => {
        faults.stock = ({ instanceType }) =>
          instanceType === intent.offerings[0]?.instanceType ? count : 100
      },
      hideNewVms: () => {
        faults.hiddenFor = () => 60_000
      },
      async foreignVm() {
        const stranger = { clusterId: 'none', pool: 'none', writerId: 'none' }
        return performLaunch(cloud, order(1, stranger)).instances[0]!.id
      },
      breakListing: () => {
        faults.listing = () => ({ instances: [], complete: false })
      },
      endVm: async (id) => endVm(cloud, cloud.vms.get(id)!, 'its script failed', 'stopped'),
      printOnConsole: async (id, text) => {
        cloud.vms.get(id)!.console += text
      },
    }
  },
})
