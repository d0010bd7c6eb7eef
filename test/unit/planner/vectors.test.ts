// plan() on the vectors of Determined's provisioner: the same results, except for the rows of docs/internals/planner.md
// they name.
import { describe, expect, it } from 'vitest'
import { demandVectors, launchCase, launchVectors, removalVectors } from '../../support/determined-vectors.ts'
import { launched, offering, planned, removed } from '../../support/planner.ts'

describe("plan() on the vectors of Determined's provisioner", () => {
  it.each(demandVectors)('launches for: $name, $slots slots a VM, $maxAux auxiliary an agent', (vector) => {
    const { pending, slots, maxAux } = vector
    const decisions = planned({ pending, offerings: [offering('m', slots)] }, { maxAuxPerAgent: maxAux })
    expect(launched(decisions)).toBe(vector.ours?.vms ?? vector.desired)
  })

  it.each(removalVectors)('removes: $name', ({ instances, agents, policy, removed: expected }) => {
    expect(removed(planned({ instances, agents }, policy))).toEqual(expected)
  })

  it.each(launchVectors)(
    'launches: min $min, max $max, desired $desired, $vms VMs, $recent recent',
    (vector) => {
      const rules = { minInstances: vector.min, maxInstances: vector.max }
      expect(launched(planned(launchCase(vector), rules))).toBe(vector.launched)
    },
  )
})
