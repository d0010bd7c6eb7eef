// `base_config` of an AWS pool: fields of RunInstances that no key of the pool sets. They are checked against the SDK's
// model, and merged over the request that the provisioner makes.
import { isMapping } from '../../config/index.ts'
import { type Problem, problem } from '../../problems/index.ts'
import { type ApiModel, commonScalars, type FieldFault, fieldFaults, type Refused } from '../api-fields.ts'
import { ownedReason } from './base-config-owned.ts'
import fields from './instance-fields.json' with { type: 'json' }

/** RunInstances as the SDK declares it; a test compares it with the SDK. */
const model: ApiModel = {
  structures: fields.structures,
  scalars: {
    ...commonScalars,
    // EC2 has no fractions in these requests.
    number: {
      noun: 'an integer',
      takes: (value) => Number.isSafeInteger(value),
      remedy: 'Write an integer, without quotes.',
    },
  },
  fieldOf: "a field of EC2's RunInstances",
  correct:
    'Correct the field; https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_RunInstances.html lists all.',
}

const notInTemplates: Refused = {
  message:
    'cannot be used in this pool: launch templates, which launch spot instances and pools of several types or subnets, do not have it',
  remedy: 'Remove it, or use one instance type in one subnet on demand.',
}
const onlyInRequests = new Set(fields.runInstancesOnly.map((field) => field.replace(/\[\]$/, '')))

/**
 * All unknown fields, values of another type, and fields that the provisioner sets itself, at any depth.
 * @param usesTemplates whether the pool launches through fleets, whose launch templates lack some fields
 */
export function baseFaults(baseConfig: object, usesTemplates: boolean): FieldFault[] {
  const refuse = (field: string, value: unknown) =>
    ownedReason(field, value) ?? (usesTemplates && onlyInRequests.has(field) ? notInTemplates : undefined)
  return fieldFaults({ ...model, refuse }, 'RunInstancesRequest', baseConfig)
}

/**
 * Volumes of `base_config` that EC2 could not make: with a device that is not the root device, and without a size or
 * snapshot. They were meant for the root volume.
 * @param rootDevice of the image, or a placeholder in `<>` while it is unknown
 */
export function volumeProblems(baseConfig: Record<string, unknown>, rootDevice: string): Problem[] {
  const { BlockDeviceMappings: devices } = baseConfig
  if (!Array.isArray(devices) || rootDevice.startsWith('<')) return []
  return devices.flatMap(({ DeviceName, Ebs }: { DeviceName?: string; Ebs?: object }) => {
    if (!Ebs || !DeviceName || DeviceName === rootDevice) return []
    if ('VolumeSize' in Ebs || 'SnapshotId' in Ebs) return []
    const message = `base_config.BlockDeviceMappings: ${DeviceName} is not the root device of the image, which is ${rootDevice}, and has neither VolumeSize nor SnapshotId`
    const remedy = 'Remove DeviceName to set the root volume, or add VolumeSize.'
    return [problem('REQUEST_BASE_CONFIG', message, { remedy })]
  })
}

// Merging: mappings field by field, two lists entry by entry, every other value as a whole.

/** How the entries of a list are told apart. */
export const entryKeys = {
  /** Without a name it is the root volume. */
  BlockDeviceMappings: ({ DeviceName }, rootDevice) => String(DeviceName ?? rootDevice),
  NetworkInterfaces: ({ NetworkCardIndex = 0, DeviceIndex = 0 }) => `${NetworkCardIndex}/${DeviceIndex}`,
} satisfies Record<string, (entry: Entry, rootDevice: string) => string>

type Entry = Record<string, unknown>

/**
 * The request with `baseConfig` merged over it. Block devices are merged by `DeviceName`, network interfaces by
 * `NetworkCardIndex` and `DeviceIndex`, of which each is 0 if it is not given; other lists replace ours.
 */
export function withBase<T extends object>(request: T, baseConfig: object, rootDevice: string): T {
  const merged: Record<string, unknown> = Object.fromEntries(Object.entries(request))
  for (const [field, value] of Object.entries(baseConfig)) {
    const ours = merged[field]
    const keyOf = Object.hasOwn(entryKeys, field) ? entryKeys[field as keyof typeof entryKeys] : undefined
    if (keyOf && Array.isArray(ours) && Array.isArray(value))
      merged[field] = mergedEntries(ours, value, (entry) => keyOf(entry, rootDevice))
    else merged[field] = mergedValue(ours, value)
  }
  return merged as T
}

function mergedValue(ours: unknown, value: unknown): unknown {
  if (!isMapping(ours) || !isMapping(value)) return value
  const merged = { ...ours }
  for (const [field, inner] of Object.entries(value)) merged[field] = mergedValue(ours[field], inner)
  return merged
}

function mergedEntries(ours: Entry[], theirs: Entry[], keyOf: (entry: Entry) => string): unknown[] {
  const result = new Map(ours.map((entry) => [keyOf(entry), entry as unknown]))
  for (const entry of theirs) {
    const key = keyOf(entry)
    result.set(key, mergedValue(result.get(key), entry))
  }
  return [...result.values()]
}
