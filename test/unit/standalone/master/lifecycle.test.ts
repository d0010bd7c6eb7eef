import { describe, expect, it } from 'vitest'
import {
  type Agent,
  connected,
  disconnected,
  refusal,
  shownDraining,
  shownEnabled,
  started,
  takesWork,
  withoutUnknown,
} from '../../../../src/standalone/master/agent.ts'
import { pastReconnectPeriod } from '../../../../src/standalone/protocol/messages.ts'

const gpu = { id: 0, brand: 'T4', uuid: 'GPU-0', type: 'cuda' } as const
const join = { id: 'i-1', version: '0.38.1', resourcePool: 'gpu', reconnect: false, hostname: 'h' }
const link = { address: '10.0.0.1' }
const mayJoin = (_: string, id: string) =>
  id === 'i-1' ? 'yes' : id === 'i-9' ? 'later' : id === 'i-3' ? 'ended' : id === 'i-4' ? 'absent' : 'no'
const rules = {
  hasPool: (pool: string) => pool === 'gpu' || pool === 'open',
  takesAny: (pool: string) => pool === 'open',
  mayJoin,
  mayReturn: (pool: string, id: string) => (pool === 'retired' ? mayJoin(pool, id) : 'no'),
  isForgotten: (id: string) => id === 'i-8',
}
const hello = { Version: '0.38.1', Devices: [gpu], ContainersReattached: [], ResourcePoolName: 'gpu' }

function fresh(): Agent {
  return connected(undefined, join, link, 1, 1000)
}

function joined(): Agent {
  const step = started(fresh(), hello, 2000)
  if (step.kind === 'changed') throw new Error(step.reason)
  return step.agent
}

const away = () => disconnected(joined(), 10_000, 25_000)!
const returning = () => connected(away(), { ...join, reconnect: true }, { address: '10.0.0.2' }, 2, 20_000)

describe('an agent that dials', () => {
  it('may join a pool that there is, as an instance of it', () => {
    expect(refusal(undefined, join, rules)).toBeUndefined()
  })

  it.each([
    [
      'a pool that there is not',
      { resourcePool: 'cpu' },
      500,
      'cannot find specified resource pool cpu for agent i-1',
    ],
    [
      'an id no instance has',
      { id: 'i-2' },
      403,
      'agent i-2 is not an instance of resource pool gpu; set agents: any to let other agents join',
    ],
    [
      'the id of an instance that has ended',
      { id: 'i-3' },
      403,
      'the instance of agent i-3 in resource pool gpu no longer runs',
    ],
    ['reconnect, and nobody knows it', { reconnect: true }, 500, pastReconnectPeriod],
  ])('is refused with %s', (_, change, status, message) => {
    expect(refusal(undefined, { ...join, ...change }, rules)).toMatchObject({ status, message })
  })

  it('is asked to come again while nobody can say whether its id is an instance', () => {
    expect(refusal(undefined, { ...join, id: 'i-9' }, rules)).toEqual({
      kind: 'not known yet',
      status: 503,
      message: 'agent i-9 is not a known instance of resource pool gpu yet',
      retryAfter: 5,
    })
  })

  it('of a pool that is gone may come back if it is one of its last instances', () => {
    const answer = (id: string) => refusal(undefined, { ...join, id, resourcePool: 'retired' }, rules)?.status
    expect([answer('i-1'), answer('i-9'), answer('i-2')]).toEqual([undefined, 503, 500])
  })

  it.each([
    ['connecting', fresh()],
    ['joined', joined()],
    ['returning', returning()],
  ])('is refused while another socket has its id: %s', (_, known) => {
    for (const reconnect of [true, false])
      expect(refusal(known, { ...join, reconnect }, rules)).toEqual({
        kind: 'connected already',
        status: 500,
        message: 'agent: websocket already connected',
      })
  })

  it('is taken back inside the window, whether it calls that a reconnect or not', () => {
    for (const reconnect of [true, false])
      expect(refusal(away(), { ...join, reconnect }, rules)).toBeUndefined()
  })

  it('is taken back while nobody can say whether its instance is still there: what runs on it is ours', () => {
    expect(refusal({ ...away(), id: 'i-9' }, { ...join, id: 'i-9' }, rules)).toBeUndefined()
  })

  it.each(['i-2', 'i-3'])('is not taken back when its instance is known to be gone: %s', (id) => {
    for (const reconnect of [true, false])
      expect(refusal({ ...away(), id }, { ...join, id, reconnect }, rules)).toMatchObject({ status: 403 })
  })

  it('waits while the newest listing does not show its instance', () => {
    expect(refusal({ ...away(), id: 'i-4' }, { ...join, id: 'i-4' }, rules)).toMatchObject({ status: 503 })
    expect(refusal(undefined, { ...join, id: 'i-4' }, rules)).toMatchObject({ status: 503 })
  })

  it('that was in one pool is not let in by the rules of another', () => {
    const claim = { ...join, id: 'i-2', resourcePool: 'open' }
    expect(refusal({ ...away(), id: 'i-2' }, claim, rules)).toMatchObject({ status: 403 })
    expect(refusal(undefined, claim, rules)).toBeUndefined()
  })
})

