// Orders for another provisioner that does not answer in time: what is reported, and that nobody carries them out later.
import { expect, it } from 'vitest'
import type { Reply } from '../../../src/http/index.ts'
import { ProvisionError, problem } from '../../../src/problems/index.ts'
import { createPlacedOrders } from '../../../src/provisioner/placed-orders.ts'
import { createTakenOrders } from '../../../src/provisioner/taken-orders.ts'
import type { SharedUnits } from '../../../src/provisioner/work.ts'
import type { Epoch } from '../../../src/state/leases/port.ts'
import { FakeClock } from '../../support/fake-clock.ts'
import { memoryExchange } from '../../support/memory-exchange.ts'
import { silentLogger } from '../../support/silent-logger.ts'

const epoch = { number: 1, nonce: 'n' }
const leader = { host: 'far', pid: 7, writerId: 'w', epoch: 1, since: 0, self: false }
const launch = { kind: 'launch', pool: 'gpu', count: 1 } as const

function world(isLed = true) {
  const clock = new FakeClock()
  const exchange = memoryExchange(
    () => clock.now(),
    () => epoch,
  )
  const units: SharedUnits = {
    unitOf: () => 'gpu',
    epochOf: () => epoch,
    leaderOf: () => (isLed ? leader : undefined),
  }
  const stopping = new AbortController()
  const place = createPlacedOrders({ exchange, units, from: 'here', clock, signal: stopping.signal })
  const order = () => {
    const reply: Promise<Reply | string> = place({ pool: 'gpu' }, launch).catch(
      (error: Error) => error.message,
    )
    return reply
  }
  const take = () => exchange.take(new Map([['gpu', epoch]]))
  return { clock, exchange, units, order, take, stopping }
}

it('an order that nobody takes is withdrawn, and is never carried out', async () => {
  const { clock, order, take } = world(false)
  const reply = order()
  await clock.advance(12_000)
  expect(await reply).toBe(
    'ORDER_UNANSWERED: no provisioner leads pool gpu; nobody took the order in time, and it will not be carried out',
  )
  expect(await take()).toEqual([])
})

it('an order that was taken and not answered may still be carried out, and nobody takes it again', async () => {
  const { clock, order, take } = world()
  const reply = order()
  await clock.advance(300)
  expect(await take()).toMatchObject([{ lease: 'gpu', from: 'here' }])
  await clock.advance(12_000)
  expect(await reply).toBe(
    'ORDER_UNANSWERED: the provisioner on far leads pool gpu; the order was taken but not answered in time, and may still be carried out',
  )
  expect(await take()).toEqual([])
})

it('an order whose placing was not confirmed is withdrawn, or may still be carried out', async () => {
  const gone = () => Promise.reject(new ProvisionError(problem('STATE_UNREACHABLE', 'no answer within 5 s')))
  const lost = world()
  const { place } = lost.exchange
  lost.exchange.place = async (order) => {
    await place(order)
    return gone()
  }
  expect(await lost.order()).toBe('STATE_UNREACHABLE: no answer within 5 s')
  expect(await lost.take()).toEqual([])
  lost.exchange.withdraw = gone
  expect(await lost.order()).toMatch(
    /^ORDER_UNANSWERED: .*the state did not confirm the order; its leader may still carry it out/,
  )
  expect(await lost.take()).toHaveLength(1)
  const taken = world()
  taken.exchange.place = async (order) => {
    await place.call(taken.exchange, order)
    await taken.take()
    return gone()
  }
  expect(await taken.order()).toMatch(/^ORDER_UNANSWERED: .*may still carry it out/)
})

it('a stop ends the wait, and the order', async () => {
  const { clock, order, take, stopping } = world()
  const reply = order()
  await clock.advance(300)
  stopping.abort()
  expect(await reply).toMatch(/^ORDER_UNANSWERED.*it will not be carried out$/)
  expect(await take()).toEqual([])
})

it('an answer at the last moment counts; one that cannot be read does not', async () => {
  for (const [answer, expected] of [
    ['{"status":409,"value":{"error":1}}', { status: 409, value: { error: 1 } }],
    ['{"status":"new"}', expect.stringMatching(/may still be carried out$/)],
    ['no JSON', expect.stringMatching(/may still be carried out$/)],
  ] as const) {
    const { clock, exchange, order, take } = world()
    const reply = order()
    await clock.advance(11_900)
    const [taken] = await take()
    await exchange.answer(taken!.id, answer)
    await clock.advance(100)
    expect(await reply).toEqual(expected)
  }
})

it('all that wait are asked for in one statement', async () => {
  const { clock, exchange, order, take } = world()
  let reads = 0
  const { answers } = exchange
  exchange.answers = (ids) => {
    reads++
    return answers(ids)
  }
  const replies = Array.from({ length: 20 }, order)
  await clock.advance(1_000)
  for (const { id } of await take()) await exchange.answer(id, '{"status":200,"value":{}}')
  await clock.advance(500)
  expect(await Promise.all(replies)).toEqual(replies.map(() => ({ status: 200, value: {} })))
  expect(reads).toBeLessThan(10)
})

/** A leader whose fleet counts launches. `ends`: its lease is over when the order has just been taken. */
async function taking(given: { order?: string; ends?: boolean }) {
  const { clock, exchange, units } = world()
  let launches = 0
  let current: Epoch | undefined = epoch
  const taken = exchange.take
  exchange.take = async (held) => {
    const found = await taken(held)
    if (given.ends && found.length > 0) current = { number: 2, nonce: 'm' }
    return found
  }
  const orders = createTakenOrders({
    exchange,
    fleet: {
      async launch() {
        launches++
        return 'intent'
      },
    } as unknown as Parameters<typeof createTakenOrders>[0]['fleet'],
    names: () => ['gpu'],
    units: { ...units, epochOf: () => current },
    onCarriedOut: async () => {},
    clock,
    logger: silentLogger,
  })
  orders.start()
  const id = 'id'
  await exchange.place({
    id,
    lease: 'gpu',
    order: given.order ?? JSON.stringify(launch),
    from: 'b',
    ttl: 10_000,
  })
  await clock.advance(3_000)
  await orders.stop()
  const answer = (await exchange.answers([id])).get(id)
  return { launches, reply: answer && JSON.parse(answer) }
}

it('a leader carries an order out once, and answers', async () => {
  expect(await taking({})).toEqual({
    launches: 1,
    reply: { status: 200, value: { pool: 'gpu', count: 1, intent: 'intent' } },
  })
})

it('a leader whose lease is over by then does nothing, and answers so', async () => {
  expect(await taking({ ends: true })).toMatchObject({
    launches: 0,
    reply: { status: 409, value: { error: { code: 'POOL_NOT_RUNNING' } } },
  })
})

it('an order of another version that says more is refused, not half carried out', async () => {
  const newer = JSON.stringify({ ...launch, onlyIf: 'idle' })
  const refused = { status: 400, value: { error: { code: 'ORDER_REFUSED' } } }
  for (const order of [newer, '{"kind":"new"}', 'no JSON'])
    expect(await taking({ order })).toMatchObject({ launches: 0, reply: refused })
})
