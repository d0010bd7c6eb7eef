// The right to a pool: once it is over, nothing is changed or written any more.
import type { DemandSource } from '../demand/index.ts'
import type { Journal } from '../platform/index.ts'
import { ProvisionError, problem } from '../problems/index.ts'
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
