// What happened in a world, in order: kept as data, put into words only when somebody asks.

export interface Entry {
  at: number
  step: number
  who: string
  what: string
  details?: unknown
}

export interface Timeline {
  add(who: string, what: string, details?: unknown): void
  readonly entries: readonly Entry[]
}

const kept = 4_000

/** The last few thousand entries: a failure is seldom explained by what is older. */
export function createTimeline(now: () => number, step: () => number): Timeline {
  let entries: Entry[] = []
  return {
    add(who, what, details) {
      entries.push({ at: now(), step: step(), who, what, details })
      if (entries.length > 2 * kept) entries = entries.slice(-kept)
    },
    get entries() {
      return entries
    },
  }
}

/** One line an entry, with the time since the start of the world. */
export function printTimeline(entries: readonly Entry[], startsAt: number): string {
  return entries
    .map(({ at, step, who, what, details }) => {
      const seconds = ((at - startsAt) / 1000).toFixed(3).padStart(10)
      const words = details === undefined ? '' : ` ${JSON.stringify(details)}`
      return `${seconds} s  #${step}  ${who.padEnd(12)} ${what}${words}`
    })
    .join('\n')
}
