// Orders for what another provisioner of the cluster leads: placed in the store, where their leader finds them.
import { randomUUID } from 'node:crypto'
import type { Order, OrderPlace, Reply } from '../http/index.ts'
import type { Clock } from '../platform/index.ts'
import { ProvisionError, problem } from '../problems/index.ts'
import type { Exchange } from '../state/index.ts'
import type { SharedUnits } from './work.ts'

/** Milliseconds: less than clients wait, and more than it takes until another one leads. */
const longestWait = 12_000
/** Milliseconds between two reads of answers. */
const readEvery = 250

export interface PlacedOrdersOptions {
  exchange: Exchange
  units: SharedUnits
  /** This process, for the log of the leader. */
  from: string
  clock: Clock
  /** Ends the waits. */
  signal: AbortSignal
}

/** Places the order and waits for the reply. Throws ORDER_UNANSWERED, or why the store cannot be used. */
export type PlaceOrder = (place: OrderPlace, order: Order) => Promise<Reply>

export function createPlacedOrders({
  exchange,
  units,
  from,
  clock,
  signal,
}: PlacedOrdersOptions): PlaceOrder {
  const waiting = new Map<string, (answer: string) => void>()
  let isReading = false

  /** All that wait are asked for together. */
  async function read(): Promise<void> {
    if (isReading) return
    isReading = true
    while (waiting.size > 0) {
      await clock.sleep(readEvery, signal).catch(() => {})
      // The next read may succeed; who waits for too long ends by itself.
      const found = await exchange.answers([...waiting.keys()]).catch(() => new Map<string, string>())
      for (const [id, answer] of found) waiting.get(id)?.(answer)
    }
    isReading = false
  }

  async function answerTo(id: string): Promise<string | undefined> {
    const limit = new AbortController()
    const answered = new Promise<string>((resolve) => waiting.set(id, resolve))
    void read()
    try {
      return await Promise.race([
        answered,
        clock.sleep(longestWait, AbortSignal.any([signal, limit.signal])).then(
          () => undefined,
          () => undefined,
        ),
      ])
    } finally {
      limit.abort()
      waiting.delete(id)
    }
  }

  return async (place, order) => {
    const id = randomUUID()
    const unit = units.unitOf(place)
    const host = () => units.leaderOf(unit)?.host
    const placing = { id, lease: unit, order: JSON.stringify(order), from, ttl: longestWait }
    const refused = await exchange.place(placing).then(
      () => undefined,
      (error: unknown) => ({ error }),
    )
    // It may have been placed all the same.
    if (refused && !isUnknown(refused.error)) throw refused.error
    const answer = (refused ? undefined : await answerTo(id)) ?? (await lastLook(exchange, id))
    if (answer === 'withdrawn') throw refused?.error ?? unanswered(place, host(), 'withdrawn')
    if (answer === 'unknown') throw unanswered(place, host(), refused ? 'perhaps placed' : 'placed')
    const reply = answer === undefined ? undefined : replyIn(answer)
    if (reply) return reply
    throw unanswered(place, host(), refused ? 'perhaps placed' : 'taken')
  }
}

/** Only then may the store have done what it did not confirm. */
function isUnknown(error: unknown): boolean {
  return error instanceof ProvisionError && error.code === 'STATE_UNREACHABLE'
}

/** Nobody carries it out from now on, if nobody has begun. `unknown`: the store does not answer; undefined: somebody has. */
async function lastLook(exchange: Exchange, id: string): Promise<string | undefined> {
  try {
    if (await exchange.withdraw(id)) return 'withdrawn'
    return (await exchange.answers([id])).get(id)
  } catch {
    return 'unknown'
  }
}

/** Undefined for what this version cannot read. */
function replyIn(answer: string): Reply | undefined {
  try {
    const { status, value } = JSON.parse(answer) as Partial<Reply>
    const isStatus = Number.isInteger(status) && status! >= 200 && status! <= 599
    return isStatus && typeof value === 'object' && value !== null ? { status: status!, value } : undefined
  } catch {
    return undefined
  }
}

const outcomes = {
  withdrawn: 'nobody took the order in time, and it will not be carried out',
  taken: 'the order was taken but not answered in time, and may still be carried out',
  placed: 'the order was not answered in time, and may still be carried out: the state does not answer',
  'perhaps placed': `the state did not confirm the order; its leader may still carry it out within ${longestWait / 1000} s of its return`,
} as const

function unanswered(
  place: OrderPlace,
  host: string | undefined,
  outcome: keyof typeof outcomes,
): ProvisionError {
  const what = place === 'orphans' ? 'the search for orphans' : `pool ${place.pool}`
  const who = host === undefined ? `no provisioner leads ${what}` : `the provisioner on ${host} leads ${what}`
  return new ProvisionError(problem('ORDER_UNANSWERED', `${who}; ${outcomes[outcome]}`))
}
