// Messages in the order they came, for a reader that may be busy when they do.

export interface Inbox<T> {
  put(message: T): void
  /** After the last message `next` gives undefined, for ever. */
  end(): void
  next(): Promise<T | undefined>
}

export function createInbox<T>(): Inbox<T> {
  const waiting: T[] = []
  let reader: ((message: T | undefined) => void) | undefined
  let ended = false

  return {
    put(message) {
      if (reader) reader(message)
      else waiting.push(message)
      reader = undefined
    },
    end() {
      ended = true
      reader?.(undefined)
      reader = undefined
    },
    next() {
      if (waiting.length > 0) return Promise.resolve(waiting.shift())
      if (ended) return Promise.resolve(undefined)
      return new Promise((resolve) => {
        reader = resolve
      })
    },
  }
}
