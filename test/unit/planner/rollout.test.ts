// Rollouts: which outdated instances leave, when, and what is launched before.
import { describe, expect, it } from 'vitest'
import { planWithTrace } from '../../../src/planner/index.ts'
import { outdatedBy } from '../../../src/planner/outdated.ts'
import type {
  KnownAgent,
  KnownInstance,
  Policy,
  RolloutRules,
  RolloutState,
  Snapshot,
} from '../../../src/planner/snapshot.ts'
import {
  briefly,
  busy,
  coming,
  hour,
  idle,
  minute,
  now,
  offering,
  policy,
  second,
  snapshot,
  vm,
  work,
  works,
} from '../../support/planner.ts'

const proven: RolloutState = { generation: 'new', proven: true, paused: false, open: true }
const unproven: RolloutState = { ...proven, proven: false }
const rules: RolloutRules = { when: 'idle', maxUnavailable: { count: 1 }, surge: { count: 1 } }
const budget: RolloutRules = { ...rules, when: 'budget' }

const draining = { draining: true, enabled: false }
const idleLong = now - 10 * minute

function old(id: string, given: Partial<KnownInstance> = {}): KnownInstance {
  return vm(id, { generation: 'old', drifted: ['image'], ...given })
}

function fresh(id: string, given: Partial<KnownInstance> = {}): KnownInstance {
  return vm(id, { generation: 'new', ...given })
}

/** An old one that a rollout has taken out of service. */
function rolled(id: string, given: Partial<KnownInstance> = {}): KnownInstance {
  return old(id, { rolledSince: now - hour, drainedAt: now - hour, ...given })
}

type Pair = [KnownInstance, KnownAgent?]

function pool(pairs: Pair[], given: Partial<Snapshot> = {}): Partial<Snapshot> {
  const agents = pairs.flatMap(([, agent]) => agent ?? [])
  return { instances: pairs.map(([instance]) => instance), agents, rollout: proven, ...given }
}

function idleOld(...ids: string[]): Pair[] {
  return ids.map((id) => [old(id), idle(id, idleLong)])
}

function busyOld(...ids: string[]): Pair[] {
  return ids.map((id) => [old(id), busy(id)])
}

function waitsOf(given: Partial<Snapshot>, limits: Partial<Policy>) {
  return planWithTrace(snapshot(given), policy(limits), now).trace?.rollout?.waits
}

describe('with rollout.when idle, an outdated instance', () => {
  const limits = { rollout: rules }

  it('leaves when it is idle and no job needs it, and not before', () => {
    expect(briefly(pool(idleOld('i1')), limits)).toEqual(['drain i1 DRIFTED'])
    expect(briefly(pool(busyOld('i1')), limits)).toEqual([])
    expect(briefly(pool(idleOld('i1'), { pending: [work('w', 4)] }), limits)).toEqual([])
    expect(briefly(pool([[old('i1'), idle('i1', now - 20 * second)]]), limits)).toEqual([])
    expect(waitsOf(pool(busyOld('i1')), limits)).toEqual({ BUSY: 1 })
    expect(waitsOf(pool(idleOld('i1'), { pending: [work('w', 4)] }), limits)).toEqual({ NEEDED: 1 })
  })

  it('is terminated once it is shown as drained, and stays if a job needs it before', () => {
    const given = pool([[rolled('i1'), idle('i1', idleLong, draining)]])
    expect(briefly(given, limits)).toEqual(['terminate i1 DRIFTED'])
    expect(briefly({ ...given, pending: [work('w', 4)] }, limits)).toEqual(['undrain i1 NEEDED_AGAIN'])
  })

  it('is passed over in favour of another that waiting jobs can use', () => {
    const pairs: Pair[] = [...idleOld('i1'), [fresh('i2'), idle('i2', idleLong - minute)]]
    expect(briefly(pool(pairs, { pending: [work('w', 4)] }), limits)).toEqual(['drain i1 DRIFTED'])
  })

  it('goes first where idle instances are too many anyway', () => {
    const pairs: Pair[] = [
      [old('i1'), idle('i1', now - 30 * minute)],
      [fresh('i2'), idle('i2', now - hour)],
    ]
    const given = pool(pairs, { rollout: { ...proven, paused: true } })
    expect(briefly(given, { ...limits, minInstances: 1 })).toContain('drain i1 LONG_IDLE')
  })
})

