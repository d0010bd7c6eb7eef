// Who works with the tables now: one process that has them alone, or several with announcements and leases. Times are those of
// the database, but a process of this machine that has exited is gone at once.
import { hasExited, type ProcessMark } from '../../platform/index.ts'
import { ProvisionError, problem } from '../../problems/index.ts'
import type { Query } from './database.ts'
import { aloneRow } from './right.ts'

/** Seconds without a renewal after which the right to have the state alone is free. */
export const aloneLifetime = 15

/** True of nobody's tables; for the `WHERE` of a statement. */
export function isShared(schema: string): string {
  return `NOT EXISTS (SELECT FROM ${schema}.leases WHERE name = '${aloneRow}' AND expires_at > clock_timestamp())`
}

/**
 * Until the end of the transaction no lease is taken or renewed, nobody is announced, because that is part of a renewal, and no
 * identity is written. Journals are written all the while, under their leases.
 */
export function lockOccupants(schema: string): string {
  return `LOCK TABLE ${schema}.leases, ${schema}.identity IN SHARE ROW EXCLUSIVE MODE`
}

/**
 * Throws LOCK_HELD while a process has the tables alone. The row of one that has exited is removed.
 */
export async function refuseWhileAlone(query: Query, schema: string, name: string): Promise<void> {
  const { rows } = await query(
    `SELECT nonce::text, holder, renewed_at::text FROM ${schema}.leases WHERE name = $1 AND expires_at > clock_timestamp()`,
    [aloneRow],
  )
  const [row] = rows as { nonce: string; holder: string; renewed_at: string }[]
  if (!row) return
  const holder = markIn(row.holder)
  if (!holder || !hasExited(holder)) throw heldAlone(name, holder, row.renewed_at)
  await query(`DELETE FROM ${schema}.leases WHERE name = $1 AND nonce = $2`, [aloneRow, row.nonce])
}

/** Throws LOCK_HELD, which names one of those that share the tables. */
export async function refuseWhileShared(query: Query, schema: string, name: string): Promise<void> {
  const { rows } = await query(
    `SELECT coalesce(p.id, l.holder) AS id, p.about FROM
       (SELECT DISTINCT holder FROM ${schema}.leases WHERE name <> $1 AND expires_at > clock_timestamp()) l
       FULL JOIN ${schema}.provisioners p ON p.id = l.holder
     WHERE l.holder IS NOT NULL OR p.expires_at > clock_timestamp() ORDER BY 1`,
    [aloneRow],
  )
  for (const { id, about } of rows as { id: string; about: string | null }[]) {
    const process = about === null ? undefined : markIn(about)
    if (process && hasExited(process)) continue
    const who = process ? `process ${process.pid} on ${process.host}` : `provisioner ${id}`
    throw lockHeld(`${who} works with ${name}`, process)
  }
}

/** undefined where the text is not that of a process. */
export function markIn(text: string): ProcessMark | undefined {
  try {
    const mark = JSON.parse(text)
    return typeof mark?.pid === 'number' ? mark : undefined
  } catch {
    return undefined
  }
}

function heldAlone(name: string, holder: ProcessMark | undefined, renewedAt: string): ProvisionError {
  const who = holder ? `process ${holder.pid} on ${holder.host}` : 'another process'
  const until = `it was last renewed at ${renewedAt} and stays valid for ${aloneLifetime} s`
  return lockHeld(`${who} holds ${name}; ${until}`, holder)
}

function lockHeld(message: string, holder: ProcessMark | undefined): ProvisionError {
  return new ProvisionError(problem('LOCK_HELD', message, { details: { holder } }))
}
