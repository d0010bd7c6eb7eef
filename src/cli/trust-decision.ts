// The decision to trust a master's certificate: what is shown, how it is confirmed, what is stored. Loaded on demand.
import {
  type Target,
  type TrustMemory,
  targetByUrl,
  type UntrustedServer,
  untrustedProblem,
} from '../http/index.ts'
import { masterUrl, type PresentedCertificate, pairs, parseFingerprint } from '../pki/index.ts'
import { type Problem, ProvisionError, problem } from '../problems/index.ts'
import { type Context, confirmed, sayProblems, type Terminal, usage } from './terminal.ts'

/** The default scheme is https, since plain http has no certificate to trust. Throws USAGE and CLIENT_MASTER_URL. */
export function trustTarget(
  given: string | undefined,
  { env }: Pick<Context, 'env'>,
): { target: Target; memory: TrustMemory } {
  if (!given) throw usage('the URL of the master is missing', 'For example: https://master.example.com:8443.')
  const text = /^[a-z][a-z0-9+.-]*:\/\//i.test(given) ? given : `https://${given}`
  // This command edits the store, so the variable that overrides the store is ignored.
  const target = targetByUrl(text, { env: { ...env, DET_MASTER_CERT_FILE: undefined } })
  const memory = target.trust?.memory
  if (!memory) throw usage(`${given} is plain http and has no certificate`, 'Write https:// before the host.')
  return { target, memory }
}

/** Throws USAGE for anything but a SHA-256. */
export function fingerprintOf(text: string | undefined): string | undefined {
  if (text === undefined) return undefined
  const hex = parseFingerprint(text)
  if (!hex)
    throw usage(`${JSON.stringify(text)} is not a SHA-256`, 'Write sha256: and 64 hexadecimal digits.')
  return hex
}

/** Throws CLIENT_CERT_FINGERPRINT if the given SHA-256 is another. */
export function compareFingerprint(url: string, leaf: PresentedCertificate, given: string | undefined): void {
  if (given === undefined || given === leaf.sha256) return
  const message = `${url} presents ${leaf.subject} with SHA-256 ${leaf.sha256}, not ${given}`
  throw new ProvisionError(
    problem('CLIENT_CERT_FINGERPRINT', message, { details: { url, presented: leaf.sha256, given } }),
  )
}

/** Throws if it is not trusted: another SHA-256, the answer no, or no terminal to ask. */
export async function decide(
  untrusted: UntrustedServer,
  given: string | undefined,
  terminal: Terminal,
): Promise<void> {
  compareFingerprint(untrusted.url, untrusted.presented[0], given)
  if (given !== undefined) return
  const { ask } = terminal
  if (!ask) throw new ProvisionError(untrustedProblem(untrusted))
  for (const line of [`${untrusted.url} presents:`, '', ...untrustedLines(untrusted), '']) terminal.say(line)
  const { stored } = untrusted
  if (stored) for (const line of [...storedLines(stored), '']) terminal.say(line)
  for (const line of howToCompare) terminal.say(line)
  const question = stored
    ? 'Replace the stored certificate with this one?'
    : 'Trust this certificate from now on?'
  if (!(await confirmed(ask, question))) throw notTrusted(untrusted)
}

/** Without the certificate, which was just shown. */
function notTrusted({ url, stored }: UntrustedServer): ProvisionError {
  const remedy =
    'Ask the operator of the master for the SHA-256 of its certificate, and pass it with --fingerprint.'
  const code = stored ? 'CLIENT_CERT_CHANGED' : 'CLIENT_CERT_UNTRUSTED'
  return new ProvisionError(problem(code, `${url} is not trusted; nothing was changed`, { remedy }))
}

function storedLines([leaf]: PresentedCertificate[]): string[] {
  if (!leaf) return ['The stored certificate cannot be read.']
  return [
    'Stored certificate:',
    '',
    ...certificateLines(leaf).map(([name, text]) => `  ${name.padEnd(8)} ${text}`),
  ]
}

/** For the last line of a command. */
export function named(leaf: PresentedCertificate): string {
  return `${leaf.subject}, SHA-256 ${pairs(leaf.sha256)}`
}

/** Stores the decision, and warns of what may fail later in other programs. */
export async function keep(
  { store, url }: TrustMemory,
  { pem, hasRoot }: Pick<UntrustedServer, 'pem' | 'hasRoot'>,
  sentence: string,
  { terminal, env }: Context,
): Promise<void> {
  await store.set(url, pem)
  terminal.say(sentence)
  sayProblems(terminal, afterStoring({ url, hasRoot }))
  const file = env['DET_MASTER_CERT_FILE']
  if (file) sayProblems(terminal, [problem('TRUST_NOT_CONSULTED', `DET_MASTER_CERT_FILE is ${file}`)])
}

/**
 * The question about a master that is not trusted yet. Undefined without a terminal, or if the store does not decide.
 */
export function askOn(
  { trust }: Target,
  terminal: Terminal,
): ((untrusted: UntrustedServer) => Promise<boolean>) | undefined {
  const { ask } = terminal
  const memory = trust?.memory
  if (!ask || !memory) return undefined
  return async (untrusted) => {
    const head = `The certificate of ${untrusted.url} is not signed by a trusted CA, and not in your trust store:`
    for (const line of ['', head, '', ...untrustedLines(untrusted), '']) terminal.say(line)
    for (const line of howToCompare) terminal.say(line)
    if (!(await confirmed(ask, 'Trust this certificate from now on?'))) return false
    terminal.say(
      `It is stored in ${memory.store.file}; \`provision trust remove ${untrusted.url}\` removes it.`,
    )
    sayProblems(terminal, afterStoring(untrusted))
    terminal.say('')
    return true
  }
}

const howToCompare = [
  'Compare the SHA-256 with the one of the certificate on the master:',
  '  openssl x509 -noout -fingerprint -sha256 -in CERTIFICATE',
]

/** The server's certificate, a line for each value to compare. */
function certificateLines(leaf: PresentedCertificate): [name: string, text: string][] {
  return [
    ['subject', leaf.subject],
    ['names', leaf.sans.join(', ') || 'none'],
    ['valid', `${leaf.notBefore.slice(0, 10)} to ${leaf.notAfter.slice(0, 10)}`],
    ['SHA-256', pairs(leaf.sha256)],
  ]
}

function untrustedLines({ presented: [leaf], signer }: UntrustedServer): string[] {
  const [subject, ...rest] = certificateLines(leaf)
  return [subject!, ['signed', signer] as const, ...rest].map(([name, text]) => `  ${name.padEnd(8)} ${text}`)
}

/** What works here and may fail later in other programs. */
function afterStoring({ url, hasRoot }: Pick<UntrustedServer, 'url' | 'hasRoot'>): Problem[] {
  if (hasRoot) return []
  const message = `${url} serves its chain without the root: \`det\` with a Python before 3.13 will still reject it`
  return [problem('TRUST_ROOT_MISSING', message)]
}

export function sayUnverified({ address, trust }: Target, terminal: Terminal): void {
  if (trust?.unverified)
    sayProblems(terminal, [problem('CLIENT_NOT_VERIFIED', `${masterUrl(address)} is not verified`)])
}
