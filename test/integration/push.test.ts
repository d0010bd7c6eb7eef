// The endpoint for pushed demand over a real socket: what is accepted, what is refused, and the responses.
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Listener, listen } from '../../src/http/listen.ts'
import { openPushEndpoint, type PushEndpoint } from '../../src/http/push-endpoint.ts'
import { capturingLogger } from '../support/capturing-logger.ts'
import { FakeClock } from '../support/fake-clock.ts'

let log: ReturnType<typeof capturingLogger>
let endpoint: PushEndpoint
let listener: Listener
beforeEach(async () => {
  log = capturingLogger()
  endpoint = openPushEndpoint({
    pools: ['default', 'a/b c'],
    hasOrphans: (pool) => pool === 'removed',
    ...{ life: 'one', clock: new FakeClock(), logger: log },
  })
  listener = await listen({ address: '127.0.0.1', port: 0, handlers: [endpoint.handler], logger: log })
})
afterEach(() => listener.close(0))

async function ask(method: string, path: string, body?: unknown) {
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  const answer = await fetch(`http://127.0.0.1:${listener.port}${path}`, { method, body: text })
  return { status: answer.status, value: (await answer.json()) as Record<string, unknown> }
}

const idle = { id: 'i-1', slots: 2, freeSlots: 2, busy: false }
const path = '/v1/pools/default/demand'

describe('PUT demand', () => {
  it('is answered with the agents to drain', async () => {
    expect(await ask('PUT', path, { pending: [], agents: [idle] })).toEqual({
      status: 200,
      value: { drain: [], drainVersion: 'one.0' },
    })
    expect(await endpoint.source.drain('i-1')).toBe(true)
    const { value } = await ask('PUT', path, { pending: [], agents: [idle] })
    expect(value).toEqual({ drain: ['i-1'], drainVersion: 'one.1' })
    expect(await ask('GET', '/v1/pools/default/drains')).toEqual({ status: 200, value })
  })

  it('shows an agent as drained only when the master had received the drain', async () => {
    const draining = { ...idle, draining: true }
    await ask('PUT', path, { pending: [], agents: [draining] })
    await endpoint.source.drain('i-1')
    await ask('PUT', path, { pending: [], agents: [draining], drainVersion: 'one.0' })
    expect((await endpoint.source.read('default')).agents[0]).toMatchObject({
      enabled: false,
      draining: false,
    })
    await ask('PUT', path, { pending: [], agents: [draining], drainVersion: 'one.1' })
    expect((await endpoint.source.read('default')).agents[0]).toMatchObject({
      enabled: false,
      draining: true,
    })
  })

  it('warns once when the master never reports what it has applied', async () => {
    await ask('PUT', path, { pending: [], agents: [idle] })
    await endpoint.source.drain('i-1')
    for (let times = 0; times < 3; times++) await ask('PUT', path, { pending: [], agents: [idle] })
    expect(log.lines.filter((line) => line.includes('drainVersion'))).toHaveLength(1)
  })

  it('forgets the drain of an agent that is gone', async () => {
    await ask('PUT', path, { pending: [], agents: [idle] })
    await endpoint.source.drain('i-1')
    await ask('PUT', path, { pending: [], agents: [] })
    const { value } = await ask('PUT', path, { pending: [], agents: [idle] })
    expect(value).toMatchObject({ drain: [] })
  })

  it('finds a pool whose name has to be percent-encoded', async () => {
    const { status } = await ask('PUT', '/v1/pools/a%2Fb%20c/demand', { pending: [], agents: [] })
    expect(status).toBe(200)
    expect(await endpoint.source.read('a/b c')).toMatchObject({ pool: 'a/b c' })
  })

  it('is accepted for a pool that has only orphans: otherwise it could not be known whether they are idle', async () => {
    const { status } = await ask('PUT', '/v1/pools/removed/demand', { pending: [], agents: [idle] })
    expect(status).toBe(200)
    expect(await endpoint.source.drain('i-1')).toBe(true)
    expect(await ask('GET', '/v1/pools/removed/drains')).toMatchObject({ value: { drain: ['i-1'] } })
  })

  it.each([
    [
      'a pool that is not run',
      'PUT',
      '/v1/pools/nobody/demand',
      { pending: [], agents: [] },
      404,
      'POOL_UNKNOWN',
    ],
    ['a pool name that is no encoding', 'PUT', '/v1/pools/%zz/demand', {}, 404, 'POOL_UNKNOWN'],
    ['another method', 'POST', path, {}, 405, 'PUSH_REFUSED'],
    ['invalid JSON', 'PUT', path, '{"pending": [', 400, 'PUSH_REFUSED'],
    ['nothing at all', 'PUT', path, '', 400, 'PUSH_REFUSED'],
    ['what is not as it should be', 'PUT', path, { pending: {}, agents: [] }, 400, 'PUSH_REFUSED'],
    [
      'an agent without an id',
      'PUT',
      path,
      { pending: [], agents: [{ ...idle, id: '' }] },
      400,
      'PUSH_REFUSED',
    ],
    ['too much', 'PUT', path, ' '.repeat(17 * 1024 * 1024), 413, 'PUSH_REFUSED'],
  ])('refuses %s', async (_, method, where, body, status, code) => {
    const answer = await ask(method, where, body)
    expect(answer).toMatchObject({ status, value: { error: { code } } })
  })
})
