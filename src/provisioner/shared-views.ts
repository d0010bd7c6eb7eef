// What other provisioners have published, as it was last read: a store that does not answer delays no command.
import type { Clock } from '../platform/index.ts'
import { type Problem, ProvisionError, problem } from '../problems/index.ts'
import type { Exchange, StoredBody, StoredView } from '../state/index.ts'

/** Milliseconds that a command waits for the store. */
const longestRead = 700
/** Milliseconds for which an earlier answer is good enough while the store is only slow. */
const goodFor = 10_000
/** Milliseconds between two reads while no command asks, so that something is known when the store goes away. */
const readEvery = 10_000

export interface SharedViewsOptions {
  exchange: Pick<Exchange, 'views' | 'bodies'>
  clock: Clock
}

/** What is known, with its age now. `fault`: why it could not be read again. */
export interface Known<Found> {
  found: Found[]
  fault: Problem | undefined
}

export interface SharedViews {
  start(): void
  /** Within a second. Never rejects. */
  views(): Promise<Known<StoredView>>
  /** The same, of these views; those that have none, or are not known, are missing. */
  bodies(names: readonly string[]): Promise<Known<StoredBody>>
  stop(): Promise<void>
}

interface Reading {
  done: Promise<void>
  /** Until it is done: undefined. */
  outcome: { fault: Problem | undefined } | undefined
}

export function createSharedViews({ exchange, clock }: SharedViewsOptions): SharedViews {
  const stopping = new AbortController()
  const bodies = new Map<string, { body: StoredBody; at: number }>()
  let last: { views: StoredView[]; at: number } | undefined
  let lastBodiesAt = Number.NEGATIVE_INFINITY
  let fault: Problem | undefined
  let reading: Reading | undefined
  let loop: Promise<void> = Promise.resolve()

  function begin<Found>(read: () => Promise<Found[]>, keep: (found: Found[]) => void): Reading {
    const started: Reading = { outcome: undefined, done: Promise.resolve() }
    started.done = read().then(
      (found) => {
        fault = undefined
        started.outcome = { fault }
        keep(found)
      },
      (error: unknown) => {
        fault = faultOf(error)
        started.outcome = { fault }
      },
    )
    return started
  }

  /** One read of all views at a time, however many commands wait for it. */
  function readViews(): Reading {
    if (reading && !reading.outcome) return reading
    reading = begin(
      () => exchange.views(),
      (views) => (last = { views, at: clock.now() }),
    )
    return reading
  }

  async function within({ done }: Reading): Promise<void> {
    const timer = new AbortController()
    const limit = AbortSignal.any([timer.signal, stopping.signal])
    await Promise.race([done, clock.sleep(longestRead, limit).catch(() => {})])
    timer.abort()
  }

  /** Of a read that has failed, or is not answered yet. `since`: when the last one was answered. */
  function faultSince({ outcome }: Reading, since: number): Problem | undefined {
    if (outcome) return outcome.fault
    if (fault) return fault
    return clock.now() - since <= goodFor
      ? undefined
      : problem('STATE_UNREACHABLE', `the state database has not answered for ${longestRead / 1000} s`)
  }

  const older = <Aged extends { age: number }>(aged: Aged, at: number): Aged => ({
    ...aged,
    age: aged.age + clock.now() - at,
  })

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      await within(readViews())
      await clock.sleep(readEvery, stopping.signal).catch(() => {})
    }
  }

  return {
    start() {
      loop = run()
    },
    async views() {
      const asked = readViews()
      await within(asked)
      return {
        found: (last?.views ?? []).map((view) => older(view, last!.at)),
        fault: faultSince(asked, last?.at ?? Number.NEGATIVE_INFINITY),
      }
    },
    async bodies(names) {
      if (names.length === 0) return { found: [], fault: undefined }
      const asked = begin(
        () => exchange.bodies(names),
        (found) => {
          lastBodiesAt = clock.now()
          for (const name of names) bodies.delete(name)
          for (const body of found) bodies.set(body.name, { body, at: lastBodiesAt })
        },
      )
      await within(asked)
      return {
        found: names.flatMap((name) => {
          const known = bodies.get(name)
          return known ? [older(known.body, known.at)] : []
        }),
        fault: faultSince(asked, lastBodiesAt),
      }
    },
    async stop() {
      stopping.abort()
      await loop
    },
  }
}

function faultOf(error: unknown): Problem {
  if (error instanceof ProvisionError && error.problems[0]) return error.problems[0]
  const why = error instanceof Error ? error.message : String(error)
  return problem('STATE_UNREACHABLE', `the state database could not be read: ${why}`, { cause: error })
}
