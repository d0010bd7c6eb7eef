// The port: what the program remembers from one start to the next, wherever that is kept.
import type { Journal, JournalRecord } from '../platform/index.ts'
import type { Problem } from '../problems/index.ts'
import type { StoredCluster } from './cluster.ts'
import type { Exchange } from './exchange/port.ts'
import type { JoinStore } from './join.ts'
import type { Epoch, LeaseStore } from './leases/port.ts'
import type { OutputStore } from './output.ts'

/**
 * All that outlives the process: who it is, what is noted of the cluster, the journals of its pools and of the built-in master, what its jobs have printed, its decisions, and the
 * right to work with them. One process has it alone, or several share it and have leases. Nothing outside this room knows
 * where they are kept.
 */
export interface StateStore {
  /** What it is and where, for messages, such as `state_dir /var/lib/provision`. Never contains a password. */
  readonly name: string
  /**
   * Takes the right to work with this state, before anything is written. Returns a function that gives it up. Throws a
   * ProvisionError: LOCK_HELD, which names who keeps this process from it, or why the state cannot be used.
   */
  hold(options: HoldOptions): Promise<() => void | Promise<void>>
  readonly identity: StoredIdentity
  /** Where several processes share the store: who may lead what. */
  readonly leases?: LeaseStore
  /** Where several processes share the store: views of what each leads, and orders. */
  readonly exchange?: Exchange
  readonly cluster: StoredCluster
  /** Also for a command beside the process that holds the state. */
  readonly join: JoinStore
  /**
   * Opens a journal, which is created if it is missing. Throws a ProvisionError: STATE_FOREIGN when it has another owner,
   * JOURNAL_UNUSABLE when it cannot be read or written, STATE_RIGHT_LOST without the right to write it.
   */
  openJournal(options: JournalOptions): Promise<OpenedJournal>
  /** Every journal that is in use, without those that were set aside. */
  journals(): Promise<JournalHeader[]>
  /** Of the jobs of the built-in master. Written under the lease of its journal, where several processes share the store. */
  openOutput(options: { lease?: JournalLease | undefined }): OutputStore
  openDecisions(options: { onFault: (error: unknown) => void }): DecisionLog
  /** Oldest first; also while another process holds the state. */
  readDecisions(query: DecisionQuery): Promise<JournalRecord[]>
  close(): Promise<void>
}

export interface HoldOptions {
  /** Called when another process has taken the right: this one must stop. */
  onLost: () => void
  /**
   * Nobody else may work with the state meanwhile, and journals need no lease: for commands such as `state copy`. A store
   * without leases is always held so.
   */
  alone?: boolean
  /**
   * The store has lost writes that it had confirmed: journals that are open must be opened again, and show that by a
   * problem. Also called before `hold` resolves.
   */
  onCommitsLost?: (found: Problem) => void
}

// The identity: short texts, written once or at each start.

/** - `cluster-id`: where the configuration names none
 * - `writer-id`: of this provisioner, the same for all its starts
 * - `incarnations`: the suffixes of all starts, one a line */
export const identityParts = ['cluster-id', 'writer-id', 'incarnations'] as const
export type IdentityPart = (typeof identityParts)[number]

export interface StoredIdentity {
  /** Every process of this provisioner uses this one: there are no copies, as there may be of a folder. */
  readonly isShared: boolean
  /** undefined if it was never written. Throws whatever keeps it from being read. */
  read(part: IdentityPart): Promise<string | undefined>
  /** Replaces it; needs the state alone. Resolves once it survives a crash. */
  write(part: IdentityPart, value: string): Promise<void>
  /**
   * Writes the part if it was never written, and resolves with what is there: two that do so at once get the same value.
   * Throws a ProvisionError, LOCK_HELD when another process has the state alone.
   */
  settle(part: IdentityPart, value: string): Promise<string>
  /**
   * Adds a line to `incarnations`, of which the newest `most` stay. Resolves with all lines, oldest first. None is lost when
   * several are added at once. Throws as `settle`.
   */
  addIncarnation(line: string, most: number): Promise<string[]>
  /** Where it is, for messages: an absolute path, or a table. */
  placeOf(part: IdentityPart): string
  /** What only a start writes, once it knows its cluster: signs of an earlier one, in a fixed order. */
  traces(): Promise<Trace[]>
  /** Nothing of an earlier start is here. */
  isNew(): Promise<boolean>
  /**
   * Where processes share it: a start has made the identity a moment ago, by the clock of the store, so that others may be in
   * their first start, too. Never of one that was copied here.
   */
  isYoung(): Promise<boolean>
  /** Names of pools that have, or had, a journal here. */
  pools(): Promise<string[]>
  readonly words: StoreWords
}

