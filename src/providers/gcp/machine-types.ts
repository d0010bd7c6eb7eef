// Machine types and their families: facts in the name, built-in and attachable devices, and the parts of `base_config`
// that they do not support.
import { type Problem, problem } from '../../problems/index.ts'
import type { InstanceProperties } from './base-config.ts'
import type { MachineType } from './client.ts'
import type { GcpConfig } from './rules.ts'

// Facts in the name of a Compute Engine machine type: its GPUs, and its boot disk.

export interface Machine {
  name: string
  /** Number of built-in GPUs; undefined when only the cloud knows. */
  builtIn?: number
  /** GPUs can be attached: N1 only (https://cloud.google.com/compute/docs/gpus). */
  attachable: boolean
}

/**
 * https://cloud.google.com/compute/docs/machine-resource: SERIES-CLASS-SIZE[-VARIANT], custom and shared-core types.
 */
const standardName = /^[a-z]\d+[a-z]?-[a-z]+-\d+[a-z]?(?:-[a-z\d]+)*$/
const customName = /^(?:[a-z]\d+[a-z]?-)?custom-\d+-\d+(?:-ext)?$/
const sharedCoreName =
  /^(?:e2-(?:micro|small|medium)|e2-custom-(?:micro|small|medium)-\d+|f1-micro|g1-small)$/

/**
 * https://cloud.google.com/compute/docs/accelerator-optimized-machines: types whose name does not contain the number.
 */
const gpusByVcpu: Record<string, Record<number, number>> = {
  'g2-standard': { 4: 1, 8: 1, 12: 1, 16: 1, 32: 1, 24: 2, 48: 4, 96: 8 },
  'g4-standard': { 48: 1, 96: 2, 192: 4, 384: 8 },
}
const acceleratedSeries = /^(?:a\d|g[24]-)/

/** GPUs for N1 machines, and the allowed numbers of each (Determined: gcp_config.go). */
export const attachableGpus: Record<string, readonly number[]> = {
  'nvidia-tesla-t4': [0, 1, 2, 4],
  'nvidia-tesla-p100': [0, 1, 2, 4],
  'nvidia-tesla-p4': [0, 1, 2, 4],
  'nvidia-tesla-v100': [0, 1, 2, 4, 8],
}

/** GPUs that come with a machine type (https://cloud.google.com/compute/docs/gpus). */
export const builtInGpuTypes: readonly string[] = [
  'nvidia-tesla-a100',
  'nvidia-a100-80gb',
  'nvidia-l4',
  'nvidia-h100-80gb',
  'nvidia-h100-mega-80gb',
  'nvidia-h200-141gb',
  'nvidia-b200',
  'nvidia-gb200',
  'nvidia-rtx-pro-6000',
]

/** undefined when the string cannot be a machine type. Of a URL, the last part counts. */
export function machineOf(text: string): Machine | undefined {
  const name = lastPart(text)
  if (![standardName, customName, sharedCoreName].some((pattern) => pattern.test(name))) return undefined
  const builtIn = builtInGpus(name)
  return { name, attachable: /^(?:n1|custom)-/.test(name), ...(builtIn !== undefined && { builtIn }) }
}

/** Machine types of Cloud TPU, such as `ct5lp-hightpu-4t`, and TPU types, such as `v5litepod-16`. */
export function isTpu(text: string): boolean {
  return /^(?:ct\d|tpu|v\d)/.test(lastPart(text))
}

function builtInGpus(name: string): number | undefined {
  if (!acceleratedSeries.test(name)) return 0
  const [series, machineClass, size = ''] = name.split('-')
  const inName = /^(\d+)g$/.exec(size)?.[1]
  return inName ? Number(inName) : gpusByVcpu[`${series}-${machineClass}`]?.[Number(size)]
}

/**
 * Determined's default pd-standard if the series supports it (https://cloud.google.com/compute/docs/disks#disk-types).
 */
export function bootDiskFor(machineName: string): string {
  return familyOf(machineName).bootDisks?.[0] ?? 'pd-balanced'
}

export function lastPart(text: string): string {
  return text.slice(text.lastIndexOf('/') + 1)
}

