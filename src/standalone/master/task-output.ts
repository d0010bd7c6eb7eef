// Output that containers send themselves: POST /provision/v1/task-output/CONTAINER, with a token that is good for nothing else.

import * as z from 'zod/mini'
import { bearer, pathOf, readJson, sameToken, sendJson } from '../../http/index.ts'
import type { Clock } from '../../platform/index.ts'
import { type Handler, wallTime } from '../../platform/index.ts'
import type { LogStore } from './log-store.ts'
import { failure } from './rest-router.ts'
import type { WorkStore } from './store.ts'

export interface TaskOutputOptions {
  store: Pick<WorkStore, 'owner'>
  logs: Pick<LogStore, 'add'>
  clock: Clock
}

const outputSchema = z.object({
  lines: z.array(z.object({ stream: z.enum(['stdout', 'stderr']), text: z.string(), timestamp: z.string() })),
})

const prefix = '/provision/v1/task-output/'

/** Put it before the access handler, which does not know these tokens. */
export function taskOutputHandler({ store, logs, clock }: TaskOutputOptions): Handler {
  return async (request, response) => {
    const path = pathOf(request)
    if (request.method !== 'POST' || !path.startsWith(prefix)) return false
    const refuse = (status: number, text: string) => sendJson(response, status, failure(status, text).value)
    const ContainerID = path.slice(prefix.length)
    const allocation = store.owner(ContainerID)
    const token = allocation?.outputToken
    // One answer for both, so that ids cannot be guessed.
    if (!allocation || token === undefined || !sameToken(bearer(request) ?? '', token))
      return refuse(401, 'no such container runs, or this is not its token')
    const body = await readJson(request)
    if (!body.ok) return refuse(body.status, body.message)
    const read = outputSchema.safeParse(body.value)
    if (!read.success) return refuse(400, 'lines must be a list of {stream, text, timestamp}')
    for (const { stream, text: Value, timestamp } of read.data.lines) {
      const at = Date.parse(timestamp)
      const Timestamp = new Date(Number.isNaN(at) ? wallTime(clock) : at).toISOString()
      const RunMessage = { Value, StdType: stream === 'stderr' ? 2 : 1 }
      logs.add(allocation.id, { ...nothing, ContainerID, Timestamp, RunMessage })
    }
    return sendJson(response, 200, {})
  }
}

const nothing = { Level: null, PullMessage: null, AuxMessage: null }
