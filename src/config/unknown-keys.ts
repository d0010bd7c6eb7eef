// Keys a block does not have: errors in our own blocks, warnings where the master has keys of its own.
import type * as z from 'zod/mini'
import { nearest } from '../platform/nearest.ts'
import { foreign } from './fields.ts'
import { type Block, note } from './reading.ts'

interface UnknownKeyOptions {
  /** Our own block: an unknown key is an error. */
  strict: boolean
  /** What the block is called. */
  name: string
  /** The remedy for a key that belongs elsewhere, when it turns up here. */
  elsewhere?: ((key: string) => string | undefined) | undefined
}

export function unknownKeys(
  block: Block,
  shape: Record<string, z.ZodMiniType>,
  { strict, name, elsewhere }: UnknownKeyOptions,
): void {
  const ours = Object.keys(shape).filter((key) => shape[key] !== foreign)
  for (const key of Object.keys(block.raw)) {
    if (Object.hasOwn(shape, key)) continue
    const moved = elsewhere?.(key)
    const meant = moved ? undefined : nearest(key, ours)
    const at = { key, part: 'key' as const, ...(meant && { details: { didYouMean: meant } }) }
    const remedy = moved ?? (meant && `Did you mean "${meant}"?`)
    if (strict)
      note(block, 'CONFIG_UNKNOWN_KEY', `${JSON.stringify(key)} is not a key of ${name}`, {
        ...at,
        remedy: remedy ?? keysOf(ours),
      })
    else if (remedy)
      note(block, 'CONFIG_SUSPECT_KEY', `${JSON.stringify(key)} is not a key of ${name}, and is not read`, {
        ...at,
        remedy,
      })
  }
}

function keysOf(keys: string[]): string {
  if (keys.length > 12) return 'Remove it; docs/configuration.md lists the keys.'
  return `Remove it. The keys here are: ${keys.join(', ')}.`
}
