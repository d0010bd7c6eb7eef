// A process that can die at any await: from then on nothing it waits for ever comes back.

export interface Life {
  readonly alive: boolean
  /** Dies now. */
  kill(): void
  /** Dies at a call to come: the `calls`th from now, before or after its effect. */
  killAtCall(calls: number, afterEffect: boolean): void
  /** Makes every method of a port end with its caller. */
  mortal<T extends object>(port: T): T
}

export function createLife(onDeath: () => void): Life {
  let alive = true
  let countdown: { calls: number; afterEffect: boolean } | undefined
  const never = () => new Promise<never>(() => {})

  function kill(): void {
    if (!alive) return
    alive = false
    onDeath()
  }

  async function guarded(call: () => Promise<unknown>): Promise<unknown> {
    if (!alive) return never()
    const isLast = countdown !== undefined && --countdown.calls === 0
    const diesBefore = isLast && !countdown!.afterEffect
    if (isLast) countdown = undefined
    if (diesBefore) {
      kill()
      return never()
    }
    let outcome: { value: unknown } | { error: unknown }
    try {
      outcome = { value: await call() }
    } catch (error) {
      outcome = { error }
    }
    if (isLast) kill()
    if (!alive) return never()
    if ('error' in outcome) throw outcome.error
    return outcome.value
  }

  return {
    get alive() {
      return alive
    },
    kill,
    killAtCall(calls, afterEffect) {
      countdown = { calls, afterEffect }
    },
    mortal: (port) =>
      new Proxy(port, {
        get(target, name) {
          const value: unknown = Reflect.get(target, name)
          if (typeof value !== 'function') return value
          return (...args: unknown[]) => {
            const call = () => value.apply(target, args) as Promise<unknown>
            return asyncMethods.has(String(name)) ? guarded(call) : call()
          }
        },
      }),
  }
}

/** Methods of the ports that answer with a promise. */
const asyncMethods = new Set([
  'sleep',
  'append',
  'read',
  'rewrite',
  'list',
  'launch',
  'terminate',
  'slotsOf',
  'consoleStage',
  'drain',
  'undrain',
  'close',
])
