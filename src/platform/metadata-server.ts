// Shared by the metadata servers of both clouds: answers, retries and timeouts.

import { type Problem, ProvisionError, problem } from '../problems/index.ts'
import { retry } from './backoff.ts'
import { type Fetch, fetchText, reasonOf, type TextAnswer } from './http-client.ts'
import type { Clock } from './ports.ts'

export interface MetadataOptions {
  fetch: Fetch
  clock: Clock
  /** The provisioner's environment: both clouds have variables for another server. */
  env: Readonly<Record<string, string | undefined>>
  /** For one request; metadata servers are one hop away and answer in milliseconds. */
  timeoutMs?: number
  signal?: AbortSignal
}

export interface MetadataCall {
  url: string
  method?: string
  headers?: Record<string, string>
}

const policy = { tries: 3, pauses: { first: 100, most: 400, factor: 4 } }

/**
 * Resolves with an answer below 500 that is not 429. Retries busy servers with backoff, as AWS and Google require. Does not
 * retry without an answer: then there is no metadata server. Throws CLOUD_METADATA_UNAVAILABLE.
 */
export async function askMetadata(options: MetadataOptions, call: MetadataCall): Promise<TextAnswer> {
  const ask = async () => {
    const answer = await once(options, call)
    if (answer.status < 500 && answer.status !== 429) return answer
    throw new ServerBusy(unavailable(call.url, `HTTP ${answer.status}`))
  }
  const { clock, signal } = options
  return retry(ask, { ...policy, clock, signal, isRetryable: (error) => error instanceof ServerBusy })
}

class ServerBusy extends ProvisionError {}

async function once(
  { fetch, timeoutMs = 2000, signal }: MetadataOptions,
  call: MetadataCall,
): Promise<TextAnswer> {
  try {
    return await fetchText({ fetch, timeoutMs, ...call, ...(signal ? { signal } : {}) })
  } catch (error) {
    if (signal?.aborted) throw signal.reason
    throw new ProvisionError(unavailable(call.url, reasonOf(error), error))
  }
}

export function unavailable(url: string, why: string, cause?: unknown): Problem {
  return problem('CLOUD_METADATA_UNAVAILABLE', `the metadata server did not answer ${url}: ${why}`, { cause })
}

/** Throws CLOUD_METADATA_UNAVAILABLE for a value that this machine does not have. */
export async function neededValue(name: string, value: Promise<string | undefined>): Promise<string> {
  const known = await value
  if (known !== undefined) return known
  throw new ProvisionError(
    problem('CLOUD_METADATA_UNAVAILABLE', `the metadata server has no ${name} for this machine`),
  )
}
