// What people see while the daemon runs: one row per VM, from data to text.
import type { FleetRow } from '../http/fleet-control.ts'
import { age } from './age.ts'
import { table } from './table.ts'

const head = ['POOL', 'INSTANCE', 'STATE', 'AGENT', 'SLOTS', 'TLS', 'CERTIFICATE NAME', 'AGE']

/** @param now milliseconds since the epoch */
export function liveView(rows: FleetRow[], now: number): string[] {
  if (rows.length === 0) return ['(no instances yet)']
  const cells = rows.map((row) => [
    row.pool,
    row.instance,
    row.state,
    row.agent,
    row.slots === undefined ? '-' : String(row.slots),
    row.tlsVersion ?? '-',
    row.certificateName ?? '-',
    age(now - row.launchedAt),
  ])
  return table(head, cells)
}
