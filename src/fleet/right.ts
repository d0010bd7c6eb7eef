// The right to a pool: once it is over, nothing is called or written any more.
import { type Problem, ProvisionError, problem } from '../problems/index.ts'

/** What a pool asks and changes. */
interface Ports {
  pool: string
  provider: object
  demand: object
  journal: object
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
  const guard = <T extends object>(port: T): T =>
    new Proxy(port, {
      get(target, name) {
        const value: unknown = Reflect.get(target, name)
        if (typeof value !== 'function' || answersAtOnce.has(String(name))) return value
        return (...args: unknown[]) => {
          if (isAbandoned() || (changes.has(String(name)) && isOver())) return Promise.reject(rightOver(pool))
          return value.apply(target, args)
        }
      },
    })
  const ports = { provider: guard(provider), demand: guard(demand), journal: guard(journal) }
  return { ...deps, ...ports, ...(shared ? { shared: guard(shared) } : {}) }
}

/** Methods of the ports that change something. */
const changes = new Set(['launch', 'terminate', 'drain', 'undrain', 'append', 'rewrite'])
/** Those that call nobody. */
const answersAtOnce = new Set(['partOf', 'onChange', 'fault'])

/**
 * Before an order changes anything: one that is refused must not be carried out once the pool is led again. Throws why the pool
 * is not led: the fault of the database if it is known, or STATE_RIGHT_LOST.
 */
export function assertLed({
  isOver,
  deps,
}: {
  isOver: () => boolean
  deps: { pool: string; journal: { fault?: () => Problem | undefined } }
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
