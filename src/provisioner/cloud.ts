// Rows about what the cloud says to each thing a launch of one pool would need.
import { join } from 'node:path'
import type { ProvidedPool } from '../agent-setup/pool-trust.ts'
import type { MasterConfig } from '../config/master-config.ts'
import type { ProviderKind } from '../config/provider-config.ts'
import type { MasterAddress } from '../pki/master-address.ts'
import { fileNameOf } from '../platform/file-name.ts'
import type { Clock, Logger } from '../platform/ports.ts'
import { type Problem, ProvisionError, problem } from '../problems/problem.ts'
import type { ProviderContext, ProviderModule } from '../providers/contract.ts'
import { offeringsOf } from '../providers/offerings.ts'
import { loadProvider } from '../providers/registry.ts'
import { type CheckRow, rowsOf } from './row.ts'
import { peekIdentity } from './state.ts'

/** Milliseconds for all questions about a pool. */
const budgetMs = 60_000

export interface CloudCheckInput {
  config: MasterConfig
  env: Readonly<Record<string, string | undefined>>
  clock: Clock
  logger: Logger
  load?: (kind: ProviderKind) => Promise<ProviderModule>
}

export async function checkCloud(
  subject: string,
  pool: ProvidedPool,
  master: MasterAddress,
  input: CloudCheckInput,
): Promise<CheckRow[]> {
  const { passed, notChecked, of } = rowsOf(subject)
  const { type } = pool.provider
  if (type === 'local') return [notChecked('cloud', 'VMs are processes of this machine')]
  try {
    const module = await (input.load ?? loadProvider)(type)
    if (!module.check)
      return [notChecked('cloud', `this version cannot ask ${type} anything before a launch`)]
    const signal = AbortSignal.timeout(budgetMs)
    const items = await module.check(contextOf(pool, master, input), offeringsOf(pool.provider), signal)
    return items.map(({ what, problem: fault, notChecked: why }) => {
      if (fault) return of(what, fault)
      return why === undefined ? passed(what) : notChecked(what, why)
    })
  } catch (error) {
    return problemsOf(error, type).map((fault) => of('cloud', fault))
  }
}

function contextOf(
  pool: ProvidedPool,
  master: MasterAddress,
  { config, env, clock, logger }: CloudCheckInput,
): ProviderContext {
  const { provider, pool_name } = pool
  return {
    config: provider,
    owner: { ...peekIdentity(config), pool: pool_name },
    master,
    stateDir: join(config.state_dir, provider.type, fileNameOf(pool_name)),
    env,
    clock,
    logger,
  }
}

function problemsOf(error: unknown, type: string): Problem[] {
  if (error instanceof ProvisionError) return error.problems
  const { name, message } = error instanceof Error ? error : { name: '', message: String(error) }
  const what = name === 'TimeoutError' ? `${type} gave no answer within ${budgetMs / 1000} s` : message
  return [problem('PROVIDER_TRANSIENT', what, { cause: error })]
}