describe('no outdated instance leaves', () => {
  const given = pool(idleOld('i1'))
  const limits = { rollout: rules }

  it('without a rollout in the policy or the snapshot, or with rollout.when never', () => {
    expect(briefly(given)).toEqual([])
    expect(briefly({ ...given, rollout: undefined as never }, limits)).toEqual([])
    expect(briefly(given, { rollout: { ...rules, when: 'never' } })).toEqual([])
    expect(waitsOf(given, { rollout: { ...rules, when: 'never' } })).toEqual({ NEVER: 1 })
  })

  it('whose generation is not known', () => {
    expect(briefly(pool([[vm('i1'), idle('i1', idleLong)]]), limits)).toEqual([])
  })

  it('while a person paused the rollout, or its schedule is closed; those that left go on', () => {
    const begun = pool([[rolled('i1'), idle('i1', idleLong, draining)], ...idleOld('i2')])
    for (const [rollout, wait] of [
      [{ ...proven, paused: true }, 'PAUSED'],
      [{ ...proven, open: false }, 'SCHEDULE'],
    ] as const) {
      expect(waitsOf({ ...given, rollout }, limits)).toEqual({ [wait]: 1 })
      const decisions = briefly({ ...begun, rollout }, limits)
      expect(decisions).toContain('terminate i1 DRIFTED')
      expect(decisions.join()).not.toContain('i2')
    }
    expect(briefly({ ...given, rollout: { ...proven, paused: true } }, limits)).toEqual([
      'hold ROLLOUT_PAUSED',
    ])
  })

  it('while nothing can be launched in its place', () => {
    const until = now + minute
    const refused = [offering('m4', 4, { refused: { class: 'capacity', until, failures: 1 } })]
    const holds = [{ code: 'LAUNCH_NOT_READY', stops: ['launch'] }] as const
    for (const block of [
      { offerings: refused },
      { holds },
      { breaker: { state: 'open', until, failures: 3 } },
    ])
      expect(waitsOf({ ...given, ...(block as Partial<Snapshot>) }, limits)).toEqual({ LAUNCHES: 1 })
  })

  it('that a person took out of service, whose connection broke, or that has not joined yet', () => {
    const pairs: Pair[] = [
      [old('i1'), idle('i1', idleLong, { enabled: false })],
      [old('i2', { lostSince: now - second }), idle('i2', idleLong, { connected: false })],
      [coming('i3', { drifted: ['image'] })],
    ]
    expect(briefly(pool(pairs), limits)).toEqual([])
    expect(waitsOf(pool(pairs), limits)).toEqual({ AWAY: 2, JOINING: 1 })
  })
})

describe('a new generation that failed', () => {
  const failed: RolloutState = { ...unproven, failed: 'NEVER_JOINED' }

  it('stops the rollout, and gives back what was taken out of service for it', () => {
    const given = pool([[rolled('i1'), busy('i1', draining)], ...idleOld('i2')], { rollout: failed })
    expect(briefly(given, { rollout: budget })).toEqual(['undrain i1 NEEDED_AGAIN', 'hold ROLLOUT_STOPPED'])
  })

  it('blocks nothing where nothing is outdated', () => {
    expect(briefly(pool([[fresh('i1'), busy('i1')]], { rollout: failed }), { rollout: budget })).toEqual([])
  })
})

