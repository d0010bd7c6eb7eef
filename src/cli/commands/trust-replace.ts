// `provision trust replace`: a master was given a new certificate.
import { acquaintance } from '../../http/untrusted-server.ts'
import { endsInRoot } from '../../pki/preflight-explain.ts'
import { ProvisionError, problem } from '../../problems/problem.ts'
import type { CommandContext } from '../command.ts'
import type { ExitStatus } from '../exit.ts'
import { afterStoring } from '../introduce.ts'
import { sayProblems } from '../terminal.ts'
import { compareFingerprint, decide, fingerprintOf, named } from '../trust-decision.ts'
import { sayOverruled, type TrustOptions, trustTarget } from '../trust-target.ts'

export async function run(
  options: TrustOptions,
  context: CommandContext,
  [url]: (string | undefined)[],
): Promise<ExitStatus> {
  const { terminal } = context
  const given = fingerprintOf(options.fingerprint)
  const { target, memory } = trustTarget(url, options, context)
  if (!memory.stored)
    throw new ProvisionError(
      problem('TRUST_UNKNOWN', `nothing is stored for ${memory.url} in ${memory.store.file}`, {
        remedy: `\`provision trust add ${memory.url}\` trusts it for the first time.`,
      }),
    )
  const met = await acquaintance(target)
  const [leaf, ...others] = 'trusted' in met ? met.trusted : met.stranger.presented
  if ('trusted' in met) compareFingerprint(memory.url, leaf!, given)
  // A new certificate that a stored CA issued needs no question.
  else await decide(met.stranger, given, terminal)
  const { pem } = 'trusted' in met ? met : met.stranger
  await memory.store.set(memory.url, pem)
  const isSame = memory.stored[0]?.x509.fingerprint256.replaceAll(':', '').toLowerCase() === leaf!.sha256
  terminal.say(
    isSame
      ? `${memory.url} presents the certificate that is stored: ${named(leaf!)}`
      : `${memory.url} is trusted by its new certificate: ${named(leaf!)}`,
  )
  sayProblems(terminal, afterStoring({ url: memory.url, hasRoot: endsInRoot([leaf!, ...others]) }))
  sayOverruled(context)
  return 0
}
