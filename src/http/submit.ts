// Hands work in once, however often the network makes us ask.
import type { Clock } from '../platform/ports.ts'
import type { ProblemCode } from '../problems/codes.ts'
import { ProvisionError, problem } from '../problems/problem.ts'
import type { Client } from './client.ts'
import { sendWork, type WorkOrder } from './work-client.ts'
import type { WorkView } from './work-view.ts'

/** Milliseconds before each further try: about as long as a master takes to start again. */
const waits = [500, 1000, 2000, 4000]

/**
 * Sends the order until an answer comes. What was wrong before anything was sent is thrown as it is; when no answer
 * came at all, WORK_NOT_CONFIRMED: the master may have it.
 */
export async function submitWork(client: Client, order: WorkOrder, clock: Clock): Promise<WorkView> {
  await client.meet()
  return attempt(waits)

  async function attempt([wait, ...further]: readonly number[]): Promise<WorkView> {
    try {
      return await sendWork(client, order)
    } catch (error) {
      if (!isNoAnswer(error)) throw error
      if (wait === undefined) throw notConfirmed(error, order)
    }
    await clock.sleep(wait)
    return attempt(further)
  }
}

const noAnswer: readonly (ProblemCode | undefined)[] = ['CLIENT_UNREACHABLE', 'CLIENT_TLS_REFUSED']

export function isNoAnswer(error: unknown): error is ProvisionError {
  return error instanceof ProvisionError && noAnswer.includes(error.code)
}

function notConfirmed(error: ProvisionError, { id }: WorkOrder): ProvisionError {
  const [last] = error.problems
  return new ProvisionError(
    problem('WORK_NOT_CONFIRMED', `no answer about the work ${id}: ${last?.message ?? error.message}`, {
      remedy: `Ask with \`provision work ${id}\`, or hand it in again with --id ${id}: it is never run twice.`,
      details: { id },
      cause: error,
    }),
  )
}
