// `instance_types`: the list form both clouds share.
import { checkDuplicates } from './provider-keys.ts'
import { type Block, note } from './read-block.ts'
import type { YamlPath } from './yaml.ts'

/** One instance type to try; the order in the file is the order of preference. */
export interface TypeWithSlots {
  type: string
  slots: number
}

/** Bare metal takes long to boot: half an hour is no failure. */
export function isBareMetal(type: string): boolean {
  return /[.-]metal(?:-|$)/.test(type)
}

/** Entries of `instance_types`, each through `read`; those with a problem are left out. */
export function typesOf(
  entries: { type?: string; slots?: number }[] | undefined,
  block: Block,
  read: (type: string, slots: number | undefined, path: YamlPath) => TypeWithSlots[],
): TypeWithSlots[] | undefined {
  if (!entries) return undefined
  if (Array.isArray(block.raw['instance_types']) && block.raw['instance_types'].length === 0)
    return note(block, 'CONFIG_OUT_OF_RANGE', 'instance_types names no type', { key: 'instance_types' })
  checkDuplicates(
    block,
    'instance_types',
    entries.map(({ type }) => type),
    ['type'],
  )
  return entries.flatMap(({ type, slots }, index) =>
    type === undefined ? [] : read(type, slots, ['instance_types', index, 'type']),
  )
}
