// Publishes what this process leads for the other provisioners of the cluster: what changed, in one statement.
import {
  type FleetControl,
  type FleetRow,
  failedSummary,
  type OrderPlace,
  orphansSummary,
  orphansView,
  poolSummary,
  sharedPool,
} from '../http/index.ts'
import { type Clock, type Logger, limit, turns } from '../platform/index.ts'
import { type Exchange, type NewView, packed } from '../state/index.ts'
import { type SharedUnits, viewNameOf } from './work.ts'

/** Milliseconds from one statement to the next, at least. */
const publishEvery = 2_000
/** Compressed bytes of one view, in a second: 10,000 instances every 8 s, which takes 2% of a core. */
const bodyRate = 50_000

export interface PublishingOptions {
  exchange: Exchange
  fleet: Pick<FleetControl, 'status' | 'orphans' | 'placeOf' | 'snapshotOf'>
  /** Of one pool. */
  rowsOf: (pool: string) => FleetRow[]
  units: SharedUnits
  clock: Clock
  logger: Logger
}

export interface Publishing {
  start(): void
  /** Publishes what has changed at once, so that who gave an order finds its effect. Never rejects. */
  now(): Promise<void>
  stop(): Promise<void>
}

/** As it was last written. */
interface Written {
  /** Changes with each change but the time. */
  key: string
  bodyKey: string
  /** Not before. */
  nextBodyAt: number
}

/** What may be written, with keys that change when it does. */
interface Candidate {
  place: OrderPlace
  summary: string
  key: string
  bodyKey: string
  body?: () => Promise<object>
}

export function createPublishing(options: PublishingOptions): Publishing {
  const { exchange, fleet, units, clock, logger } = options
  const written = new Map<string, Written>()
  const stopping = new AbortController()
  const oneAtATime = limit(1)
  let loop: Promise<void> = Promise.resolve()
  let isFailing = false

  function* candidates(): Generator<Candidate> {
    const { pools, failed } = fleet.status()
    for (const status of pools) {
      const { at, ...rest } = poolSummary(status, fleet.placeOf(status.pool))
      const key = JSON.stringify(rest)
      yield {
        place: { pool: status.pool },
        summary: JSON.stringify({ ...rest, at }),
        key,
        bodyKey: `${status.decidedAt} ${key}`,
        body: () => sharedPool(status, fleet, () => options.rowsOf(status.pool)),
      }
    }
    for (const pool of failed) {
      const summary = JSON.stringify(failedSummary(pool, fleet.placeOf(pool.pool)))
      yield { place: { pool: pool.pool }, summary, key: summary, bodyKey: '' }
    }
    const orphans = orphansView(fleet.orphans())
    const bodyKey = JSON.stringify(orphans)
    const summary = JSON.stringify(orphansSummary(orphans))
    yield { place: 'orphans', summary, key: bodyKey, bodyKey, body: async () => orphans }
  }

  /** `isUrgent`: large views, too. */
  async function round(isUrgent: boolean): Promise<void> {
    const views: NewView[] = []
    const keys = new Map<string, Written>()
    const turn = turns()
    for (const { place, summary, body, ...found } of candidates()) {
      await turn()
      const lease = units.unitOf(place)
      const epoch = units.epochOf(lease)
      if (!epoch) continue
      const name = viewNameOf(place)
      const term = `${epoch.number} ${epoch.nonce}`
      const [key, bodyKey] = [`${term} ${found.key}`, `${term} ${found.bodyKey}`]
      const before = written.get(name)
      const isBodyDue =
        body && before?.bodyKey !== bodyKey && (isUrgent || clock.now() >= (before?.nextBodyAt ?? 0))
      if (before?.key === key && !isBodyDue) continue
      const view = { name, lease, epoch, summary }
      if (isBodyDue) {
        const bytes = await packed(await body())
        views.push({ ...view, body: bytes })
        keys.set(name, { key, bodyKey, nextBodyAt: clock.now() + (bytes.length / bodyRate) * 1000 })
      } else {
        views.push(view)
        keys.set(name, { bodyKey: '', nextBodyAt: 0, ...before, key })
      }
    }
    if (views.length === 0) return
    const done = await exchange.publish(views)
    for (const [name, now] of keys)
      if (done.has(name)) written.set(name, now)
      else written.delete(name)
  }

  const publish = (isUrgent: boolean) =>
    oneAtATime(async () => {
      try {
        await round(isUrgent)
        isFailing = false
      } catch (error) {
        if (!isFailing) logger.warn('other provisioners cannot see what this one does', { error })
        isFailing = true
      }
    })

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      await publish(false)
      await clock.sleep(publishEvery, stopping.signal).catch(() => {})
    }
  }

  return {
    start() {
      loop = run()
    },
    now: () => publish(true),
    async stop() {
      stopping.abort()
      await loop
    },
  }
}
