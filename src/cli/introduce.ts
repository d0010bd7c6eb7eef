// The question about a master that nobody vouches for yet, and what to say once it is answered.

import type { Target } from '../http/target.ts'
import type { Stranger } from '../http/untrusted-server.ts'
import type { PresentedCertificate } from '../pki/preflight-explain.ts'
import { masterUrl } from '../pki/trust-plan.ts'
import { pairs } from '../pki/trust-store.ts'
import { type Problem, problem } from '../problems/problem.ts'
import { confirmed, sayProblems, type Terminal } from './terminal.ts'

/** undefined where nobody is there to ask, or where the store is not what decides. */
export function introduceOn(
  { trust }: Target,
  terminal: Terminal,
): ((stranger: Stranger) => Promise<boolean>) | undefined {
  const { ask } = terminal
  const memory = trust?.memory
  if (!ask || !memory) return undefined
  return async (stranger) => {
    const head = `Neither a well-known CA nor you vouch for ${stranger.url} so far. It presents:`
    for (const line of ['', head, '', ...strangerLines(stranger), '']) terminal.say(line)
    for (const line of howToCompare) terminal.say(line)
    if (!(await confirmed(ask, 'Trust this certificate from now on?'))) return false
    terminal.say(
      `It is stored in ${memory.store.file}; \`provision trust remove ${stranger.url}\` takes it back.`,
    )
    sayProblems(terminal, afterStoring(stranger))
    terminal.say('')
    return true
  }
}

export const howToCompare = [
  'Compare the SHA-256 with the one of the certificate on the master:',
  '  openssl x509 -noout -fingerprint -sha256 -in CERTIFICATE',
]

/** The server's certificate, a line for each thing to compare. */
export function certificateLines(leaf: PresentedCertificate): [name: string, text: string][] {
  return [
    ['subject', leaf.subject],
    ['names', leaf.sans.join(', ') || 'none'],
    ['valid', `${leaf.notBefore.slice(0, 10)} to ${leaf.notAfter.slice(0, 10)}`],
    ['SHA-256', pairs(leaf.sha256)],
  ]
}

export function strangerLines({ presented: [leaf], signer }: Stranger): string[] {
  const [subject, ...rest] = certificateLines(leaf)
  return [subject!, ['signed', signer] as const, ...rest].map(([name, text]) => `  ${name.padEnd(8)} ${text}`)
}

/** What may surprise later, though it works here. */
export function afterStoring({ url, hasRoot }: Pick<Stranger, 'url' | 'hasRoot'>): Problem[] {
  if (hasRoot) return []
  const message = `${url} serves its chain without the root: \`det\` with a Python before 3.13 will still refuse it`
  return [problem('TRUST_ROOT_MISSING', message)]
}

export function sayUnverified({ address, trust }: Target, terminal: Terminal): void {
  if (trust?.unverified)
    sayProblems(terminal, [problem('CLIENT_NOT_VERIFIED', `${masterUrl(address)} is not verified`)])
}
