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

describe('a dialling agent', () => {
  it('may join an existing pool as one of its instances', () => {
    expect(refusal(undefined, join, rules)).toBeUndefined()
  })

  it.each([
    [
      'an unknown pool',
      { resourcePool: 'cpu' },
      500,
      'cannot find specified resource pool cpu for agent i-1',
    ],
    [
      'an id of no instance',
      { id: 'i-2' },
      403,
      'agent i-2 is not an instance of resource pool gpu; set agents: any to let other agents join',
    ],
    [
      'the id of a terminated instance',
      { id: 'i-3' },
      403,
      'the instance of agent i-3 in resource pool gpu no longer runs',
    ],
    ['a reconnect of an unknown agent', { reconnect: true }, 500, pastReconnectPeriod],
  ])('is rejected with %s', (_, change, status, message) => {
    expect(refusal(undefined, { ...join, ...change }, rules)).toMatchObject({ status, message })
  })

  it('is asked to retry while it is unknown whether its id is an instance', () => {
    expect(refusal(undefined, { ...join, id: 'i-9' }, rules)).toEqual({
      kind: 'not known yet',
      status: 503,
      message: 'agent i-9 is not a known instance of resource pool gpu yet',
      retryAfter: 5,
    })
  })

  it('of a removed pool may return if it is one of its last instances', () => {
    const answer = (id: string) => refusal(undefined, { ...join, id, resourcePool: 'retired' }, rules)?.status
    expect([answer('i-1'), answer('i-9'), answer('i-2')]).toEqual([undefined, 503, 500])
  })

  it.each([
    ['connecting', fresh()],
    ['joined', joined()],
    ['returning', returning()],
  ])('is rejected while another socket has its id: %s', (_, known) => {
    for (const reconnect of [true, false])
      expect(refusal(known, { ...join, reconnect }, rules)).toEqual({
        kind: 'connected already',
        status: 500,
        message: 'agent: websocket already connected',
      })
  })

  it('may return inside the window, whether it reports a reconnect or not', () => {
    for (const reconnect of [true, false])
      expect(refusal(away(), { ...join, reconnect }, rules)).toBeUndefined()
  })

  it('may return while the state of its instance is unknown: its tasks are those of the master', () => {
    expect(refusal({ ...away(), id: 'i-9' }, { ...join, id: 'i-9' }, rules)).toBeUndefined()
  })

  it.each(['i-2', 'i-3'])('may not return when its instance is known to be terminated: %s', (id) => {
    for (const reconnect of [true, false])
      expect(refusal({ ...away(), id }, { ...join, id, reconnect }, rules)).toMatchObject({ status: 403 })
  })

  it('must wait while the newest listing does not contain its instance', () => {
    expect(refusal({ ...away(), id: 'i-4' }, { ...join, id: 'i-4' }, rules)).toMatchObject({ status: 503 })
    expect(refusal(undefined, { ...join, id: 'i-4' }, rules)).toMatchObject({ status: 503 })
  })

  it('of one pool is not admitted by the rules of another', () => {
    const claim = { ...join, id: 'i-2', resourcePool: 'open' }
    expect(refusal({ ...away(), id: 'i-2' }, claim, rules)).toMatchObject({ status: 403 })
    expect(refusal(undefined, claim, rules)).toBeUndefined()
  })
})

describe('an agent that the master may have forgotten with its lost state', () => {
  const containerAck = (id: string, state: 'RUNNING' | 'TERMINATED' = 'RUNNING') => ({
    Container: { id, state, devices: [gpu], description: '' },
    Failure: null,
  })
  const unknownAgent = () => connected(undefined, { ...join, reconnect: true }, link, 1, 1000)
  const isOfJob = (id: string) => id === 'ours'

  it('may join although it reports a reconnect, if it is an instance', () => {
    const forgotten = { ...rules, mayJoin: () => 'yes' as const }
    expect(refusal(undefined, { ...join, id: 'i-8', reconnect: true }, forgotten)).toBeUndefined()
    expect(refusal(undefined, { ...join, id: 'i-8', reconnect: true }, rules)).toMatchObject({ status: 403 })
    expect(refusal(undefined, { ...join, id: 'i-7', reconnect: true }, forgotten)).toMatchObject({
      status: 500,
    })
  })

  it('keeps the containers of unknown jobs until each has ended', () => {
    const acks = [containerAck('ours'), containerAck('x'), containerAck('y'), containerAck('z', 'TERMINATED')]
    const step = started(unknownAgent(), { ...hello, ContainersReattached: acks }, 2000, isOfJob)
    if (step.kind === 'changed') throw new Error(step.reason)
    expect(step.agent.unknownContainers?.map(({ id }) => id)).toEqual(['x', 'y'])
    expect(withoutUnknown(step.agent, 'ours')).toBeUndefined()
    const left = withoutUnknown(step.agent, 'x')!
    expect(left.unknownContainers?.map(({ id }) => id)).toEqual(['y'])
    expect('unknownContainers' in withoutUnknown(left, 'y')!).toBe(false)
  })
})

describe('an agent that sends AgentStarted', () => {
  it('joins, and accepts jobs', () => {
    const agent = joined()
    expect(agent).toMatchObject({ phase: 'joined', devices: [gpu], registeredAt: 1000, joinedAt: 2000 })
    expect(takesWork(agent)).toBe(true)
    expect(takesWork(fresh())).toBe(false)
  })

  it('returns with its earlier orders and dates, and a new address', () => {
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

  it('may repeat the message, but not with other devices', () => {
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
  ])('is rejected when it returns with %s', (_, change, reason) => {
    expect(started(returning(), { ...hello, ...change }, 21_000)).toEqual({ kind: 'changed', reason })
  })

  it('is rejected when it dials for another pool, even if AgentStarted has none', () => {
    const elsewhere = connected(away(), { ...join, resourcePool: 'cpu' }, link, 2, 20_000)
    const silent = { ...hello, ResourcePoolName: '' }
    expect(started(elsewhere, silent, 21_000)).toEqual({
      kind: 'changed',
      reason: 'its pool changed from gpu to cpu',
    })
  })

  it('may omit its pool', () => {
    expect(started(returning(), { ...hello, ResourcePoolName: '' }, 21_000).kind).toBe('returned')
  })

  it('is invalid when two devices have one id', () => {
    expect(started(fresh(), { ...hello, Devices: [gpu, gpu] }, 2000)).toMatchObject({ kind: 'changed' })
  })
})

describe('an agent whose socket is closed', () => {
  it('is forgotten at once if it never sent AgentStarted', () => {
    expect(disconnected(fresh(), 5000, 25_000)).toBeUndefined()
  })

  it('is awaited, is shown as disabled and draining, and gets no jobs', () => {
    const agent = away()
    expect(agent).toMatchObject({ phase: 'away', awayUntil: 35_000, enabled: true, draining: false })
    expect([shownEnabled(agent), shownDraining(agent), takesWork(agent)]).toEqual([false, true, false])
  })

  it('gets a new complete window when it loses its next socket', () => {
    expect(disconnected(returning(), 22_000, 25_000)).toMatchObject({ phase: 'away', awayUntil: 47_000 })
  })
})

it('a drained agent keeps its jobs and gets no new ones', () => {
  const agent = { ...joined(), enabled: false, draining: true }
  expect([shownEnabled(agent), shownDraining(agent), takesWork(agent)]).toEqual([false, true, false])
})
