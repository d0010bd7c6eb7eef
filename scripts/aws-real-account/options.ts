// The limits of the trial in a real account: which pool, for how long, and the maximum cost.

import { parseArgs } from 'node:util'
import type { MasterConfig } from '../../src/config/index.ts'
import type { ProviderConfig } from '../../src/config/provider-keys.ts'
import type { Offering } from '../../src/planner/snapshot.ts'
import { aws } from '../../src/providers/aws/definition.ts'
import type { AwsConfig } from '../../src/providers/aws/rules.ts'
import { loadConfig } from '../../test/support/config.ts'

/** VMs that exist at once when every trial gets all it requests. */
function mostOf({ join }: AwsConfig): number {
  return join.proof === 'required' ? 5 : 4
}

export interface AccountOptions {
  /** The whole configuration. */
  file: MasterConfig
  pool: { pool_name: string; provider: AwsConfig }
  offerings: Offering[]
  minutes: number
  /** Dollars, if every VM runs until the end. */
  worstCase: number
}

/** The message is for the person at the terminal. */
export class RefusedOptions extends Error {}

export function accountOptions(args: string[]): AccountOptions {
  const { values } = parseArgs({
    args,
    options: {
      config: { type: 'string', short: 'c', default: 'master.yaml' },
      pool: { type: 'string' },
      'yes-spend-money': { type: 'boolean' },
      'max-dollars': { type: 'string' },
      price: { type: 'string' },
      minutes: { type: 'string', default: '10' },
    },
  })
  const { file, pool } = poolOf(values.config, values.pool)
  const most = mostOf(pool.provider)
  const price = positive('--price', values.price, 'dollars an hour of the dearest instance type of the pool')
  const limit = positive('--max-dollars', values['max-dollars'], 'dollars this may cost at most')
  const minutes = positive('--minutes', values.minutes, 'minutes after which every VM is ended')
  const worstCase = (most * price * minutes) / 60
  if (worstCase > limit)
    throw new RefusedOptions(
      `${most} VMs for ${minutes} minutes may cost ${worstCase.toFixed(2)} dollars, and --max-dollars is ${limit}`,
    )
  if (!values['yes-spend-money'])
    throw new RefusedOptions(
      `this launches up to ${most} VMs for up to ${minutes} minutes, at most ${worstCase.toFixed(2)} dollars; say so with --yes-spend-money`,
    )
  return { file, pool, offerings: aws.offerings(pool.provider), minutes, worstCase }
}

function poolOf(file: string, name: string | undefined): Pick<AccountOptions, 'file' | 'pool'> {
  const { config, problems } = loadConfig(file)
  if (!config)
    throw new RefusedOptions(problems.map(({ code, message }) => `${file}: ${code} ${message}`).join('\n'))
  const pools = config.resource_pools.flatMap(({ pool_name, provider }) =>
    provider && isOnAws(provider) && (name ?? pool_name) === pool_name ? [{ pool_name, provider }] : [],
  )
  const [pool, ...others] = pools
  if (pool && !others.length) return { file: config, pool }
  throw new RefusedOptions(
    pool
      ? `choose one with --pool: ${pools.map(({ pool_name }) => pool_name).join(', ')}`
      : `${file} has no such pool on AWS`,
  )
}

function isOnAws(provider: ProviderConfig): provider is AwsConfig {
  return provider.type === aws.kind
}

function positive(flag: string, text: string | undefined, what: string): number {
  const value = Number(text)
  if (text !== undefined && value > 0 && Number.isFinite(value)) return value
  throw new RefusedOptions(`${flag} is missing or no number above 0: ${what}`)
}
