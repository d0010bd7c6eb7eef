// Unknown keys: errors in the provisioner's own blocks, warnings in blocks that also have keys of the master.
import type * as z from 'zod/mini'
import { nearest } from '../platform/index.ts'
import { foreign } from './fields.ts'
import { type Block, missingMessage, note } from './read-block.ts'
import { vitalRemedy } from './vital-keys.ts'

interface UnknownKeyOptions {
  /** A block of the provisioner only: an unknown key is an error. */
  strict: boolean
  /** The name of the block in messages. */
  name: string
  /** Additional keys that are not in the shape. */
  more?: readonly string[]
}

/** Only so many keys of a block are compared with all known ones: more are no misspellings. */
const mostGuesses = 200

export function unknownKeys(
  block: Block,
  shape: Record<string, z.ZodMiniType>,
  { strict, name, more = [] }: UnknownKeyOptions,
): void {
  const ours = [...Object.keys(shape).filter((key) => shape[key] !== foreign), ...more]
  /** Required keys that are misspelt: they are not reported as missing, too. */
  const explained = new Set<string>()
  let guesses = 0
  for (const key of Object.keys(block.raw)) {
    if (Object.hasOwn(shape, key) || more.includes(key)) continue
    const moved = block.reading.elsewhere?.(key, block.path)
    const meant = moved || ++guesses > mostGuesses ? undefined : nearest(key, ours)
    const at = { key, part: 'key' as const, ...(meant && { details: { didYouMean: meant } }) }
    const vital = vitalRemedy(block.path, key, meant)
    const remedy = moved ?? vital ?? (meant && `Did you mean "${meant}"?`)
    if (strict && meant && shape[meant]?._zod.def.type === 'nonoptional') explained.add(meant)
    if (strict || vital)
      note(block, 'CONFIG_UNKNOWN_KEY', `${JSON.stringify(key)} is not a key of ${name}`, {
        ...at,
        remedy: remedy ?? keysOf(ours),
      })
    else if (remedy)
      note(
        block,
        'CONFIG_SUSPECT_KEY',
        `${JSON.stringify(key)} is not a key of ${name}, so it has no effect`,
        {
          ...at,
          remedy,
        },
      )
  }
  const { problems } = block.reading
  for (const key of explained) {
    const message = missingMessage([...block.path, key])
    const index = problems.findLastIndex((one) => one.message === message)
    if (index >= 0) problems.splice(index, 1)
  }
}

function keysOf(keys: string[]): string {
  if (keys.length > 12) return 'Remove it; docs/configuration.md lists the keys.'
  return `Remove it. The keys here are: ${keys.join(', ')}.`
}
