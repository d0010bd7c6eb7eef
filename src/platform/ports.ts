// Interfaces of the core to the outside: clock, log, metrics, journal, HTTP.
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Problem } from '../problems/index.ts'

/** Time. Every wait goes through it, so that tests and the simulation can control it. */
export interface Clock {
  /** Milliseconds since the epoch at the start of the process, then monotonic: setting the clock does not change it. For all durations. */
  now(): number
  /** The time of day in milliseconds since the epoch, which people and NTP set; if missing, `now`. Read it with `wallTime`. */
  wall?(): number
  /** Resolves after `ms`; rejects with the signal's reason when aborted first. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>
}

/** A moment by a clock that cannot be set: the boot of the machine, and the milliseconds since then, suspend included. */
export interface BootMark {
  boot: string
  uptime: number
}

export type LogFields = Record<string, unknown>

/** Messages are constant strings; values go into the fields. */
export interface Logger {
  debug(message: string, fields?: LogFields): void
  info(message: string, fields?: LogFields): void
  warn(message: string, fields?: LogFields): void
  error(message: string, fields?: LogFields): void
}

export type Labels = Record<string, string>

export interface Metrics {
  count(name: string, labels?: Labels, by?: number): void
  gauge(name: string, value: number, labels?: Labels): void
  /** Seconds. */
  observe(name: string, seconds: number, labels?: Labels): void
}

export interface JournalRecord {
  /** Milliseconds since the epoch. */
  at: number
  kind: string
  [field: string]: unknown
}

/** An append-only store that survives a crash. */
export interface Journal {
  /** Resolves once the record is on the disk (fsync), not before. */
  append(record: JournalRecord): Promise<void>
  /** Every record kept, oldest first; empty when there is no journal yet. */
  read(): Promise<JournalRecord[]>
  /** Replaces all records by these, atomically. Resolves once they are on the disk. */
  rewrite(records: JournalRecord[]): Promise<void>
  /**
   * Only where others may decide by the journal while this process cannot write it, as in a database: why it cannot be
   * written at present. Until then nothing is launched or terminated.
   */
  fault?(): Problem | undefined
}

/** Answers the request and returns true, or returns false to leave it to the next handler. */
export type Handler = (request: IncomingMessage, response: ServerResponse) => boolean | Promise<boolean>

/** Takes over the socket and returns true, or returns false to leave it to the next handler. */
export type UpgradeHandler = (request: IncomingMessage, socket: Duplex, head: Buffer) => boolean
