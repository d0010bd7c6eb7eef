import { describe, expect, it } from 'vitest'
import {
  classifyAsDetermined,
  desiredByDetermined,
  planAsDetermined,
} from '../../../src/simulator/determined-policy.ts'
import { demandVectors, launchCase, launchVectors, removalVectors } from '../../support/determined-vectors.ts'
import {
  busy,
  hour,
  idle,
  launched,
  minute,
  now,
  offering,
  policy,
  removed,
  snapshot,
  vm,
} from '../../support/planner.ts'

describe("the demand formula of Determined's provisioner", () => {
  it.each(demandVectors)('$name, $slots slots a VM, $maxAux auxiliary an agent → $desired', (vector) => {
    expect(desiredByDetermined(vector.pending, vector.slots, vector.maxAux)).toBe(vector.desired)
  })
})

describe("the classes of Determined's provisioner", () => {
  const periods = policy({ maxIdle: 10 * minute, bootTimeout: 10 * minute })
  const timers = (kind: 'idle' | 'disconnected', since: number) => ({
    idle: new Map<string, number>(),
    disconnected: new Map<string, number>(),
    [kind]: new Map([['i1', since]]),
  })
  const classesOf = (
    instance: Parameters<typeof vm>[1],
    agents: Parameters<typeof classifyAsDetermined>[0]['agents'],
    memory = timers('idle', 0),
  ) => classifyAsDetermined({ instances: [vm('i1', instance)], agents }, periods, now, memory)

  it('include a stopped VM', () => {
    expect(classesOf({ state: 'stopped' }, [])).toMatchObject({ stopped: ['i1'], counted: [] })
  })

  it('treat an unconnected VM launched a minute ago as recently launched', () => {
    expect(classesOf({ knownSince: now - minute }, [])).toMatchObject({ recentlyLaunched: ['i1'] })
  })

  it('forget that a connected VM was disconnected', () => {
    const classes = classesOf({}, [busy('i1')], timers('disconnected', now - hour))
    expect(classes.timers.disconnected.size).toBe(0)
  })

  it('start the timer of a VM that is disconnected', () => {
    const classes = classesOf({}, [])
    expect(classes).toMatchObject({ disconnected: ['i1'], longDisconnected: [] })
    expect(classes.timers.disconnected.get('i1')).toBe(now)
  })

  it('keep the timer of a VM that stays disconnected, and count it as long after the period', () => {
    const classes = classesOf({}, [], timers('disconnected', now - hour))
    expect(classes).toMatchObject({ disconnected: ['i1'], longDisconnected: ['i1'] })
    expect(classes.timers.disconnected.get('i1')).toBe(now - hour)
  })

  it('forget that a busy VM was idle', () => {
    expect(classesOf({}, [busy('i1')], timers('idle', now - hour)).timers.idle.size).toBe(0)
  })

  it('start the timer of a VM that is idle', () => {
    const classes = classesOf({}, [idle('i1')], timers('disconnected', 0))
    expect(classes).toMatchObject({ idle: ['i1'], longIdle: [] })
    expect(classes.timers.idle.get('i1')).toBe(now)
  })

  it('keep the timer of a VM that stays idle, and count it as long after the period', () => {
    expect(classesOf({}, [idle('i1')], timers('idle', now - hour))).toMatchObject({ longIdle: ['i1'] })
  })

  it('ignore a VM that is stopping or of unknown state', () => {
    for (const state of ['stopping', 'terminated', 'unknown'] as const)
      expect(classesOf({ state }, [])).toMatchObject({ counted: [], stopped: [] })
  })
})

describe("the decisions of Determined's provisioner", () => {
  it.each(removalVectors)('$name', (vector) => {
    const timers = {
      idle: new Map(Object.entries(vector.idleSince ?? {})),
      disconnected: new Map(Object.entries(vector.disconnectedSince ?? {})),
    }
    const { decisions } = planAsDetermined({ ...snapshot(), ...vector }, policy(vector.policy), now, timers)
    expect(removed(decisions)).toEqual(vector.removed)
  })

  it.each(launchVectors)(
    'min $min, max $max, desired $desired, $vms VMs, $recent recent → launch $launched',
    (vector) => {
      const given = { ...snapshot({ offerings: [offering('m4', 4)] }), ...launchCase(vector) }
      const rules = policy({ minInstances: vector.min, maxInstances: vector.max })
      expect(launched(planAsDetermined(given, rules, now).decisions)).toBe(vector.launched)
    },
  )

  it('takes two ticks to terminate what becomes idle, because its timers start when it lists', () => {
    const given = snapshot({ instances: [vm('i1'), vm('i2')], agents: [idle('i1', 0), idle('i2', 0)] })
    const rules = policy({ maxIdle: 50 })
    const first = planAsDetermined(given, rules, now)
    expect(first.decisions).toEqual([])
    expect(removed(planAsDetermined(given, rules, now + 100, first.timers).decisions)).toEqual(['i1', 'i2'])
  })
})
