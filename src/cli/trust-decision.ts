// Whether a stranger is to be trusted: by the SHA-256 that was given, else by an answer on the terminal.
import { type Stranger, strangerProblem } from '../http/untrusted-server.ts'
import type { PresentedCertificate } from '../pki/preflight-explain.ts'
import { pairs, parseFingerprint } from '../pki/trust-store.ts'
import { ProvisionError, problem } from '../problems/problem.ts'
import { certificateLines, howToCompare, strangerLines } from './introduce.ts'
import { confirmed, type Terminal } from './terminal.ts'
import { usage } from './trust-target.ts'

/** Throws USAGE for what is no SHA-256. */
export function fingerprintOf(text: string | undefined): string | undefined {
  if (text === undefined) return undefined
  const hex = parseFingerprint(text)
  if (!hex) throw usage(`${JSON.stringify(text)} is no SHA-256`, 'Write sha256: and 64 hexadecimal digits.')
  return hex
}

/** Throws CLIENT_CERT_FINGERPRINT when another one was given. */
export function compareFingerprint(url: string, leaf: PresentedCertificate, given: string | undefined): void {
  if (given === undefined || given === leaf.sha256) return
  const message = `${url} presents ${leaf.subject} with SHA-256 ${leaf.sha256}, not ${given}`
  throw new ProvisionError(
    problem('CLIENT_CERT_FINGERPRINT', message, { details: { url, presented: leaf.sha256, given } }),
  )
}

/** Throws why not: another SHA-256, a no, or nobody to ask. */
export async function decide(
  stranger: Stranger,
  given: string | undefined,
  terminal: Terminal,
): Promise<void> {
  compareFingerprint(stranger.url, stranger.presented[0], given)
  if (given !== undefined) return
  const { ask } = terminal
  if (!ask) throw new ProvisionError(strangerProblem(stranger))
  for (const line of [`${stranger.url} presents:`, '', ...strangerLines(stranger), '']) terminal.say(line)
  const { stored } = stranger
  if (stored) for (const line of [...storedLines(stored), '']) terminal.say(line)
  for (const line of howToCompare) terminal.say(line)
  const question = stored ? 'Trust it in place of the stored one?' : 'Trust this certificate from now on?'
  if (!(await confirmed(ask, question))) throw notTrusted(stranger)
}

/** Without the certificate, which has just been shown. */
function notTrusted({ url, stored }: Stranger): ProvisionError {
  const remedy =
    'Ask whoever runs the master for the SHA-256 of its certificate, and give it with --fingerprint.'
  const code = stored ? 'CLIENT_CERT_CHANGED' : 'CLIENT_CERT_UNTRUSTED'
  return new ProvisionError(problem(code, `told not to trust ${url}: nothing has changed`, { remedy }))
}

function storedLines([leaf]: PresentedCertificate[]): string[] {
  if (!leaf) return ['What was stored for it cannot be read.']
  return [
    'Stored so far:',
    '',
    ...certificateLines(leaf).map(([name, text]) => `  ${name.padEnd(8)} ${text}`),
  ]
}

/** For the last line of what was done. */
export function named(leaf: PresentedCertificate): string {
  return `${leaf.subject}, SHA-256 ${pairs(leaf.sha256)}`
}
