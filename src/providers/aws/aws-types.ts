// The instance types of an AWS pool, each with its accelerators.

import { type TypeWithSlots, typesOf } from '../../config/instance-types.ts'
import type { Partially } from '../../config/read-block.ts'
import { type Block, given, note } from '../../config/reading.ts'
import type { YamlPath } from '../../config/yaml.ts'
import { nearest } from '../../platform/nearest.ts'
import { awsAccelerators, knownGpuTypes } from './instance-slots.ts'
import type { AwsKeys } from './schema.ts'

/** The origin's (origin: aws_config.go). */
const standardType = 'g4dn.metal'

/** What the user says about slots wins over the table; entries with a problem are left out. */
export function awsTypes(keys: Partially<AwsKeys>, block: Block): TypeWithSlots[] | undefined {
  if (!given(block, 'instance_types')) {
    const alone = given(block, 'instance_type') ? keys.instance_type : standardType
    return alone === undefined ? undefined : withSlots(block, alone, keys.instance_slots, ['instance_type'])
  }
  for (const key of ['instance_type', 'instance_slots'].filter((word) => given(block, word)))
    note(block, 'CONFIG_CONFLICT', `instance_types and ${key} exclude each other`, {
      key,
      part: 'key',
      remedy: 'Write it as an entry of instance_types: `- {type: …, slots: …}`.',
    })
  return typesOf(keys.instance_types, block, (type, slots, path) => withSlots(block, type, slots, path))
}

function withSlots(block: Block, type: string, slots: number | undefined, path: YamlPath): TypeWithSlots[] {
  const known = slots ?? awsAccelerators(type)
  if (known !== undefined) return [{ type, slots: known }]
  const meant = nearest(type, knownGpuTypes())
  const say = path.length > 1 ? `\`- {type: ${type}, slots: N}\`` : '`instance_slots: N`'
  note(
    block,
    'INSTANCE_SLOTS_UNKNOWN',
    `How many accelerators ${JSON.stringify(type)} has is not known here`,
    {
      key: path,
      remedy: `${meant ? `Did you mean "${meant}"? Else say` : 'Say'} it: ${say}.`,
    },
  )
  return []
}
