// What can be judged of a file with errors: everything but the values that have them, so that one error does not hide others.
import { isError, type Problem } from '../problems/index.ts'
import type { MasterConfig, PoolConfig } from './master-config.ts'
import type { ProviderBlock } from './provider.ts'
import { type CommonProviderConfig, commonBlock, commonKeys, commonRules } from './provider-keys.ts'
import { type Block, errorCount, hasAll, readBlock, wholeOf } from './read-block.ts'
import type { masterFile, poolBlock } from './schema.ts'

/** For judging only: a provisioner never runs with it. */
export interface ReadableConfig {
  /** With defaults in place of values that have errors. A pool that cannot be judged has no provider. */
  config: MasterConfig
  /** Pools of which only the keys of every provider could be read. */
  partlyRead: ReadonlySet<PoolConfig>
  /** Pools that cannot be judged. */
  unread: ReadonlySet<PoolConfig>
}

type Filled<S> = S extends typeof masterFile | typeof poolBlock ? ReturnType<typeof wholeOf<S>> : never

/** The values that were read, and defaults for all others. `needed` are values without a default. */
export function withDefaults<S extends typeof masterFile | typeof poolBlock>(
  schema: S,
  block: Block,
  keys: Record<string, unknown>,
  needed: Record<string, unknown> = {},
): Filled<S> {
  const nothing = { ...aside(block), raw: needed }
  const defaults: Record<string, unknown> = readBlock(schema, nothing)
  const shape = schema._zod.def.shape
  const sound = Object.entries(keys).filter(([key, value]) => {
    const inner = Object.hasOwn(shape, key) ? shape[key as keyof typeof shape] : undefined
    return inner !== undefined && hasAll(inner, value)
  })
  return wholeOf(schema, { ...defaults, ...Object.fromEntries(sound) } as never) as Filled<S>
}

/** Keys that decide how agents trust the master: nothing can be said about that if one of them has an error. */
const trustKeys = ['type', 'master_url', 'master_cert_name', 'tls']

/** A provider block by the keys of every provider; undefined if not even those say how agents trust the master. */
export function commonPartOf(
  block: Block,
  providers: readonly ProviderBlock[],
): CommonProviderConfig | undefined {
  const type = block.raw['type']
  const wrong = wrongKeysOf(block)
  if (!providers.some(({ kind }) => kind === type) || trustKeys.some((key) => wrong.has(key)))
    return undefined
  const isSound = (key: string) => Object.hasOwn(commonKeys, key) && !wrong.has(key)
  const raw = Object.fromEntries(Object.entries(block.raw).filter(([key]) => isSound(key)))
  const again = { ...aside(block), raw }
  const keys = readBlock(commonBlock, again)
  const derive = commonRules(keys, again, false)
  if (errorCount(again.reading) > 0) return undefined
  const whole = wholeOf(commonBlock, keys)
  return { ...whole, ...derive(whole), type: String(type) }
}

/** Keys of the block with an error, there or below. */
function wrongKeysOf({ reading, path }: Block): Set<string> {
  const before = path.map((part) => `${part}.`).join('')
  const paths = reading.problems.filter(isError).flatMap(({ where }) => where?.path ?? [])
  return new Set(
    paths.filter((one) => one.startsWith(before)).map((one) => one.slice(before.length).split('.')[0]!),
  )
}

/** The same block, whose problems were already reported. */
function aside(block: Block): Block {
  return { ...block, reading: { ...block.reading, problems: [], doubts: [] } }
}

/** False if an error leaves open whether the master has a certificate, and which. */
export function isTlsKnown(problems: readonly Problem[]): boolean {
  return !problems.some(({ severity, code, where }) => {
    const path = where?.path ?? ''
    if (severity !== 'error') return false
    if (path.startsWith('security')) return path !== 'security.tls.key'
    // Perhaps a misspelt `security`.
    return code === 'CONFIG_UNKNOWN_KEY' && path !== '' && !path.includes('.')
  })
}
