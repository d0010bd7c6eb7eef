// The right to a pool: once it is over, nothing is called or written any more.
import { ProvisionError, problem } from '../problems/index.ts'

interface Ports {
  pool: string
  provider: object
  demand: object
  journal: object
  shared?: object
}

/** The same with ports that refuse each call that is made when the right to the pool is over. */
export function whileLed<Deps extends Ports>(deps: Deps, isOver: () => boolean): Deps {
  const { provider, demand, journal, shared, pool } = deps
  const guard = <T extends object>(port: T): T =>
    new Proxy(port, {
      get(target, name) {
        const value: unknown = Reflect.get(target, name)
        if (typeof value !== 'function' || answersAtOnce.has(String(name))) return value
        return (...args: unknown[]) => {
          if (isOver()) return Promise.reject(rightOver(pool))
          return value.apply(target, args)
        }
      },
    })
  const ports = { provider: guard(provider), demand: guard(demand), journal: guard(journal) }
  return { ...deps, ...ports, ...(shared ? { shared: guard(shared) } : {}) }
}

/** Methods of the ports that call nobody. */
const answersAtOnce = new Set(['partOf', 'onChange', 'fault'])

export function rightOver(pool: string): ProvisionError {
  return new ProvisionError(
    problem('STATE_RIGHT_LOST', `this process no longer leads pool ${pool}: nothing was called or written`),
  )
}
