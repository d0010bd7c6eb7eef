// One orphan at one moment: terminated only when it is known to be idle after our drain, or a person ordered it.
import { describe, expect, it } from 'vitest'
import { type Orphan, type OrphanRules, type OrphanView, orphanStep } from '../../../src/planner/orphans.ts'
import { hour, idle, minute, now, second, vm } from '../../support/planner.ts'

const rules: OrphanRules = { terminateAfter: hour, terminateUnknown: false }
const unknownToo = { ...rules, terminateUnknown: true }

function step(given: Partial<Orphan>, view: OrphanView | undefined, used = rules): string {
  const orphan = { ...vm('i1'), isOwn: true, waited: 2 * hour, ...given }
  const found = orphanStep(orphan, view, used, now)
  return found.kind === 'keep' ? found.why : found.kind
}

const seen = (given = {}, at = now): OrphanView => ({ at, agent: idle('i1', now - hour, given) })
const drained = { draining: true, enabled: false }

describe('an orphan', () => {
  it('is drained, and terminated when a younger view shows it drained and idle', () => {
    expect(step({}, seen())).toBe('drain')
    const drainedAt = now - 5 * second
    expect(step({ drainedAt }, seen(drained))).toBe('terminate')
    expect(step({ drainedAt }, seen(drained, now - 6 * second))).toBe('busy')
    expect(step({ drainedAt }, seen())).toBe('busy')
  })

  it('that is busy is drained and kept until it is idle', () => {
    expect(step({}, seen({ busy: true }))).toBe('drain')
    expect(step({ drainedAt: now - minute }, seen({ ...drained, busy: true }))).toBe('busy')
    expect(step({}, seen({ busy: true, connected: false }), unknownToo)).toBe('busy')
  })

  it('unknown to the master counts as busy, unless the rules allow termination', () => {
    const nothing: OrphanView = { at: now, agent: undefined }
    for (const view of [nothing, seen({ connected: false })]) {
      expect(step({}, view)).toBe('unknown')
      expect(step({}, view, unknownToo)).toBe('terminate')
    }
  })

  it('is kept while there is no fresh view of the master, whatever the rules say', () => {
    for (const view of [undefined, seen({}, now - minute), { at: now - minute, agent: undefined }])
      expect(step({ drainedAt: now - hour }, view, unknownToo)).toBe('unknown')
    const slow = { at: now - minute, took: minute, agent: undefined }
    expect(step({ drainedAt: now - hour }, slow, unknownToo)).toBe('terminate')
  })

  it('of another provisioner is left alone, and one of our own while its grace period lasts', () => {
    expect(step({ isOwn: false }, seen(), unknownToo)).toBe('foreign')
    expect(step({ waited: hour - 1 }, seen())).toBe('grace')
    const never = { terminateAfter: undefined, terminateUnknown: true }
    expect(step({}, seen(), never)).toBe('never')
    expect(step({ state: 'stopped', isOwn: false }, undefined)).toBe('foreign')
  })

  it('that is stopped is idle once the master has given up its allocations', () => {
    expect(step({ state: 'stopped' }, { at: now, agent: undefined })).toBe('terminate')
    expect(step({ state: 'stopped' }, seen({ connected: false }))).toBe('terminate')
    expect(step({ state: 'stopped' }, seen({ connected: false, busy: true }))).toBe('busy')
    expect(step({ state: 'stopped' }, undefined)).toBe('unknown')
  })

  it('that a person orders to terminate needs no grace period and no own writer', () => {
    const ordered = { isOwn: false, waited: 0 }
    expect(step({ ...ordered, ordered: 'even_if_busy' }, undefined)).toBe('terminate')
    expect(step({ ...ordered, ordered: 'when_idle' }, seen())).toBe('drain')
    expect(step({ ...ordered, ordered: 'when_idle' }, undefined)).toBe('unknown')
  })
})
