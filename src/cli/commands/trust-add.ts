// `provision trust add`: the first time a master is trusted by hand.
import { acquaintance, strangerProblem } from '../../http/untrusted-server.ts'
import { ProvisionError } from '../../problems/problem.ts'
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
  const met = await acquaintance(target)
  if ('trusted' in met) {
    compareFingerprint(memory.url, met.trusted[0]!, given)
    const by = memory.stored ? `by what is stored in ${memory.store.file}` : 'through a well-known CA'
    terminal.say(`${memory.url} is trusted already, ${by}`)
    return 0
  }
  const { stranger } = met
  if (stranger.stored) throw new ProvisionError(strangerProblem(stranger))
  await decide(stranger, given, terminal)
  await memory.store.set(memory.url, stranger.pem)
  terminal.say(`${memory.url} is trusted from now on: ${named(stranger.presented[0])}`)
  sayProblems(terminal, afterStoring(stranger))
  sayOverruled(context)
  return 0
}