export interface Trace {
  /** An absolute path, or a table. */
  place: string
  /** Of a journal that names its owner. */
  owner?: JournalOwner
}

/** Parts of messages and remedies that depend on where the state is. */
export interface StoreWords {
  /** Completes "a provisioner has used this …". */
  noun: string
  /** A command that writes the part again. */
  writeAgain(part: IdentityPart, value: string): string
  /** A sentence without its end: how to start with nothing, and keep what is there under another name. */
  startEmpty(label: string): string
  /** The same without keeping it. */
  removeAll: string
}

// Journals.

/** The journal of a pool, or that of the built-in master. */
export type JournalName = { pool: string } | 'master'

/** The owner of a journal, stored with it, so that the journal of another owner is never used. */
export interface JournalOwner {
  cluster: string
  /** The pool of the journal, if it has one. */
  pool?: string
  /** Id of the provisioner, the same after restarts. */
  writer: string
}

export interface JournalOptions {
  name: JournalName
  /** Contents and version, such as `master state 1`. A journal of another kind is set aside. */
  kind: string
  /** A journal with another owner is refused; one without an owner, of an earlier version, is accepted. */
  owner?: JournalOwner
  /** Under which it is written; needed where several processes share the store. */
  lease?: JournalLease
}

/** A lease of this process: its writes are refused once another process has taken it. */
export interface JournalLease {
  readonly name: string
  /** As it is at each write, undefined when it is over: a process that takes its own lease again continues. */
  epoch(): Epoch | undefined
}

/** What is stored with a journal. */
export type JournalHeader = Omit<JournalOptions, 'lease'>

/**
 * The name of the lease of a pool that is led by itself. A name that begins with `@` gets another one in front, so that no
 * pool can be mistaken for anything else that has a lease.
 */
export function leaseOfPool(pool: string): string {
  return pool.startsWith('@') ? `@${pool}` : pool
}

export interface StoredJournal extends Journal {
  /**
   * Replaces everything by these records, atomically; also repairs a journal whose last `append` failed. They are read while
   * other work runs, and must not change.
   */
  rewrite(records: JournalRecord[]): Promise<void>
  /** Calls back when records that were confirmed may be missing: who knows them all rewrites the journal. */
  onDoubt?(listener: () => void): void
  /** Where it is, for messages: an absolute path, or a table. */
  readonly place: string
  /** Records appended since it was opened or rewritten. */
  readonly appended: number
  /** Moves all records away and starts anew; returns where they are now. */
  setAside(): Promise<string>
  /** Waits for writes in progress; later ones are refused. */
  close(): Promise<void>
}

export interface OpenedJournal {
  journal: StoredJournal
  /** Every record that could be read, oldest first. */
  records: JournalRecord[]
  /** It may lack records: JOURNAL_SET_ASIDE, damaged or of another kind; STATE_COMMITS_LOST, until it is rewritten. */
  problems: Problem[]
  /** It did not exist. */
  isNew: boolean
}

// Decisions and their outcomes, for `provision logs`.

export interface DecisionLog {
  /** Returns at once. A record that cannot be written is reported to `onFault` and lost; the provisioner keeps running. */
  add(record: JournalRecord): void
  /** Waits for writes in progress. */
  close(): Promise<void>
}

export interface DecisionQuery {
  pool?: string
  /** Milliseconds since the epoch; nothing older. */
  since?: number
  /** This many of the newest. */
  limit?: number
}

// Owners of journals, compared and described.

export function isSameOwner(one: JournalOwner, other: JournalOwner): boolean {
  return one.cluster === other.cluster && one.pool === other.pool && one.writer === other.writer
}

export function describeOwner({ cluster, pool, writer }: JournalOwner): string {
  return `cluster ${cluster}${pool === undefined ? '' : `, pool ${pool}`}, provisioner ${writer}`
}
