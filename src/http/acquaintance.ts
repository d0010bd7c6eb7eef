// Whether a master is trusted already, or could be: what `provision trust add` and `trust replace` ask.

import { dialMaster } from '../pki/preflight-dial.ts'
import { type PresentedCertificate, presentedFacts } from '../pki/presented.ts'
import { ProvisionError } from '../problems/problem.ts'
import { explainConnection } from './explain-connection.ts'
import type { Stranger } from './stranger.ts'
import type { Target } from './target.ts'

export type Acquaintance =
  | { stranger: Stranger }
  /** By a well-known CA, or by what is stored. */
  | { trusted: PresentedCertificate[]; pem: string }

/** Milliseconds. */
const answerMs = 10_000

/** Throws why trusting it would not be enough, or why it cannot be reached. The master may be of any product. */
export async function acquaintance(target: Target): Promise<Acquaintance> {
  const { host, port } = target.address
  const { protocol, presented, fault } = await dialMaster({
    host,
    port,
    authority: host,
    tls: target.trust!.options,
    budgetMs: answerMs,
    signal: AbortSignal.timeout(answerMs),
  })
  // With a protocol agreed on, its certificate was taken, whatever came after.
  if (protocol !== undefined)
    return { trusted: presented.map(presentedFacts), pem: presented.map(String).join('') }
  const silence = Object.assign(new Error(`no answer within ${answerMs / 1000} s`), { code: 'ETIMEDOUT' })
  const { problem, stranger } = await explainConnection(fault ?? silence, target, false)
  if (!stranger) throw new ProvisionError(problem)
  return { stranger }
}
