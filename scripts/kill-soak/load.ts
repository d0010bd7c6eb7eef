// A steady load of short commands, each of which records its start and its end.
import { readFileSync, writeFileSync } from 'node:fs'
import type { Client } from '../../src/http/client.ts'
import { isNoAnswer, listJobs } from '../../src/http/job-client.ts'
import { isOver, type JobOrder, type JobView } from '../../src/http/job-view.ts'
import { systemClock } from '../../src/platform/clock.ts'
import type { Random } from '../../src/simulator/random.ts'
import { submitWithRetries } from '../../test/support/retrying-submit.ts'
import type { Trace } from './verdict.ts'

export interface Load {
  /** By task. */
  accepted: Map<string, { fails: boolean }>
  finals: Map<string, JobView>
  changed: string[]
  /** Submits jobs until `over`; retries a submission that has begun until `giveUp`. */
  submit(over: AbortSignal, giveUp: AbortSignal): Promise<void>
  /** Polls the jobs of the master once; without a master, nothing is recorded. */
  look(): Promise<void>
  traces(): Trace[]
}

/** Jobs at once: more would only wait. */
const mostUnfinished = 30

/** One write of one line each: lines of several processes do not mix (O_APPEND, write(2)). */
const script = `printf 'began %s %s\\n' "$TASK" "$DET_CONTAINER_ID" >>"$TRACES"
sleep "$1"
printf 'ended %s %s\\n' "$TASK" "$DET_CONTAINER_ID" >>"$TRACES"
exit "$2"`

export function createLoad(client: Client, tracesFile: string, random: Random): Load {
  const accepted: Load['accepted'] = new Map()
  const finals: Load['finals'] = new Map()
  const changed: string[] = []
  writeFileSync(tracesFile, '')

  function nextOrder(n: number): { order: JobOrder; fails: boolean } {
    const fails = random.chance(10)
    const id = `soak-${n}`
    const command = ['sh', '-c', script, 'soak', (random.next() * 1.5).toFixed(2), fails ? '7' : '0']
    // 4 slots are two whole agents, 0 is an auxiliary job.
    const slots = random.pick([0, 1, 1, 1, 1, 1, 2, 2, 4])
    return { order: { id, slots, command, env: { TASK: id, TRACES: tracesFile } }, fails }
  }

  async function handIn(n: number, giveUp: AbortSignal): Promise<void> {
    const { order, fails } = nextOrder(n)
    // Some clients submit twice at once: that must create only one job.
    const times = random.chance(20) ? 2 : 1
    await Promise.any(Array.from({ length: times }, () => submitWithRetries(client, order, giveUp)))
    accepted.set(order.id, { fails })
  }

  return {
    accepted,
    finals,
    changed,
    async submit(over, giveUp) {
      const underWay = new Set<Promise<void>>()
      for (let n = 1; !over.aborted; n++) {
        const one = handIn(n, giveUp).catch((error: unknown) => {
          // There was no response: it is not accepted.
          if (!giveUp.aborted) throw error
        })
        underWay.add(one)
        // A failed one stays in the list, to be reported at the end.
        one.then(
          () => underWay.delete(one),
          () => {},
        )
        await systemClock.sleep(random.whole(50, 350))
        while (!over.aborted && accepted.size - finals.size + underWay.size > mostUnfinished)
          await systemClock.sleep(50)
      }
      await Promise.all(underWay)
    },
    async look() {
      const seen = await listJobs(client).catch((error: unknown) => {
        if (isNoAnswer(error)) return []
        throw error
      })
      for (const work of seen.filter(isOver)) {
        const before = finals.get(work.task)
        if (!before) finals.set(work.task, work)
        else if (before.state !== work.state && !changed.includes(work.task)) changed.push(work.task)
      }
    },
    traces: () =>
      readFileSync(tracesFile, 'utf8')
        .split('\n')
        .filter(Boolean)
        .map((line) => {
          const [kind, task, container] = line.split(' ')
          return { kind, task, container } as Trace
        }),
  }
}
