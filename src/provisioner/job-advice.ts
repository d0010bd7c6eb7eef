// What the built-in master reports about a waiting job: why it waits, by the last plan of its pool, and whether it can run at all.
import type { MasterConfig } from '../config/index.ts'
import type { PoolStatus } from '../fleet/index.ts'
import type { WaitingView, Written } from '../http/index.ts'
import { actReasons, neverRuns, type WaitReason, waitReasons, whyAllWait } from '../planner/index.ts'
import { codeInfo, type Problem, problem } from '../problems/index.ts'
import type { JobAdvice } from '../standalone/index.ts'
import type { PoolsStatus } from './pools.ts'

/** @param now milliseconds since the epoch, by the clock of the pools */
export function createJobAdvice(
  { resource_pools }: Pick<MasterConfig, 'resource_pools'>,
  { status, now }: { status: () => PoolsStatus; now: () => number },
): JobAdvice {
  const reasonsOf = rememberReasons()
  const hasProvider = (name: string) =>
    resource_pools.find(({ pool_name }) => pool_name === name)?.provider !== undefined

  return {
    whyWaits() {
      const { pools, failed } = status()
      return ({ id, pool, submittedAt }) => {
        const times = { since: submittedAt, nextAt: now() }
        if (!hasProvider(pool)) return view({ code: 'NO_PROVIDER', numbers: {} }, times)
        const running = pools.find((each) => each.pool === pool)
        if (running) return viewIn(running, id, submittedAt)
        const behind = failed.find((each) => each.pool === pool)?.problems[0]
        return view({ code: 'POOL_NOT_RUNNING', numbers: {} }, { ...times, behind })
      }
    },
    cannotRun({ pool, slots }) {
      const running = status().pools.find((each) => each.pool === pool)
      // An empty list of offerings is a fault of the pool, not of the job.
      if (!running || running.offerings.length === 0) return undefined
      const agents = running.snapshot?.agents ?? []
      const code = neverRuns(slots, { ...running, agents }, running.policy)
      return code && refusal(code, slots, running)
    },
  }

  function viewIn(status: PoolStatus, id: string, submittedAt: number): Written<WaitingView> {
    const reason = reasonsOf(status).get(id) ?? { code: 'NOT_PLANNED_YET', numbers: {} }
    const blocked = status.blocked.find(({ code }) => code === reason.code)
    const since = reason.since ?? status.blockedSince.get(reason.code) ?? submittedAt
    // Between two polls the time of the last one may be over.
    const nextAt = Math.max(now(), reason.nextAt ?? status.nextPollAt)
    return view(reason, { since: Math.max(since, submittedAt), nextAt, behind: blocked?.problem })
  }
}

/** A list of a thousand jobs asks for a thousand reasons of the same plan. */
function rememberReasons(): (status: PoolStatus) => ReadonlyMap<string, WaitReason> {
  const known = new WeakMap<object, ReadonlyMap<string, WaitReason>>()
  return ({ snapshot, policy, decidedAt }) => {
    if (!snapshot || decidedAt === undefined) return new Map()
    const found = known.get(snapshot) ?? whyAllWait(snapshot, policy, decidedAt)
    known.set(snapshot, found)
    return found
  }
}

function view(
  reason: Omit<WaitReason, 'code'> & { code: WaitReason['code'] | 'POOL_NOT_RUNNING' },
  { since, nextAt, behind }: { since: number; nextAt: number; behind?: Problem | undefined },
): Written<WaitingView> {
  const { code, numbers, instances } = reason
  const own = wordsOf(code)
  return {
    code,
    meaning: own.meaning,
    remedy: behind?.remedy ?? own.remedy,
    // Times are given as such.
    numbers: Object.fromEntries(Object.entries(numbers).filter(([name]) => !name.endsWith('At'))),
    instances,
    problem: behind && {
      code: behind.code,
      severity: behind.severity,
      message: behind.message,
      remedy: behind.remedy,
    },
    since: new Date(since).toISOString(),
    nextAt: new Date(nextAt).toISOString(),
  }
}

function wordsOf(code: WaitReason['code'] | 'POOL_NOT_RUNNING'): { meaning: string; remedy?: string } {
  if (isIn(waitReasons, code)) return { meaning: sentence(waitReasons[code]) }
  if (isIn(actReasons, code)) return { meaning: sentence(launching[code] ?? actReasons[code]) }
  const { meaning, remedy } = codeInfo(code)
  return { meaning, remedy }
}

/** In the words of the job that waits. */
const launching: Partial<Record<keyof typeof actReasons, string>> = {
  WORK_WAITS: 'an instance is being launched for the job',
  LAUNCH_IN_FLIGHT: 'a launch call is in progress; an instance for the job is launched after it',
}

function isIn<Table extends object>(table: Table, code: PropertyKey): code is keyof Table {
  return Object.hasOwn(table, code)
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`
}

function refusal(
  code: NonNullable<ReturnType<typeof neverRuns>>,
  slots: number,
  { pool, policy, offerings }: PoolStatus,
): Problem {
  const sizes = [...new Set(offerings.map((offering) => offering.slots))].sort((a, b) => a - b)
  const needs = `a job of ${slots} slot${slots === 1 ? '' : 's'}`
  const largest = Math.max(...sizes.filter((size) => size > 0 && slots % size === 0))
  const message = {
    AUX_NOT_ALLOWED: `agents of pool ${pool} accept no auxiliary jobs`,
    NEVER_FITS: `${needs} fits no instance of pool ${pool}, alone or together: they have ${sizes.join(', ')} slots`,
    EXCEEDS_MAX: `${needs} needs ${slots / largest} instances of pool ${pool}, and max_instances is ${policy.maxInstances}`,
  }[code]
  const remedy = `${codeInfo(code).remedy.replace(/\.$/, '')}; with \`provision submit --force\` it is accepted, and waits.`
  return problem('WORK_CANNOT_RUN', `${code}: ${message}`, { remedy })
}
