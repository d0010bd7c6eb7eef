// Long work in turns, so that it does not hold the event loop.
import { setImmediate } from 'node:timers/promises'

/** Milliseconds of work until other work may run. */
const slice = 5

/** Call the result between short steps: it waits for a turn of the event loop once enough has been done. */
export function turns(): () => Promise<void> {
  let since = performance.now()
  return async () => {
    if (performance.now() - since < slice) return
    await setImmediate()
    since = performance.now()
  }
}
