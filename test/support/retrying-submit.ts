// Submits a job until there is an answer, like a careful client; the job's id makes retries safe.
import type { Client } from '../../src/http/client.ts'
import { isNoAnswer, sendJob } from '../../src/http/job-client.ts'
import type { JobOrder, JobView } from '../../src/http/job-view.ts'
import { systemClock } from '../../src/platform/clock.ts'
import { ProvisionError } from '../../src/problems/index.ts'

/** Rejects with the fault of the job, or with the signal's reason. */
export async function submitWithRetries(
  client: Client,
  order: JobOrder,
  signal?: AbortSignal,
): Promise<JobView> {
  for (;;)
    try {
      return await sendJob(client, order)
    } catch (error) {
      // A master that exits during the handshake looks like a port of another protocol.
      const isCut = error instanceof ProvisionError && error.code === 'CLIENT_SCHEME'
      if (!isCut && !isNoAnswer(error)) throw error
      await systemClock.sleep(20, signal)
    }
}
