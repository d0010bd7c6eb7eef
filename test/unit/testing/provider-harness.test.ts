// A harness that lacks the member for a claimed ability is rejected by name.
import { expect, it } from 'vitest'
import { systemClock } from '../../../src/platform/clock.ts'
import { createCloud, noFaults } from '../../../src/simulator/cloud.ts'
import { simulatedProvider } from '../../../src/simulator/provider.ts'
import { orderOf, ownerOf, userDataOf } from '../../../src/testing/order.ts'
import { checkHarness, type ProviderHarness } from '../../../src/testing/provider-harness.ts'

const owner = ownerOf('default')
const cloud = createCloud({ clock: systemClock, faults: noFaults, catalogue: { m4: 4 } })
const harness: ProviderHarness = {
  provider: simulatedProvider(cloud, owner),
  owner,
  open: async (other) => simulatedProvider(cloud, other),
  order: (count) => orderOf(owner, count, [], userDataOf('#!/bin/bash\n')),
  knownType: { instanceType: 'm4', slots: 4 },
  unknownId: 'unknown-1',
  agentId: async (id) => id,
  dispose: async () => {},
  breakListing() {},
}

it('accepts a harness with all members', () => {
  expect(() => checkHarness(harness, ['max_count', 'broken_listing', 'vms_outlive_close'])).not.toThrow()
})

it('names the ability and the member that is missing', () => {
  expect(() => checkHarness(harness, ['max_count', 'self_ending'])).toThrow(
    new TypeError('for the ability self_ending, the harness needs the member endInstance'),
  )
})
