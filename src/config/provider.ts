// One provider block, of whatever type.
import * as z from 'zod/mini'
import { nearest } from '../platform/nearest.ts'
import { awsOf } from '../providers/aws/rules.ts'
import { awsKeys, awsProvider } from '../providers/aws/schema.ts'
import { gcpOf } from '../providers/gcp/rules.ts'
import { gcpKeys, gcpProvider } from '../providers/gcp/schema.ts'
import { type LocalKeys, localKeys, localProvider } from '../providers/local/schema.ts'
import type { ProviderConfig } from './master-config.ts'
import { commonKeys, commonOf } from './provider-keys.ts'
import { type Block, described, errorCount, given, note, type Partially, readBlock } from './read-block.ts'

const ownKeys = { aws: awsKeys, gcp: gcpKeys, local: localKeys }
type Type = keyof typeof ownKeys

const anyType = z.looseObject(commonKeys)

/** undefined after a problem was noted. `typeKey` is where the block says its type: `provider` in the old form. */
export function readProvider(
  block: Block,
  typeKey: 'type' | 'provider' = 'type',
): ProviderConfig | undefined {
  const before = errorCount(block.reading)
  const provider = readType(block, typeKey)
  // No error was noted, so nothing was left out.
  return errorCount(block.reading) === before ? (provider as ProviderConfig) : undefined
}

function readType(block: Block, typeKey: 'type' | 'provider'): Partially<ProviderConfig> | undefined {
  switch (block.raw['type']) {
    case 'aws':
      return awsOf(readBlock(awsProvider, block, { elsewhere: elsewhereFor('aws') }), block)
    case 'gcp':
      return gcpOf(readBlock(gcpProvider, block, { elsewhere: elsewhereFor('gcp') }), block)
    case 'local':
      return localOf(readBlock(localProvider, block, { elsewhere: elsewhereFor('local') }), block)
  }
  // What all types have in common can still be judged.
  commonOf(readBlock(anyType, block), block, false)
  return refuseType(block, typeKey)
}

function refuseType(block: Block, key: string): undefined {
  const written = block.raw['type']
  if (!given(block, 'type')) return note(block, 'PROVIDER_TYPE_MISSING', 'The provider has no type')
  if (written === 'hpc') return note(block, 'PROVIDER_HPC', '`type: hpc` has no agents to launch', { key })
  const meant = typeof written === 'string' ? nearest(written, Object.keys(ownKeys)) : undefined
  return note(block, 'PROVIDER_TYPE_UNKNOWN', `There is no provider of type ${described(written)}`, {
    key,
    ...(meant && { remedy: `Did you mean "${meant}"?` }),
  })
}

function localOf(keys: Partially<LocalKeys>, block: Block): Partially<ProviderConfig> {
  if (keys.agent_runtime === 'docker')
    note(block, 'CONFIG_CONFLICT', 'VMs of type local are processes, but agent_runtime is "docker"', {
      key: 'agent_runtime',
      remedy: 'Remove agent_runtime.',
    })
  return {
    ...keys,
    ...commonOf(keys, block, false),
    type: 'local',
    agent_runtime: 'process',
  } as Partially<ProviderConfig>
}

/** Keys of other types, and of the other form: what to do about them. */
function elsewhereFor(type: Type): (key: string) => string | undefined {
  return (key) => {
    if (Object.hasOwn(translations[type], key)) return translations[type][key]
    if (key === 'provider') return 'Outside the old provisioner block the key is called "type".'
    const other = Object.entries(ownKeys).find(([, keys]) => Object.hasOwn(keys, key))?.[0]
    return other && `It is a key of \`type: ${other}\`, and this provider is of \`type: ${type}\`; remove it.`
  }
}

/** The same wish in this cloud's words. */
const translations: Record<Type, Record<string, string>> = {
  aws: {
    zone: 'On AWS the zone follows from the subnet: use subnet_ids.',
    zones: 'On AWS the zone follows from the subnet: use subnet_ids.',
    boot_disk_size: 'On AWS it is `volume: {size: …}`.',
    boot_disk_source_image: 'On AWS it is `image: {id: …}`.',
    labels: 'On AWS it is custom_tags.',
  },
  gcp: {
    image: 'On GCP it is boot_disk_source_image.',
    image_id: 'On GCP it is boot_disk_source_image.',
    root_volume_size: 'On GCP it is boot_disk_size.',
    volume: 'On GCP it is boot_disk_size and boot_disk_type.',
    instance_slots: 'On GCP it is `instance_types: [{type: …, slots: …}]`.',
    custom_tags: 'On GCP it is labels.',
    region: 'On GCP it is zone or zones.',
  },
  local: {},
}
