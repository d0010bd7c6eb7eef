// Why there is no connection, and where a certificate is the reason: which one the master presents.

import { isCertificateCode } from '../../pki/classify.ts'
import { dialOptions } from '../../pki/dial-options.ts'
import { dialMaster } from '../../pki/preflight-dial.ts'
import { presentedFacts } from '../../pki/presented.ts'
import { type DialFault, dialFault } from './dial-words.ts'
import { proxyFor } from './network.ts'
import { masterOf } from './options.ts'
import type { SessionContext } from './session.ts'

/** Milliseconds for the second look. */
const budgetMs = 5000

/** `error` is why the dial failed. Never rejects. */
export async function explainDial(error: unknown, context: SessionContext): Promise<DialFault> {
  const { code, ...fault } = dialFault(error, context.options)
  // A verifier tells neither whose certificate it refused nor until when that is valid.
  if (!code || !isCertificateCode(code) || proxyFor(masterOf(context.options), context.env)) return fault
  const presents = await presentedBy(context)
  return presents ? { ...fault, presents } : fault
}

async function presentedBy({ options, clock, signal }: SessionContext): Promise<string | undefined> {
  const { masterHost: host, masterPort: port, tls } = options
  const ended = new AbortController()
  clock.sleep(budgetMs, ended.signal).then(
    () => ended.abort(),
    () => {},
  )
  const { presented } = await dialMaster({
    host,
    port,
    authority: tls.masterCertName || host,
    tls: dialOptions({ name: tls.masterCertName || host, verify: false }),
    budgetMs,
    signal: AbortSignal.any([signal, ended.signal]),
  })
  ended.abort()
  if (!presented[0]) return undefined
  const { subject, sans, issuer, notBefore, notAfter } = presentedFacts(presented[0])
  return `${subject} (${sans.join(', ') || 'no names'}), issued by ${issuer}, valid from ${notBefore} to ${notAfter}`
}
