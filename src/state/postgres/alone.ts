// The right to have the whole state alone: a row with an expiry by the database's clock, which the holder renews.
import { randomUUID } from 'node:crypto'
import { type Clock, type Logger, thisProcess } from '../../platform/index.ts'
import { ProvisionError } from '../../problems/index.ts'
import type { Epoch } from '../leases/port.ts'
import type { HoldOptions } from '../store.ts'
import type { Database, Query } from './database.ts'
import type { Faults } from './failures.ts'
import { aloneLifetime, lockOccupants, refuseWhileAlone, refuseWhileShared } from './occupants.ts'
import { aloneRow, type Proof, type Right, rightLost } from './right.ts'

/** Milliseconds between renewals, and while they fail: how soon the return of the database is noticed. */
const renewEvery = 3_000
const retryEvery = 1_000

export interface AloneRight extends Right {
  isHeld(): boolean
  hold(options: HoldOptions): Promise<() => Promise<void>>
}

export interface AloneOptions {
  database: Database
  /** Quoted. */
  schema: string
  /** Of the store, for messages. */
  name: string
  clock: Clock
  logger: Logger
  faults: Faults
  /** With each renewal; while it fails, the renewal counts as failed. */
  onRenewed?: () => Promise<void>
}

export function createAlone(options: AloneOptions): AloneRight {
  const { database, schema, name, clock, logger, faults, onRenewed } = options
  let held: Epoch | undefined

  const proofOf = ({ number, nonce }: Epoch): Proof => [aloneRow, number, nonce]

  /** False when another process has it. */
  async function renew(epoch: Epoch): Promise<boolean> {
    const { count } = await database.query(
      `UPDATE ${schema}.leases SET renewed_at = clock_timestamp(), expires_at = ${expiry}
       WHERE name = $1 AND epoch = $2 AND nonce = $3`,
      proofOf(epoch),
    )
    return count > 0
  }

  async function keepRenewing(epoch: Epoch, released: AbortSignal, onLost: () => void): Promise<void> {
    while (!released.aborted) {
      await clock.sleep(faults.current() ? retryEvery : renewEvery, released)
      try {
        const isHeld = await renew(epoch)
        if (isHeld && !released.aborted) await onRenewed?.()
        if (released.aborted) return
        faults.note(undefined)
        if (isHeld) continue
        held = undefined
        logger.error('another process has taken over the state; this one stops', { state: name })
        onLost()
        return
      } catch (error) {
        // While the database is gone, nobody else can take the right either.
        if (!released.aborted && error instanceof ProvisionError) faults.note(error.problems[0])
      }
    }
  }

  return {
    to: name,
    isHeld: () => held !== undefined,
    proof() {
      if (held) return proofOf(held)
      throw rightLost(name)
    },
    fault: () => faults.current() ?? (held ? undefined : rightLost(name).problems[0]),
    async hold({ onLost }) {
      const epoch = { number: 0, nonce: randomUUID() }
      await database.transaction((query) => take(query, { schema, name, epoch }))
      held = epoch
      const released = new AbortController()
      keepRenewing(epoch, released.signal, onLost).catch((error: unknown) => {
        if (!released.signal.aborted) logger.error('the right to the state could not be kept', { error })
      })
      return async () => {
        released.abort()
        held = undefined
        await database
          .query(`DELETE FROM ${schema}.leases WHERE name = $1 AND epoch = $2 AND nonce = $3`, proofOf(epoch))
          .catch(() => {})
      }
    },
  }
}

const expiry = `clock_timestamp() + interval '${aloneLifetime} seconds'`

/** Throws LOCK_HELD. */
async function take(
  query: Query,
  { schema, name, epoch }: { schema: string; name: string; epoch: Epoch },
): Promise<void> {
  await query(lockOccupants(schema))
  await refuseWhileAlone(query, schema, name)
  await refuseWhileShared(query, schema, name)
  // Writes do not ask whether their lease is over: with its row they are refused. In this order writes lock them, too.
  await query(
    `DELETE FROM ${schema}.leases WHERE name IN (SELECT name FROM ${schema}.leases ORDER BY name FOR UPDATE)`,
  )
  await query(`DELETE FROM ${schema}.provisioners`)
  await query(
    `INSERT INTO ${schema}.leases (name, epoch, nonce, holder, expires_at) VALUES ($1, $2, $3, $4, ${expiry})`,
    [aloneRow, epoch.number, epoch.nonce, JSON.stringify(thisProcess())],
  )
}
