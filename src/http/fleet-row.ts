// One VM of the fleet as `provision` and `provision status` show it.
import type { InstanceState } from '../planner/instance.ts'

export interface FleetRow {
  pool: string
  instance: string
  /** A process of this machine, which ends with the provisioner. */
  local: boolean
  state: InstanceState
  agent: 'waiting' | 'joined' | 'lost'
  /** Slots the agent has shown; undefined before it joined. */
  slots?: number
  /** As `TLSv1.3`; undefined before it joined, and for a master without TLS. */
  tlsVersion?: string
  /** What the agent verifies the master's certificate against. */
  certificateName?: string
  /** Milliseconds since the epoch. */
  launchedAt: number
}
