// Orders that were given to other provisioners of the cluster and concern what this one leads: each is taken once, carried
// out as if it had been given here, and answered.
import { carryOut, type FleetControl, failure, orderSchema, type Reply } from '../http/index.ts'
import type { Clock, Logger } from '../platform/index.ts'
import { problem } from '../problems/index.ts'
import { type Epoch, type Exchange, isSameEpoch } from '../state/index.ts'
import type { SharedUnits } from './work.ts'

/** Milliseconds between two reads of new orders, and for a while after there were some. */
const readEvery = 1_000
const readSoon = 200
const busyFor = 3_000
/** Milliseconds between attempts to store an answer, and how many there are. */
const answerAgain = 1_000
const answerAttempts = 5

export interface TakenOrdersOptions {
  exchange: Exchange
  fleet: FleetControl
  /** Names of all that can be led. */
  names: () => Iterable<string>
  units: SharedUnits
  /** What the order has changed is to be seen by others before it is answered. */
  onCarriedOut: () => Promise<void>
  clock: Clock
  logger: Logger
}

type Taken = Awaited<ReturnType<Exchange['take']>>[number]

export interface TakenOrders {
  start(): void
  /** Resolves when all that was taken is answered. */
  stop(): Promise<void>
}

export function createTakenOrders(options: TakenOrdersOptions): TakenOrders {
  const { exchange, units, clock, logger } = options
  const stopping = new AbortController()
  const running = new Set<Promise<void>>()
  let loop: Promise<void> = Promise.resolve()

  function held(): Map<string, Epoch> {
    return new Map(
      [...options.names()].flatMap((name) => {
        const epoch = units.epochOf(name)
        return epoch ? [[name, epoch] as const] : []
      }),
    )
  }

  async function replyTo({ order: text, lease, from }: Taken, epoch: Epoch): Promise<Reply> {
    if (!isSameEpoch(units.epochOf(lease), epoch)) {
      const message = 'the provisioner that took the order no longer leads the pool; it was not carried out'
      return failure(409, problem('POOL_NOT_RUNNING', message))
    }
    const order = orderSchema.safeParse(jsonOf(text))
    if (!order.success)
      return failure(
        400,
        problem('ORDER_REFUSED', 'the leader of the pool, of another version, cannot read the order'),
      )
    logger.info('an order was given to another provisioner', { kind: order.data.kind, unit: lease, from })
    try {
      const reply = await carryOut(options.fleet, order.data)
      await options.onCarriedOut()
      return reply
    } catch (error) {
      logger.error('an order failed', { kind: order.data.kind, unit: lease, error })
      return { status: 500, value: { message: 'internal error' } }
    }
  }

  async function answer(taken: Taken, epoch: Epoch): Promise<void> {
    const reply = JSON.stringify(await replyTo(taken, epoch))
    for (let left = answerAttempts; left > 0; left--)
      try {
        return await exchange.answer(taken.id, reply)
      } catch (error) {
        if (left === 1)
          logger.error('the answer to an order could not be stored', { unit: taken.lease, error })
        else await clock.sleep(answerAgain)
      }
  }

  /** Whether there were any. */
  async function round(): Promise<boolean> {
    const leases = held()
    const taken = await exchange.take(leases)
    for (const each of taken) {
      const done = answer(each, leases.get(each.lease)!).finally(() => running.delete(done))
      running.add(done)
    }
    return taken.length > 0
  }

  async function run(): Promise<void> {
    let busyUntil = 0
    while (!stopping.signal.aborted) {
      // While the store is gone, the leases say so.
      if (await round().catch(() => false)) busyUntil = clock.now() + busyFor
      const pause = clock.now() < busyUntil ? readSoon : readEvery
      await clock.sleep(pause, stopping.signal).catch(() => {})
    }
  }

  return {
    start() {
      loop = run()
    },
    async stop() {
      stopping.abort()
      await loop
      await Promise.all(running)
    },
  }
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
