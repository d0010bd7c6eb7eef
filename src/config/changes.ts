// What is different between two configurations, key by key, in the words of the file.
import { isDeepStrictEqual } from 'node:util'
import type { MasterConfig } from './master-config.ts'

export interface Change {
  /** Such as resource_pools, gpu, provider, max_instances: pools go by their names. */
  path: readonly string[]
  /** undefined: the key was not there, or is not any more. */
  before: unknown
  after: unknown
}

/** In the order of the paths. Defaults count as written: what is left out now and was written as its default is no change. */
export function changesBetween(before: MasterConfig, after: MasterConfig): Change[] {
  const order = ({ path }: Change) => path.join('\0')
  return compare([], byName(before), byName(after)).sort((a, b) => (order(a) < order(b) ? -1 : 1))
}

/** Pools as a mapping; the name of the file itself does not count. */
function byName({ file: _, resource_pools, ...rest }: MasterConfig): object {
  const pools = resource_pools.map(({ pool_name, ...pool }) => [pool_name, pool] as const)
  return { ...rest, resource_pools: Object.fromEntries(pools) }
}

function compare(path: readonly string[], before: unknown, after: unknown): Change[] {
  if (isDeepStrictEqual(before, after)) return []
  if (!isPlain(before) || !isPlain(after)) return [{ path, before, after }]
  const keys = new Set([...Object.keys(before), ...Object.keys(after)])
  return [...keys].flatMap((key) => compare([...path, key], before[key], after[key]))
}

function isPlain(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