describe('with rollout.when budget', () => {
  it('busy instances get no more jobs, the oldest first, within max_unavailable', () => {
    const pairs: Pair[] = [
      [old('i1', { knownSince: now - 2 * hour }), busy('i1')],
      [old('i2', { knownSince: now - 3 * hour }), busy('i2')],
      ...busyOld('i3'),
    ]
    expect(briefly(pool(pairs), { rollout: budget })).toEqual(['drain i2 DRIFTED'])
    const two = { ...budget, maxUnavailable: { count: 2 } }
    expect(briefly(pool(pairs), { rollout: two })).toEqual(['drain i1,i2 DRIFTED'])
    expect(waitsOf(pool(pairs), { rollout: two })).toEqual({ BUDGET: 1 })
  })

  it('idle ones go before busy ones', () => {
    expect(briefly(pool([...busyOld('i1'), ...idleOld('i2')]), { rollout: budget })).toEqual([
      'drain i2 DRIFTED',
    ])
  })

  it('those that are out of service count, also while their connections are broken', () => {
    const begun: Pair = [rolled('i1'), busy('i1', draining)]
    expect(briefly(pool([begun, ...busyOld('i2')]), { rollout: budget })).toEqual([])
    const lost: Pair = [
      rolled('i1', { lostSince: now - second }),
      busy('i1', { ...draining, connected: false }),
    ]
    expect(briefly(pool([lost, ...busyOld('i2')]), { rollout: budget })).toEqual([])
  })

  it('a percentage is one of the instances of the pool, rounded down, and one at least', () => {
    const of = (percent: number) => ({ ...budget, maxUnavailable: { percent } })
    const pairs = busyOld('i1', 'i2', 'i3', 'i4', 'i5')
    expect(briefly(pool(pairs), { rollout: of(10) })).toEqual(['drain i1 DRIFTED'])
    expect(briefly(pool(pairs), { rollout: of(50) })).toEqual(['drain i1,i2 DRIFTED'])
  })

  it('a busy instance is never terminated, however long it takes', () => {
    const given = pool([[rolled('i1', { rolledSince: now - 1000 * hour }), busy('i1', draining)]])
    expect(briefly(given, { rollout: budget })).toEqual([])
  })

  it('waiting jobs do not keep an instance that is out of service; others are launched for them', () => {
    const given = pool([[rolled('i1'), idle('i1', idleLong, draining)]], { pending: [work('w', 4)] })
    expect(briefly(given, { rollout: budget })).toEqual(['terminate i1 DRIFTED', 'launch 1 m4/a'])
  })

  it('one that was out of service and lost its connection gets no jobs either', () => {
    const agent = idle('i1', idleLong, { ...draining, connected: false })
    const given = pool([[rolled('i1', { lostSince: now - second }), agent]], { pending: [work('w', 4)] })
    expect(briefly(given, { rollout: budget })).toEqual(['launch 1 m4/a'])
  })
})

describe('drain_timeout', () => {
  const timed = { ...budget, drainTimeout: hour }

  it('terminates a busy instance, but only that one, and only when it is over', () => {
    const over: Pair = [rolled('i1', { rolledSince: now - hour }), busy('i1', draining)]
    const later: Pair = [rolled('i2', { rolledSince: now - hour + 1 }), busy('i2', draining)]
    const limits = { rollout: { ...timed, maxUnavailable: { count: 2 } } }
    expect(briefly(pool([over, later, ...busyOld('i3')]), limits)).toEqual(['terminate i1 DRAIN_TIMEOUT'])
  })

  it('does not touch a busy instance that was ordered to leave when idle', () => {
    const given = pool([[rolled('i1', { ordered: 'when_idle' }), busy('i1', draining)]])
    const limits = { rollout: { ...timed, maxUnavailable: { count: 2 } } }
    expect(briefly(given, limits)).toEqual([])
  })
})

