// `provision trust remove`: a master that is trusted by hand no longer.
import { ProvisionError, problem } from '../../problems/problem.ts'
import type { CommandContext } from '../command.ts'
import type { ExitStatus } from '../exit.ts'
import { type TrustOptions, trustTarget } from '../trust-target.ts'

export async function run(
  options: TrustOptions,
  context: CommandContext,
  [url]: (string | undefined)[],
): Promise<ExitStatus> {
  const { memory } = trustTarget(url, options, context)
  const { store } = memory
  if (!(await store.remove(memory.url)))
    throw new ProvisionError(problem('TRUST_UNKNOWN', `nothing is stored for ${memory.url} in ${store.file}`))
  context.terminal.say(`${memory.url} is trusted by hand no longer`)
  return 0
}
