// The example trace: a working day of a research group, the same every time.
import { formatDuration } from '../platform/index.ts'
import { createRandom, type Random } from './random.ts'

const minute = 60_000
const hour = 60 * minute

interface Line {
  at: number
  slots: number
  duration: number
  name: string
  job?: string
  maxSlots?: number
}

/** CSV: trainings all day, two parameter searches, notebooks, and one job that fits no VM with four slots. */
export function exampleTrace(): string {
  const random = createRandom('a working day')
  const lines = [
    ...trainings(random.fork('trainings')),
    ...search('search-1', 2 * hour, 8, random.fork('search', 1)),
    ...search('search-2', 6 * hour, 16, random.fork('search', 2)),
    ...notebooks(random.fork('notebooks')),
    { at: 5 * hour, slots: 6, duration: 30 * minute, name: 'odd' },
  ].sort((a, b) => a.at - b.at)
  const rows = lines.map(({ at, slots, duration, name, job = '', maxSlots = '' }) =>
    [formatDuration(at), slots, formatDuration(duration), name, job, maxSlots].join(','),
  )
  return `submit,slots,duration,id,job,max_slots\n${rows.join('\n')}\n`
}

/** Most in the late morning and the afternoon; many are short, a few take hours. */
function trainings(random: Random): Line[] {
  const perHour = [6, 14, 22, 12, 10, 20, 24, 18, 10, 6]
  return perHour.flatMap((count, n) =>
    Array.from({ length: count }, (_, k) => {
      const draw = random.fork(n, k)
      const slots = draw.pick([1, 1, 1, 1, 2, 2, 4, 4, 8])
      const minutes = Math.round(2 * 60 ** draw.next())
      return { at: n * hour + atSecond(draw), slots, duration: minutes * minute, name: `train-${n}-${k}` }
    }),
  )
}

/** Submitted all at once; its job has a limit of `maxSlots` slots. */
function search(job: string, at: number, maxSlots: number, random: Random): Line[] {
  return Array.from({ length: 24 }, (_, n) => {
    const duration = random.whole(8, 25) * minute
    return { at, slots: 1, duration, name: `${job}-${n}`, job, maxSlots }
  })
}

function notebooks(random: Random): Line[] {
  return Array.from({ length: 12 }, (_, n) => {
    const duration = random.whole(20, 180) * minute
    return { at: random.whole(0, 8) * hour + atSecond(random), slots: 0, duration, name: `notebook-${n}` }
  })
}

function atSecond(random: Random): number {
  return random.whole(0, 3599) * 1000
}
