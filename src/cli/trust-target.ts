// Which master a `provision trust` command means.

import { type Target, type TrustMemory, targetByUrl } from '../http/target.ts'
import { ProvisionError, problem } from '../problems/problem.ts'
import type { CommandContext } from './command.ts'
import { sayProblems } from './terminal.ts'

export interface TrustOptions {
  master?: string
  fingerprint?: string
}

/** Without a scheme it is https: there is nothing to trust elsewhere. Throws USAGE and CLIENT_MASTER_URL. */
export function trustTarget(
  url: string | undefined,
  { master }: TrustOptions,
  { env }: CommandContext,
): { target: Target; memory: TrustMemory } {
  const given = url ?? master
  if (!given) throw usage('which master? Its URL is missing', 'Such as https://master.example.com:8443.')
  const text = /^[a-z][a-z0-9+.-]*:\/\//i.test(given) ? given : `https://${given}`
  // It is about the store, whatever else decides meanwhile.
  const target = targetByUrl(text, { env: { ...env, DET_MASTER_CERT_FILE: undefined } })
  const memory = target.trust?.memory
  if (!memory)
    throw usage(`${given} is dialled in plain text, without a certificate`, 'Write https:// before the host.')
  return { target, memory }
}

export function sayOverruled({ terminal, env }: CommandContext): void {
  const file = env['DET_MASTER_CERT_FILE']
  if (file) sayProblems(terminal, [problem('TRUST_NOT_CONSULTED', `DET_MASTER_CERT_FILE is ${file}`)])
}

export function usage(message: string, remedy: string): ProvisionError {
  return new ProvisionError(problem('USAGE', message, { remedy }))
}
