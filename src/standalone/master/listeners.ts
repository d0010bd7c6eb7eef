// Who wants to be told. A listener that fails harms neither the others nor the one who tells.
import type { Logger } from '../../platform/ports.ts'

export interface Listeners<T> {
  /** Returns the function that stops it. */
  add(listener: (value: T) => void): () => void
  tell(value: T): void
}

export function createListeners<T>(logger: Logger): Listeners<T> {
  const listeners = new Set<(value: T) => void>()
  return {
    add(listener) {
      // A wrapper, so that the same function added twice is told twice and removed once.
      const entry = (value: T) => listener(value)
      listeners.add(entry)
      return () => void listeners.delete(entry)
    },
    tell(value) {
      for (const listener of [...listeners]) {
        try {
          listener(value)
        } catch (error) {
          logger.error('a listener failed', { error })
        }
      }
    },
  }
}
