// What people see while the daemon runs: one row per VM, from data to text.
import type { FleetRow } from '../model/fleet-row.ts'
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

/** 45s, 12m, 3h, 2d: enough to see whether something is stuck. */
function age(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000))
  if (seconds < 120) return `${seconds}s`
  if (seconds < 7200) return `${Math.floor(seconds / 60)}m`
  return seconds < 172_800 ? `${Math.floor(seconds / 3600)}h` : `${Math.floor(seconds / 86_400)}d`
}