describe('min_instances', () => {
  const limits = { minInstances: 2, rollout: rules }

  it('a replacement joins before an old instance leaves', () => {
    const two = idleOld('i1', 'i2')
    expect(briefly(pool(two), limits)).toEqual(['launch 1 m4/a'])
    expect(waitsOf(pool(two), limits)).toEqual({ MINIMUM: 2 })
    const starting: Pair = [coming('n1', { generation: 'new' })]
    expect(briefly(pool([...two, starting]), limits)).toEqual([])
    const joined: Pair = [fresh('n1'), idle('n1', idleLong)]
    expect(briefly(pool([...two, joined]), limits)).toEqual(['drain i1 DRIFTED'])
  })

  it('no second replacement is launched while an old instance still leaves', () => {
    const pairs: Pair[] = [
      [rolled('i1'), busy('i1', draining)],
      [old('i2'), busy('i2')],
      [fresh('n1'), busy('n1')],
    ]
    expect(briefly(pool(pairs), { ...limits, rollout: budget })).toEqual([])
  })

  it('several are replaced at once where surge and max_unavailable allow it', () => {
    const many = { ...rules, maxUnavailable: { count: 3 }, surge: { count: 2 } }
    const four = { minInstances: 4, rollout: many }
    expect(briefly(pool(idleOld('i1', 'i2', 'i3', 'i4')), four)).toEqual(['launch 2 m4/a'])
  })

  it('an instance that is away or not listed does not count as one that stays', () => {
    const away: Pair = [fresh('n1'), idle('n1', idleLong, { enabled: false })]
    expect(briefly(pool([...idleOld('i1', 'i2'), away]), limits)).toEqual(['launch 1 m4/a'])
    const unshown: Pair = [fresh('n1', { missingSince: now - second }), idle('n1', idleLong)]
    expect(briefly(pool([...idleOld('i1', 'i2'), unshown]), limits)).toEqual([])
  })

  it('idle instances above it need no replacement', () => {
    expect(briefly(pool(idleOld('i1', 'i2', 'i3')), limits)).toEqual(['drain i1 DRIFTED'])
  })

  it('where max_instances is no higher, one leaves before its replacement, within max_unavailable', () => {
    const tight = { minInstances: 2, maxInstances: 2, rollout: rules }
    expect(briefly(pool(idleOld('i1', 'i2')), tight)).toEqual(['drain i1 DRIFTED'])
    const starting: Pair = [coming('n1', { generation: 'new' })]
    expect(briefly(pool([starting, ...idleOld('i2')]), tight)).toEqual([])
  })

  it('a long idle old instance does not leave because its replacement is starting or has just joined', () => {
    const long: Pair[] = ['i1', 'i2'].map((id) => [old(id), idle(id, now - hour)])
    const given = pool([...long, [coming('n1', { generation: 'new' })]], { rollout: unproven })
    expect(briefly(given, limits)).toEqual([])
    const joined: Pair = [fresh('n1', { joinedAt: now - minute }), idle('n1', now - minute)]
    expect(briefly(pool([...long, joined], { rollout: unproven }), limits)).toEqual([])
  })
})

