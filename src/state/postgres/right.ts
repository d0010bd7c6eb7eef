// The exclusive right to the state in a database: a row with an expiry by the database's clock, which the holder renews.
// Every write reads the row, so that a process that has lost the right can write nothing more.
import { randomUUID } from 'node:crypto'
import { type Clock, hasExited, type Logger, type ProcessMark, thisProcess } from '../../platform/index.ts'
import { type Problem, ProvisionError, problem } from '../../problems/index.ts'
import type { HoldOptions } from '../store.ts'
import type { Database, Query } from './database.ts'

/** Named after what it is for: later there may be one for each pool. */
const leaseName = 'provisioner'
/** Seconds without a renewal after which another process may take it. */
const lifetime = 15
/** Milliseconds between renewals, and while they fail: how soon the return of the database is noticed. */
const renewEvery = 3_000
const retryEvery = 1_000

/** Each number belongs to one holder; the nonce tells two holders with one number apart. */
export interface Epoch {
  number: number
  nonce: string
}

export interface Right {
  /** Of this process. Throws STATE_RIGHT_LOST when it has none. */
  epoch(): Epoch
  /** Why nothing can be written: the last renewal failed, or the right is lost. */
  fault(): Problem | undefined
  hold(options: HoldOptions): Promise<() => Promise<void>>
}

export interface RightOptions {
  database: Database
  /** Quoted. */
  schema: string
  /** Of the store, for messages. */
  name: string
  clock: Clock
  logger: Logger
  /** With each renewal; while it fails, the renewal counts as failed. */
  onRenewed?: () => Promise<void>
}

/**
 * The condition of every write, for `WITH held AS (…)`: its parameters are $1 to $3, see `heldBy`. The row stays as it is
 * until the write is committed, because a takeover changes a key of it.
 */
export function heldRow(schema: string): string {
  return `SELECT epoch, nonce FROM ${schema}.leases WHERE name = $1 AND epoch = $2 AND nonce = $3 FOR KEY SHARE`
}

export function heldBy({ number, nonce }: Epoch): [string, number, string] {
  return [leaseName, number, nonce]
}

export function rightLost(name: string): ProvisionError {
  return new ProvisionError(
    problem('STATE_RIGHT_LOST', `this process no longer has the right to ${name}: nothing was written`),
  )
}

export function createRight({ database, schema, name, clock, logger, onRenewed }: RightOptions): Right {
  let held: Epoch | undefined
  let fault: Problem | undefined

  async function take(): Promise<Epoch> {
    const nonce = randomUUID()
    const epoch = await database.transaction((query) => taken(query, { schema, name, nonce }))
    return { number: epoch, nonce }
  }

  /** False when another process has it. */
  async function renew(epoch: Epoch): Promise<boolean> {
    const { count } = await database.query(
      `UPDATE ${schema}.leases SET renewed_at = clock_timestamp(), expires_at = clock_timestamp() + interval '${lifetime} seconds'
       WHERE name = $1 AND epoch = $2 AND nonce = $3`,
      heldBy(epoch),
    )
    return count > 0
  }

  function noteFault(found: Problem | undefined): void {
    if (found && found.message !== fault?.message)
      logger.error('the state cannot be written; nothing is launched or terminated until it can', {
        code: found.code,
        why: found.message,
      })
    if (!found && fault) logger.info('the state can be written again')
    fault = found
  }

  async function keepRenewing(epoch: Epoch, released: AbortSignal, onLost: () => void): Promise<void> {
    while (!released.aborted) {
      await clock.sleep(fault ? retryEvery : renewEvery, released)
      try {
        const isHeld = await renew(epoch)
        if (isHeld && !released.aborted) await onRenewed?.()
        if (released.aborted) return
        noteFault(undefined)
        if (isHeld) continue
        held = undefined
        logger.error('another process has taken over the state; this one stops', { state: name })
        onLost()
        return
      } catch (error) {
        // While the database is gone, nobody else can take the right either.
        if (!released.aborted && error instanceof ProvisionError) noteFault(error.problems[0])
      }
    }
  }

  return {
    epoch() {
      if (held) return held
      throw rightLost(name)
    },
    fault: () => fault ?? (held ? undefined : rightLost(name).problems[0]),
    async hold({ onLost }) {
      const epoch = await take()
      held = epoch
      const released = new AbortController()
      keepRenewing(epoch, released.signal, onLost).catch((error: unknown) => {
        if (!released.signal.aborted) logger.error('the right to the state could not be kept', { error })
      })
      return async () => {
        released.abort()
        held = undefined
        await database
          .query(`DELETE FROM ${schema}.leases WHERE name = $1 AND epoch = $2 AND nonce = $3`, heldBy(epoch))
          .catch(() => {})
      }
    },
  }
}

/** Returns the epoch; throws LOCK_HELD. */
async function taken(
  query: Query,
  { schema, name, nonce }: { schema: string; name: string; nonce: string },
): Promise<number> {
  const row = await query(
    `SELECT nonce::text, holder, expires_at <= clock_timestamp() AS expired, renewed_at::text
     FROM ${schema}.leases WHERE name = $1 FOR UPDATE`,
    [leaseName],
  )
  const before = row.rows[0] as
    | { nonce: string; holder: string; expired: boolean; renewed_at: string }
    | undefined
  const holder = before && markOf(before.holder)
  if (before && !before.expired && !(holder && hasExited(holder)))
    throw heldByOther(name, holder, before.renewed_at)
  const values = [leaseName, nonce, JSON.stringify(thisProcess())]
  const expiry = `clock_timestamp() + interval '${lifetime} seconds'`
  const { count } = before
    ? await query(
        `UPDATE ${schema}.leases SET nonce = $2, holder = $3, taken_at = clock_timestamp(),
         renewed_at = clock_timestamp(), expires_at = ${expiry} WHERE name = $1`,
        values,
      )
    : await query(
        `INSERT INTO ${schema}.leases (name, epoch, nonce, holder, expires_at) VALUES ($1, 0, $2, $3, ${expiry})
         ON CONFLICT (name) DO NOTHING`,
        values,
      )
  if (count === 0) throw heldByOther(name, undefined, undefined)
  return 0
}

function markOf(text: string): ProcessMark | undefined {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function heldByOther(
  name: string,
  holder: ProcessMark | undefined,
  renewedAt: string | undefined,
): ProvisionError {
  const who = holder ? `process ${holder.pid} on ${holder.host}` : 'another process'
  const until = renewedAt ? `; it was last renewed at ${renewedAt} and stays valid for ${lifetime} s` : ''
  return new ProvisionError(problem('LOCK_HELD', `${who} holds ${name}${until}`, { details: { holder } }))
}
