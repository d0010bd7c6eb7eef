// The part of the port for several provisioners: what they tell each other through the store, because they never connect to
// each other. Who leads something publishes views of it; orders wait in the store until its leader takes them.
import type { Epoch } from '../leases/port.ts'

export interface Exchange {
  /**
   * Replaces views, in one statement, each only where its lease still has this epoch. Resolves with the names of those that
   * were written.
   */
  publish(views: readonly NewView[]): Promise<ReadonlySet<string>>
  /** All views, without their bodies. */
  views(): Promise<StoredView[]>
  /** The bodies of these views; those that have none are missing. */
  bodies(names: readonly string[]): Promise<StoredBody[]>
  /** Resolves once it is stored. Throws ORDER_UNANSWERED when too many wait already. */
  place(order: NewOrder): Promise<void>
  /**
   * Takes the orders for these leases, in one statement, each once and for ever, and only before it expires and where the
   * lease still has this epoch.
   */
  take(held: ReadonlyMap<string, Epoch>): Promise<TakenOrder[]>
  /** The answer to an order that was taken. */
  answer(id: string, answer: string): Promise<void>
  /** The answers to those of these orders that have one. Answers are removed some minutes later. */
  answers(ids: readonly string[]): Promise<ReadonlyMap<string, string>>
  /** Nobody takes the order any more. False when somebody has taken it: it may have been carried out. */
  withdraw(id: string): Promise<boolean>
}

/** What was published under a name, as text that only the program understands. */
export interface NewView {
  name: string
  /** Under which it is written. */
  lease: string
  epoch: Epoch
  /** Short: all of them are read at once. */
  summary: string
  /** See `packed`; missing: the one before stays. */
  body?: Uint8Array
}

export interface StoredView {
  name: string
  /** Of the leader that wrote it. */
  epoch: Epoch
  summary: string
  /** Milliseconds since it was written, by the clock of the store. */
  age: number
}

export interface StoredBody {
  name: string
  body: Uint8Array
  /** Milliseconds since it was written, by the clock of the store. */
  age: number
}

export interface NewOrder {
  /** A new UUID. */
  id: string
  /** Whoever has it takes the order. */
  lease: string
  /** As text that only the program understands. */
  order: string
  /** Who placed it, for the log. */
  from: string
  /** Milliseconds from now, by the clock of the store, after which nobody takes it. */
  ttl: number
}

export type TakenOrder = Omit<NewOrder, 'ttl'>

/** Orders that wait; more are refused. */
export const mostWaiting = 1_000
/** Milliseconds for which orders and their answers are kept after they expired. */
export const ordersKept = 300_000