// Devices of a machine type, by the rules of Google's families rather than a list of types.
// https://cloud.google.com/compute/docs/machine-resource (families), /docs/gpus (accelerators), /docs/disks (disk types)

export interface MachineFamily {
  /** As in the type's name: `n1`, `a2`, `c3d`. */
  name: string
  /** The source of its GPUs; `unknown` for a family without a rule. */
  gpus: 'attached' | 'built_in' | 'none' | 'unknown'
  /** Whether a running VM can be migrated to another host. */
  migrates: boolean
  /** The allowed boot disk types; undefined for a family without a rule. */
  bootDisks?: string[]
}

const standardDisks = ['pd-standard', 'pd-balanced', 'pd-ssd']
const persistent = ['pd-balanced', 'pd-ssd']
const hyperdisk = ['hyperdisk-balanced', 'hyperdisk-balanced-high-availability']

/** Only the last element of a URL counts. `custom-4-8192` is the old name of an N1. */
export function machineTypeName(machineType: string): string {
  return machineType.split('/').at(-1) ?? machineType
}

export function familyOf(machineType: string): MachineFamily {
  const type = machineTypeName(machineType)
  const name = type.startsWith('custom-') || /^[fg]1-/.test(type) ? 'n1' : (type.split('-')[0] ?? '')
  const metal = /-metal$/.test(type)
  return {
    name,
    gpus: familyGpus(name),
    migrates: /^[cemnt]\d/.test(name) && !metal,
    ...bootDisksOf(name, type, metal),
  }
}

function familyGpus(family: string): MachineFamily['gpus'] {
  if (family === 'n1') return 'attached'
  if (/^[ag]\d/.test(family)) return 'built_in'
  return /^[cehmntxz]\d/.test(family) ? 'none' : 'unknown'
}

/**
 * The first two generations support every persistent disk, the third SSD ones and Hyperdisk, later ones Hyperdisk only.
 */
function bootDisksOf(family: string, type: string, metal: boolean): { bootDisks?: string[] } {
  const generation = Number(/^[acegmnthxz](\d+)/.exec(family)?.[1])
  if (Number.isNaN(generation)) return {}
  if (generation >= 4 || metal || type.startsWith('a3-ultragpu')) return { bootDisks: hyperdisk }
  if (generation === 3 || family === 'g2') return { bootDisks: [...persistent, ...hyperdisk] }
  return { bootDisks: standardDisks }
}

/** GPUs of a machine of the type in this pool. */
export function gpusOf(
  { instance_type }: GcpConfig,
  name: string,
  { accelerators = [] }: MachineType,
): number {
  const attached = familyOf(name).gpus === 'attached' && instance_type.gpu_type ? instance_type.gpu_num : 0
  return accelerators.reduce((sum, { guestAcceleratorCount = 0 }) => sum + guestAcceleratorCount, attached)
}

// Parts of `base_config` that a family does not support. A launch would be refused, or run on something else.

/**
 * CPU platforms by family (https://cloud.google.com/compute/docs/cpu-platforms). An E2 runs on any, and accepts no
 * minimum (https://cloud.google.com/compute/docs/instances/specify-min-cpu-platform).
 */
const platforms: Record<string, readonly string[]> = {
  n1: ['Intel Sandy Bridge', 'Intel Ivy Bridge', 'Intel Haswell', 'Intel Broadwell', 'Intel Skylake'],
  n2: ['Intel Cascade Lake', 'Intel Ice Lake'],
  n2d: ['AMD Rome', 'AMD Milan'],
  n4: ['Intel Emerald Rapids'],
  e2: [],
  c2: ['Intel Cascade Lake'],
  c2d: ['AMD Milan'],
  c3: ['Intel Sapphire Rapids'],
  c3d: ['AMD Genoa'],
  c4: ['Intel Emerald Rapids', 'Intel Granite Rapids'],
  t2d: ['AMD Milan'],
  t2a: ['Ampere Altra'],
  m1: ['Intel Broadwell E7', 'Intel Skylake'],
  m2: ['Intel Cascade Lake'],
  m3: ['Intel Ice Lake'],
  a2: ['Intel Cascade Lake'],
  a3: ['Intel Sapphire Rapids'],
  g2: ['Intel Cascade Lake'],
}