describe('an agent that the master may have forgotten with its state', () => {
  const there = (id: string, state: 'RUNNING' | 'TERMINATED' = 'RUNNING') => ({
    Container: { id, state, devices: [gpu], description: '' },
    Failure: null,
  })
  const met = () => connected(undefined, { ...join, reconnect: true }, link, 1, 1000)
  const isOfJob = (id: string) => id === 'ours'

  it('may join although it calls that a reconnect, if it is an instance', () => {
    const forgotten = { ...rules, mayJoin: () => 'yes' as const }
    expect(refusal(undefined, { ...join, id: 'i-8', reconnect: true }, forgotten)).toBeUndefined()
    expect(refusal(undefined, { ...join, id: 'i-8', reconnect: true }, rules)).toMatchObject({ status: 403 })
    expect(refusal(undefined, { ...join, id: 'i-7', reconnect: true }, forgotten)).toMatchObject({
      status: 500,
    })
  })

  it('keeps the containers of unknown jobs until each has ended', () => {
    const acks = [there('ours'), there('x'), there('y'), there('z', 'TERMINATED')]
    const step = started(met(), { ...hello, ContainersReattached: acks }, 2000, isOfJob)
    if (step.kind === 'changed') throw new Error(step.reason)
    expect(step.agent.unknownContainers?.map(({ id }) => id)).toEqual(['x', 'y'])
    expect(withoutUnknown(step.agent, 'ours')).toBeUndefined()
    const left = withoutUnknown(step.agent, 'x')!
    expect(left.unknownContainers?.map(({ id }) => id)).toEqual(['y'])
    expect('unknownContainers' in withoutUnknown(left, 'y')!).toBe(false)
  })
})

describe('an agent that says what it has', () => {
  it('joins, and takes work', () => {
    const agent = joined()
    expect(agent).toMatchObject({ phase: 'joined', devices: [gpu], registeredAt: 1000, joinedAt: 2000 })
    expect(takesWork(agent)).toBe(true)
    expect(takesWork(fresh())).toBe(false)
  })

  it('returns with what was ordered before it went, a new address, and its first dates', () => {
    const drained = { ...away(), enabled: false, draining: true }
    const back = started(connected(drained, join, { address: '10.0.0.9' }, 3, 30_000), hello, 31_000)
    expect(back).toMatchObject({
      kind: 'returned',
      agent: {
        phase: 'joined',
        enabled: false,
        draining: true,
        registeredAt: 1000,
        joinedAt: 2000,
        link: { address: '10.0.0.9' },
      },
    })
    expect(back.kind === 'returned' && 'awayUntil' in back.agent).toBe(false)
  })

  it('may say it twice, but not differently', () => {
    expect(started(joined(), hello, 3000).kind).toBe('repeated')
    expect(started(joined(), { ...hello, Devices: [] }, 3000).kind).toBe('changed')
  })

  it.each([
    [
      'another number of devices',
      { Devices: [gpu, { ...gpu, id: 1 }] },
      'its devices changed from 1 (cuda T4) to 2 (cuda T4)',
    ],
    [
      'another device',
      { Devices: [{ ...gpu, uuid: 'GPU-9' }] },
      'its devices changed from 1 (cuda T4) to 1 (cuda T4)',
    ],
    ['no devices', { Devices: [] }, 'its devices changed from 1 (cuda T4) to 0'],
    ['another pool', { ResourcePoolName: 'cpu' }, 'its pool changed from gpu to cpu'],
  ])('is no longer itself when it returns with %s', (_, change, reason) => {
    expect(started(returning(), { ...hello, ...change }, 21_000)).toEqual({ kind: 'changed', reason })
  })

  it('is no longer itself when it dials for another pool, even if it does not say so again', () => {
    const elsewhere = connected(away(), { ...join, resourcePool: 'cpu' }, link, 2, 20_000)
    const silent = { ...hello, ResourcePoolName: '' }
    expect(started(elsewhere, silent, 21_000)).toEqual({
      kind: 'changed',
      reason: 'its pool changed from gpu to cpu',
    })
  })

  it('may leave out its pool', () => {
    expect(started(returning(), { ...hello, ResourcePoolName: '' }, 21_000).kind).toBe('returned')
  })

  it('is nonsense when two devices share an id', () => {
    expect(started(fresh(), { ...hello, Devices: [gpu, gpu] }, 2000)).toMatchObject({ kind: 'changed' })
  })
})

describe('an agent whose socket is gone', () => {
  it('is forgotten at once when it never said what it has', () => {
    expect(disconnected(fresh(), 5000, 25_000)).toBeUndefined()
  })

  it('is waited for, looks disabled and draining, and gets no work', () => {
    const agent = away()
    expect(agent).toMatchObject({ phase: 'away', awayUntil: 35_000, enabled: true, draining: false })
    expect([shownEnabled(agent), shownDraining(agent), takesWork(agent)]).toEqual([false, true, false])
  })

  it('gets a whole window again when it loses its next socket, too', () => {
    expect(disconnected(returning(), 22_000, 25_000)).toMatchObject({ phase: 'away', awayUntil: 47_000 })
  })
})

it('an agent that is drained keeps its work and gets no more', () => {
  const agent = { ...joined(), enabled: false, draining: true }
  expect([shownEnabled(agent), shownDraining(agent), takesWork(agent)]).toEqual([false, true, false])
})
