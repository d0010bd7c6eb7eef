// The hosts of a world with several provisioners, as the world and the checks know them.
import type { Leading, Term } from '../provisioner/index.ts'
import type { Epoch, MemoryLeases } from '../state/index.ts'
import type { FaultSchedule } from './faults.ts'
import type { Life } from './life.ts'
import type { Provisioner } from './provisioner.ts'
import type { Random } from './random.ts'
import { mainName, poolName } from './scenario.ts'
import { type Link, storeFault } from './shared-store.ts'

/** The others have no loop in the simulation: they make leases move between hosts. */
export const ledPools = [poolName, 'second', 'third'] as const

export interface Host {
  readonly name: string
  /** Milliseconds by which its clock is ahead of the world's. */
  readonly clockOffset: number
  readonly index: number
  starts: number
  life: Life
  leading: Leading
  /** It ends its pools and gives up its leases. */
  leaving: boolean
  /** Its term of the world's pool. */
  term: HostTerm | undefined
  /** It is suspended at that call from now that changes something, after the last check of its lease; 0: at none. */
  stopsIn: number
  stopsFor: number
  /** Only launches count. */
  stopsAtLaunch: boolean
}

export interface HostTerm {
  term: Term
  /** The last one in which it led. */
  epoch: Epoch
  /** Until its lease is over; it may lead again. */
  isLed: boolean
  /** It ends, and its journal is not opened again. */
  isEnding?: true
  /** Its journal is to be opened again, which needs the lease. */
  isClosed?: true
  provisioner: Provisioner
  link: Link
}

export interface Hosts {
  readonly all: readonly Host[]
  readonly leases: MemoryLeases
  /** The writers of all terms: instances that carry one are the cluster's own. */
  readonly writers: Set<string>
  /** Whose term began last. */
  newest: Host | undefined
  /** The store is to lose commits: a draw that tells which. */
  lossDue: number | undefined
  /** How often the store has lost commits, and how many of those a journal that was rewritten since allows for. */
  losses: number
  settledLosses: number
  readonly draw: Random
}

/** Whether it could lead: it runs, and nothing is wrong with its way to the store. */
export function canLead(
  { faults }: { faults: FaultSchedule },
  hosts: Hosts,
  { life, leaving, index }: Host,
): boolean {
  return life.alive && !life.suspended && !leaving && !storeFault({ faults, index, hosts: hosts.all.length })
}

/** A host whose lease is over may stop what it led after another has begun: to the checks the provisioner is that one. */
export function noteStopping(
  { invariants }: { invariants: { onStopping(name: string): void } },
  { newest }: Hosts,
  host: Host,
): void {
  if (newest === host) invariants.onStopping(mainName)
}

/** The host that leads the world's pool by its own clock. */
export function leaderOf(hosts: Hosts): Host | undefined {
  return hosts.all.find(({ life, term }) => life.alive && term?.term.isCurrent())
}
