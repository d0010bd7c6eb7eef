// One launch call with patience for what passes by itself, followed until it is known what it made.

import type { Clock } from '../../platform/ports.ts'
import type { LaunchOrder } from '../launch.ts'
import { gceErrorIn } from './errors.ts'
import type { GceApi, GceOperation } from './gce-api.ts'
import { gceFailure } from './gce-failure.ts'
import type { LaunchStep } from './launch-steps.ts'
import { madeBy, type StepOutcome } from './made.ts'
import { follow } from './operation.ts'
import { passes, pauseMs } from './patience.ts'
import { launching, refusalsOf } from './refusals.ts'

export interface StepContext {
  api: GceApi
  clock: Clock
  operationTimeoutMs: number
}

const attempts = 3

export async function sendStep(
  step: LaunchStep,
  order: LaunchOrder,
  context: StepContext,
  signal?: AbortSignal,
): Promise<StepOutcome> {
  const { api, clock, operationTimeoutMs: timeoutMs } = context
  let accepted: GceOperation | undefined
  try {
    accepted = await insert(step, context, signal)
  } catch (error) {
    signal?.throwIfAborted()
    return { instances: [], failures: refusalsOf(step, order, gceFailure(error, launching(step))) }
  }
  try {
    const { project } = step.request
    const operation = accepted && (await follow(accepted, { api, clock, project, timeoutMs, signal }))
    return await madeBy({ api, order, step, operation, signal })
  } catch (error) {
    signal?.throwIfAborted()
    // VMs may have been made: listings will show them.
    const failure = gceFailure(error, `find out what became of it: ${launching(step)}`)
    return { instances: [], failures: refusalsOf(step, order, failure) }
  }
}

/** Sent again with the same request id; undefined when its VMs exist, because it has taken effect before. */
async function insert(
  step: LaunchStep,
  { api, clock }: StepContext,
  signal?: AbortSignal,
): Promise<GceOperation | undefined> {
  for (let attempt = 1; ; attempt++)
    try {
      return step.call === 'instances.bulkInsert'
        ? await api.bulkInsert(step.request, signal)
        : await api.bulkInsertInRegion(step.request, signal)
    } catch (error) {
      signal?.throwIfAborted()
      if (gceErrorIn(error)?.status === 409) return undefined
      if (attempt === attempts || !passes(error)) throw error
      await clock.sleep(pauseMs(error, attempt), signal)
    }
}
