// A process that can die at any await: from then on none of its promises resolves. While it is suspended they wait.

export interface Life {
  readonly alive: boolean
  readonly suspended: boolean
  suspend(): void
  resume(): void
  /** Resolves when it is not suspended. */
  awake(): Promise<void>
  /** Dies now. */
  kill(): void
  /** Dies at a later call: call number `calls` from now, before or after its effect. Takes back an earlier order. */
  killAtCall(calls: number, afterEffect: boolean): void
  /** Makes every method of a port stop when its caller dies. */
  crashable<T extends object>(port: T): T
}

/** `onDeath` gets whether it died at a call. */
export function createLife(onDeath: (atCall: boolean) => void): Life {
  let alive = true
  let suspension: { over: Promise<void>; end: () => void } | undefined
  let countdown: { calls: number; afterEffect: boolean } | undefined
  /** It dies when the call in flight answers, unless that is taken back. */
  let isDoomed = false
  const never = () => new Promise<never>(() => {})

  function kill(atCall = false): void {
    if (!alive) return
    alive = false
    onDeath(atCall)
  }

  async function guarded(call: () => Promise<unknown>): Promise<unknown> {
    if (!alive) return never()
    const isLast = countdown !== undefined && --countdown.calls === 0
    const diesBefore = isLast && !countdown!.afterEffect
    if (isLast) {
      countdown = undefined
      isDoomed = true
    }
    if (diesBefore) {
      kill(true)
      return never()
    }
    let outcome: { value: unknown } | { error: unknown }
    try {
      outcome = { value: await call() }
    } catch (error) {
      outcome = { error }
    }
    if (isLast && isDoomed) kill(true)
    while (suspension) await suspension.over
    if (!alive) return never()
    if ('error' in outcome) throw outcome.error
    return outcome.value
  }

  return {
    get alive() {
      return alive
    },
    get suspended() {
      return suspension !== undefined
    },
    suspend() {
      let end = () => {}
      const over = new Promise<void>((resolve) => {
        end = resolve
      })
      suspension ??= { over, end }
    },
    resume() {
      const ended = suspension
      suspension = undefined
      ended?.end()
    },
    awake: async () => suspension?.over,
    kill: () => kill(),
    killAtCall(calls, afterEffect) {
      countdown = { calls, afterEffect }
      isDoomed = false
    },
    crashable: (port) =>
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

/** Methods of the ports that return a promise. */
const asyncMethods = new Set([
  'sleep',
  'append',
  'read',
  'rewrite',
  'list',
  'find',
  'launch',
  'terminate',
  'slotsOf',
  'consoleStage',
  'drain',
  'undrain',
  'close',
  'renew',
  'take',
  'release',
  'leave',
])
