// Tags the user adds must not clash with each other, nor with those that say which VMs are ours.

import { checkDuplicates } from '../../config/provider-common.ts'
import type { Partially } from '../../config/read-block.ts'
import { type Block, note } from '../../config/reading.ts'
import { ownerTags } from '../ownership.ts'
import type { AwsKeys } from './schema.ts'

const ownPrefix = ownerTags.cluster.slice(0, ownerTags.cluster.indexOf(':') + 1)

export function checkTags({ custom_tags = [], tag_key }: Partially<AwsKeys>, block: Block): void {
  const keys = custom_tags.map(({ key }) => key)
  checkDuplicates(block, 'custom_tags', keys, ['key'])
  keys.forEach((key, index) => {
    const at = { key: ['custom_tags', index, 'key'] }
    if (key?.startsWith(ownPrefix)) reserved(block, key, at.key)
    else if (key === 'Name' || (key !== undefined && key === tag_key))
      note(
        block,
        'CONFIG_DUPLICATE',
        `custom_tags sets ${key}, which ${key === 'Name' ? 'instance_name' : 'tag_key'} sets, too`,
        {
          ...at,
          remedy: `Use ${key === 'Name' ? 'instance_name' : 'tag_value'} for its value.`,
        },
      )
  })
  if (tag_key?.startsWith(ownPrefix)) reserved(block, tag_key, ['tag_key'])
}

function reserved(block: Block, tag: string, key: (string | number)[]): void {
  note(block, 'CONFIG_CONFLICT', `The tag ${JSON.stringify(tag)} is one of those that mark VMs as ours`, {
    key,
    remedy: `Choose a key that does not start with "${ownPrefix}".`,
  })
}