/** For these families, Determined's provisioner replaces any other value with this one (gcp_config.go). */
const cascadeLake = ['a2', 'g2', 'n2']

/** One thread for each core: https://cloud.google.com/compute/docs/instances/set-threads-per-core */
const singleThreaded =
  /^(?:t2[ad]|c4a|n4a|h[34]d?|a4x)-|-metal$|^(?:f1|g1)-|^e2-(?:custom-)?(?:micro|small|medium)/
/** https://cloud.google.com/compute/docs/instances/nested-virtualization/overview#restrictions */
const notNested = /^(?:e2|n2d|c2d|c3d|c4d|n4d|t2a|t2d|c4a|n4a|a4x|h[34]d?|m[1-4]|x4|f1|g1)-|-metal$/
/** https://cloud.google.com/confidential-computing/confidential-vm/docs/supported-configurations */
const notConfidential = /^(?:n1|n2|e2|c2|t2a|t2d|c4a|n4a|m[1-4]|x4|h3|h4d|z3|a2|a4x|g2|f1|g1|custom)-|-metal$/

/**
 * `base_config` as a machine of the type accepts it. What can be omitted or corrected is, with a warning; what was
 * requested and is not available is an error. Families without a rule keep everything.
 */
export function fitFamily(
  machineType: string,
  base: InstanceProperties,
): { base: InstanceProperties; problems: Problem[] } {
  const type = machineTypeName(machineType)
  const features = objectIn(base, 'advancedMachineFeatures')
  const problems: Problem[] = []
  const refuse = (what: string) =>
    problems.push(
      problem('REQUEST_MACHINE_REFUSED', `${type} ${what}`, {
        remedy: 'Remove it from base_config, or choose another machine type.',
      }),
    )
  const threads = features['threadsPerCore']
  if (
    typeof threads === 'number' &&
    (![1, 2].includes(threads) || (threads > 1 && singleThreaded.test(type)))
  )
    refuse(
      `does not support ${threads} threads for each core (base_config.advancedMachineFeatures.threadsPerCore)`,
    )
  if (features['enableNestedVirtualization'] === true && notNested.test(type))
    refuse(
      'does not support nested virtualization (base_config.advancedMachineFeatures.enableNestedVirtualization)',
    )
  if (isConfidential(base) && notConfidential.test(type))
    refuse('cannot be a confidential instance (base_config.confidentialInstanceConfig)')
  for (const { initializeParams } of base.disks ?? []) {
    const disk = initializeParams?.diskType?.split('/').at(-1) ?? ''
    const accepted = familyOf(type).bootDisks
    if (accepted && standardDisks.includes(disk) && !accepted.includes(disk))
      refuse(`does not support disks of type ${disk} (base_config.disks)`)
  }
  const platform = base.minCpuPlatform
  if (platform === undefined || hasPlatform(type, platform)) return { base, problems }
  const { minCpuPlatform: _, ...others } = base
  const { name } = familyOf(type)
  const instead = cascadeLake.includes(name) ? platforms.n2![0] : undefined
  const message = `minCpuPlatform ${platform} of base_config is not used: ${type} ${
    instead ? `runs on ${instead}, which is sent instead` : 'does not run on it, and none is sent'
  }`
  problems.push(problem('REQUEST_BASE_CONFIG_REPLACED', message))
  return { base: instead ? { ...others, minCpuPlatform: instead } : others, problems }
}

/** A platform that no family has here may be that of a newer family. */
function hasPlatform(type: string, platform: string): boolean {
  const own = platforms[familyOf(type).name]
  return own ? own.includes(platform) : !Object.values(platforms).flat().includes(platform)
}

/** Hardly any of them can be migrated, and each accepts TERMINATE at maintenance. */
export function isConfidential(base: InstanceProperties): boolean {
  const { enableConfidentialCompute, confidentialInstanceType } = objectIn(base, 'confidentialInstanceConfig')
  return enableConfidentialCompute === true || typeof confidentialInstanceType === 'string'
}

function objectIn(base: InstanceProperties, field: string): Record<string, unknown> {
  const value = base[field]
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
}
