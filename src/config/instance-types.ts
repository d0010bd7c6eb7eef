// `instance_types`: the list form that both clouds share.
import { checkDuplicates } from './provider-keys.ts'
import { type Block, note } from './read-block.ts'
import type { YamlPath } from './yaml.ts'

/** One instance type to try; the order in the file is the order of preference. */
export interface TypeWithSlots {
  type: string
  slots: number
}

/** Bare-metal instances boot slowly: up to half an hour is normal. */
export function isBareMetal(type: string): boolean {
  return /[.-]metal(?:-|$)/.test(type)
}

/**
 * Entries of `instance_types`, each converted by `read`, and those without a type by `readOther`; those with a problem are
 * omitted.
 */
export function typesOf<Entry extends { type?: string; slots?: number }>(
  entries: (string | Entry)[] | undefined,
  block: Block,
  read: (type: string, slots: number | undefined, path: YamlPath) => TypeWithSlots[],
  readOther: (entry: Entry, path: YamlPath) => TypeWithSlots[] = () => [],
): TypeWithSlots[] | undefined {
  if (!entries) return undefined
  if (Array.isArray(block.raw['instance_types']) && block.raw['instance_types'].length === 0)
    return note(block, 'CONFIG_OUT_OF_RANGE', 'instance_types has no entry', { key: 'instance_types' })
  const types: { type?: string; slots?: number }[] = entries.map((entry) =>
    typeof entry === 'string' ? { type: entry } : entry,
  )
  checkDuplicates(
    block,
    'instance_types',
    types.map(({ type }) => type),
    ['type'],
  )
  return entries.flatMap((entry, index) => {
    const { type, slots } = types[index]!
    if (type !== undefined) return read(type, slots, ['instance_types', index, 'type'])
    return typeof entry === 'string' ? [] : readOther(entry, ['instance_types', index])
  })
}