describe('a generation that has not proven itself', () => {
  const limits = {
    minInstances: 2,
    rollout: { ...budget, maxUnavailable: { count: 5 }, surge: { count: 5 } },
  }
  const given = pool(busyOld('i1', 'i2', 'i3'), { rollout: unproven })

  it('is tried with one instance, and no old one leaves before', () => {
    expect(briefly(given, limits)).toEqual(['launch 1 m4/a'])
    expect(waitsOf(given, limits)).toEqual({ FIRST: 3 })
    const trial = (agent: KnownAgent | undefined, joinedAt?: number): Pair => [
      fresh('n1', { knownSince: now - 5 * minute, joinedAt: joinedAt as number }),
      agent,
    ]
    const instances = (pair: Pair) => pool([...busyOld('i1', 'i2', 'i3'), pair], { rollout: unproven })
    expect(briefly(instances(trial(undefined)), limits)).toEqual([])
    expect(briefly(instances(trial(busy('n1'), now - minute)), limits)).toEqual([])
    // It has lasted by our clock, and the view of the master is older.
    expect(briefly(instances(trial(busy('n1'), now - 2 * minute)), limits)).toEqual([])
    const lost = trial(busy('n1', { connected: false }), now - 3 * minute)
    expect(briefly(instances(lost), limits)).toEqual([])
    expect(briefly(instances(trial(busy('n1'), now - 3 * minute)), limits)).toContain('drain i1,i2 DRIFTED')
  })

  it.each([{ ending: true }, { condemned: true }])(
    'is not proven by an instance that is being terminated, whose agent still shows: %o',
    (given) => {
      const over: Pair = [fresh('n1', { joinedAt: now - 3 * minute, ...given }), busy('n1')]
      const decisions = briefly(pool([...busyOld('i1', 'i2', 'i3'), over], { rollout: unproven }), limits)
      expect(decisions.join()).not.toContain('DRIFTED')
    },
  )

  it('is not proven by an instance that has fewer slots than it should', () => {
    const short: Pair = [fresh('n1'), idle('n1', now - minute, { slots: 2 })]
    const decisions = briefly(pool([...busyOld('i1', 'i2', 'i3'), short], { rollout: unproven }), limits)
    expect(decisions.join()).not.toContain('DRIFTED')
  })

  it('is tried by an instance that jobs need, if there is one', () => {
    expect(briefly({ ...given, pending: [work('w', 4)] }, limits)).toEqual(['launch 1 m4/a'])
    const inFlight = [{ intentId: 'a', offerings: [offering('m4', 4)], missing: 1 }]
    expect(briefly({ ...given, pending: [work('w', 4)], inFlight }, limits)).toEqual([])
  })

  it('gets no instance that would only be idle', () => {
    const none = { ...limits, minInstances: 0 }
    expect(briefly(pool(idleOld('i1', 'i2'), { rollout: unproven }), none)).toEqual([])
    expect(briefly(pool(busyOld('i1'), { rollout: unproven }), { ...none, rollout: rules })).toEqual([])
  })

  it('gets the room of one old instance where max_instances leaves none', () => {
    const full = { ...limits, maxInstances: 3 }
    expect(briefly(given, full)).toEqual(['drain i1 DRIFTED'])
    const tight = { ...limits, minInstances: 3, maxInstances: 3 }
    expect(briefly(given, tight)).toEqual(['drain i1 DRIFTED'])
    const begun = pool([[rolled('i1'), busy('i1', draining)], ...busyOld('i2', 'i3')], { rollout: unproven })
    expect(briefly(begun, full)).toEqual([])
    expect(briefly(begun, tight)).toEqual([])
  })

  it('proves itself again where agents may not be able to join, or after failures in a row', () => {
    const known = { ...given, rollout: proven }
    for (const doubt of [{ probe: true }, { breaker: { state: 'probing', failures: 3 } }] as const) {
      expect(briefly({ ...known, ...doubt }, limits)).toEqual(['launch 1 m4/a'])
      const pairs: Pair[] = [...busyOld('i1', 'i2', 'i3'), [fresh('n1'), busy('n1')]]
      expect(briefly({ ...pool(pairs), ...doubt }, limits)).toEqual(['launch 1 m4/a'])
    }
  })
})

describe('max_lifetime', () => {
  const aged = { ...rules, maxLifetime: 10 * hour }

  it('replaces it as one that has drifted, which is the reason that is named', () => {
    const young = fresh('i1', { knownSince: now - 8 * hour })
    const given = fresh('i1', { knownSince: now - 10 * hour })
    const limits = { rollout: aged }
    expect(outdatedBy(young, limits, now)).toBeUndefined()
    expect(outdatedBy(given, limits, now)).toBe('MAX_LIFETIME')
    expect(outdatedBy({ ...given, drifted: ['image'] }, limits, now)).toBe('DRIFTED')
    expect(briefly(pool([[given, idle('i1', idleLong)]]), limits)).toEqual(['drain i1 MAX_LIFETIME'])
    expect(briefly(pool([[given, idle('i1', idleLong)]]), { rollout: rules })).toEqual([])
  })
})

describe('jobs beside a rollout', () => {
  it('get launches in place of the instances that get no more jobs', () => {
    const half = busy('i1', { freeSlots: 2 })
    const given = pool([[old('i1'), half]], { pending: works(1, 2) })
    expect(briefly(given, { rollout: budget })).toEqual(['drain i1 DRIFTED', 'launch 1 m4/a'])
    expect(briefly(given, { rollout: rules })).toEqual([])
  })
})
