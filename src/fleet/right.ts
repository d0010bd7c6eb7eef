// The right to a pool: once it is over, nothing is changed or written any more.
import type { DemandSource } from '../demand/index.ts'
import type { Journal } from '../platform/index.ts'
import { type Problem, type ProblemCode, ProvisionError, problem } from '../problems/index.ts'
import type { Provider } from '../providers/index.ts'
import { guardedDemand, guardedProvider } from './guarded.ts'

/** What a pool asks and changes. */
interface Ports {
  pool: string
  provider: Provider
  demand: DemandSource
  journal: Journal
  shared?: object | undefined
}

export interface Right {
  /** It is over, and may come back: nothing may be changed. */
  isOver(): boolean
  /** It will not come back: nothing is asked any more either. */
  isAbandoned(): boolean
}

/** The same with ports that refuse what may not be done when the right to the pool is over. */
export function whileLed<T extends Ports>(deps: T, { isOver, isAbandoned }: Right): T {
  const { provider, demand, journal, shared, pool } = deps
  const mayAct = () => !isOver()
  /** Methods in `always` call nobody. */
  const refusing = <Port extends object>(
    port: Port,
    isRefused: (method: string) => boolean,
    always: readonly string[] = [],
  ): Port =>
    new Proxy(port, {
      get(target, name) {
        const value: unknown = Reflect.get(target, name)
        if (typeof value !== 'function' || always.includes(String(name))) return value
        return (...args: unknown[]) =>
          isRefused(String(name)) ? Promise.reject(rightOver(pool)) : value.apply(target, args)
      },
    })
  const isWrite = (method: string) => method === 'append' || method === 'rewrite'
  return {
    ...deps,
    provider: refusing(guardedProvider(provider, mayAct), isAbandoned, ['partOf']),
    demand: refusing(guardedDemand(demand, mayAct), isAbandoned, ['onChange']),
    journal: refusing(journal, (method) => isAbandoned() || (isWrite(method) && isOver()), ['fault']),
    ...(shared && { shared: refusing(shared, isAbandoned) }),
  }
}

/**
 * Before an order changes anything: one that is refused must not be carried out once the pool is led again. Throws why the pool
 * is not led: the fault of the database if it is known, or STATE_RIGHT_LOST.
 */
export function assertLed({
  isOver,
  deps,
}: {
  isOver: () => boolean
  deps: Pick<Ports, 'pool' | 'journal'>
}): void {
  if (!isOver()) return
  const fault = deps.journal.fault?.()
  throw fault ? new ProvisionError(fault) : rightOver(deps.pool)
}

export function rightOver(pool: string): ProvisionError {
  return new ProvisionError(
    problem('STATE_RIGHT_LOST', `this process no longer leads pool ${pool}: nothing was called or written`),
  )
}

/**
 * Before an order changes anything: while the database is known to be out of reach, nothing could be written down. Throws its
 * fault.
 */
export function assertWritable({ journal }: Pick<Ports, 'journal'>): void {
  const fault = journal.fault?.()
  if (fault && isOfDatabase(fault)) throw new ProvisionError(fault)
}

export function isRightLost(error: unknown): boolean {
  return error instanceof ProvisionError && error.code === 'STATE_RIGHT_LOST'
}

/** The journal did not confirm an order, but may have it: nobody can say whether it is carried out, by whoever leads then. */
export function orderUncertain(pool: string, cause: unknown): ProvisionError {
  const why = cause instanceof Error ? cause.message : String(cause)
  return new ProvisionError(
    problem(
      'ORDER_UNCERTAIN',
      `the order for pool ${pool} may or may not be carried out: it is not known whether it was written down (${why})`,
      { cause },
    ),
  )
}

/** Another process may take over a journal in a database, and decide by what was last written there. */
export function isOfDatabase(fault: Problem | undefined): boolean {
  return fault !== undefined && ofDatabase.includes(fault.code)
}

const ofDatabase: readonly ProblemCode[] = [
  'STATE_UNREACHABLE',
  'STATE_REFUSED',
  'STATE_READ_ONLY',
  'STATE_URL_INVALID',
  'STATE_RIGHT_LOST',
]
