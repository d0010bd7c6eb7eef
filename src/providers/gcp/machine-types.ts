// The machine types of a GCP pool and their GPUs: built in, or attached to N1 machines.
import {
  type Block,
  given,
  givenIn,
  inner,
  note,
  orList,
  type Partially,
  type TypeWithSlots,
  typesOf,
  type YamlPath,
} from '../../config/index.ts'
import { nearest } from '../../platform/index.ts'
import type { MachineType } from './client.ts'
import type { GcpConfig } from './rules.ts'
import type { GcpKeys } from './schema.ts'

/** The origin's (origin: gcp_config.go). */
const standard = { machine: 'n1-standard-32', gpuType: 'nvidia-tesla-t4', gpuNum: 4 }

interface Gpus {
  type: string
  count: number
  /** The user wrote them: they are no default. */
  said: boolean
}

/** `attached` are the GPUs that are; `slots` of each type what its agent has. */
export function gcpTypes(keys: Partially<GcpKeys>, block: Block) {
  const several = given(block, 'instance_types')
  if (several && givenIn(block, 'instance_type', 'machine_type'))
    note(block, 'CONFIG_CONFLICT', 'instance_types and instance_type.machine_type exclude each other', {
      key: ['instance_type', 'machine_type'],
      part: 'key',
      remedy: 'Write it as an entry of instance_types: `- type: …`.',
    })
  checkBaseConfig(keys, block)
  const attached = wantedGpus(keys, block, several)
  const machines: Machine[] = []
  const read = (text: string, slots: number | undefined, path: YamlPath) => {
    const machine = machineOf(text)
    if (machine) {
      machines.push(machine)
      return withSlots(machine, slots, attached, block, path)
    }
    note(block, 'MACHINE_TYPE_INVALID', `${JSON.stringify(text)} is not the name of a machine type`, {
      key: path,
    })
    return []
  }
  const instance_types = several
    ? typesOf(keys.instance_types, block, read)
    : read(machineName(keys, block), undefined, ['instance_type', 'machine_type'])
  const attachable = machines.some((machine) => machine.attachable)
  if (isKnownGpu(attached, block)) {
    if (attachable) checkAttached(attached, block)
    else if (attached.said && machines[0]) refuseAttached(machines[0], attached, block)
  }
  return {
    instance_types,
    attached: {
      gpu_type: attachable && attached.count > 0 ? attached.type : '',
      gpu_num: attachable ? attached.count : 0,
    },
  }
}

function machineName({ instance_type }: Partially<GcpKeys>, block: Block): string {
  const said = givenIn(block, 'instance_type', 'machine_type')
  return (said && instance_type?.machine_type) || standard.machine
}

/** Defaults of the origin's apply to a single N1 machine only: nobody who lists types asks for four T4. */
function wantedGpus({ instance_type }: Partially<GcpKeys>, block: Block, several: boolean): Gpus {
  const noType = inner(block, 'instance_type')?.raw['gpu_type'] === ''
  const saidType = givenIn(block, 'instance_type', 'gpu_type')
  const saidCount = givenIn(block, 'instance_type', 'gpu_num')
  const type =
    noType || (several && !saidType && !saidCount) ? '' : (instance_type?.gpu_type ?? standard.gpuType)
  const count = instance_type?.gpu_num ?? (type === '' ? 0 : standard.gpuNum)
  return { type, count, said: (saidType || saidCount) && count > 0 }
}

function withSlots(
  { name, builtIn, attachable }: Machine,
  said: number | undefined,
  attached: Gpus,
  block: Block,
  path: YamlPath,
): TypeWithSlots[] {
  const own = attachable || (builtIn === undefined && attached.said) ? attached.count : builtIn
  const slots = said ?? own
  if (slots !== undefined) return [{ type: name, slots }]
  note(block, 'INSTANCE_SLOTS_UNKNOWN', `How many GPUs ${JSON.stringify(name)} has is not known here`, {
    key: path,
    remedy: `Say it: \`instance_types: [{type: ${name}, slots: N}]\`.`,
  })
  return []
}

function isKnownGpu({ type, count }: Gpus, block: Block): boolean {
  const known = [...Object.keys(attachableGpus), ...builtInGpuTypes]
  if (known.includes(type) || (type === '' && count === 0)) return true
  const meant = nearest(type, known)
  note(
    block,
    'GPU_TYPE_UNKNOWN',
    type ? `There is no GPU of type ${JSON.stringify(type)}` : 'gpu_num is set without gpu_type',
    {
      key: ['instance_type', type ? 'gpu_type' : 'gpu_num'],
      ...(meant && { remedy: `Did you mean "${meant}"?` }),
    },
  )
  return false
}

function checkAttached({ type, count }: Gpus, block: Block): void {
  const fitting = attachableGpus[type]
  if (type === '') return
  if (!fitting)
    note(block, 'GPU_NOT_ATTACHABLE', `GPUs of type ${type} cannot be attached to an N1 machine`, {
      key: ['instance_type', 'gpu_type'],
    })
  else if (!fitting.includes(count))
    note(
      block,
      'GPU_COUNT_INVALID',
      `A machine has ${fitting.join(', ')} GPUs of type ${type}, not ${count}`,
      {
        key: ['instance_type', 'gpu_num'],
        remedy: `Write ${orList(fitting.map(String)).replaceAll('"', '')}.`,
      },
    )
}

function refuseAttached({ name, builtIn }: Machine, { type, count }: Gpus, block: Block): void {
  const key = ['instance_type', givenIn(block, 'instance_type', 'gpu_num') ? 'gpu_num' : 'gpu_type']
  const isNative = !Object.hasOwn(attachableGpus, type)
  if (isNative && (count === builtIn || builtIn === undefined)) return
  if (isNative && builtIn)
    note(block, 'GPU_COUNT_INVALID', `${name} has ${builtIn} GPUs built in, not ${count}`, {
      key,
      remedy: 'Remove gpu_type and gpu_num: the machine type says it all.',
    })
  else note(block, 'GPU_NOT_ATTACHABLE', `GPUs of type ${type} cannot be attached to ${name}`, { key })
}

/** A type in base_config is always overlaid: silently buying another machine would be a costly surprise. */
function checkBaseConfig({ base_config }: Partially<GcpKeys>, block: Block): void {
  for (const key of ['machineType', 'guestAccelerators'])
    if (base_config && Object.hasOwn(base_config, key))
      note(block, 'CONFIG_CONFLICT', `base_config.${key} would be overlaid by instance_type`, {
        key: ['base_config', key],
        part: 'key',
        remedy: `Write it as instance_type.${key === 'machineType' ? 'machine_type' : 'gpu_type and gpu_num'}.`,
      })
}

// What the name of a Compute Engine machine type says: its GPUs, and the disk it can boot from.

export interface Machine {
  name: string
  /** GPUs that are part of the machine; undefined where only the cloud knows. */
  builtIn?: number
  /** GPUs can be attached: N1 only (https://cloud.google.com/compute/docs/gpus). */
  attachable: boolean
}

/** https://cloud.google.com/compute/docs/machine-resource: SERIES-CLASS-SIZE[-VARIANT], custom and shared-core types. */
const standardName = /^[a-z]\d+[a-z]?-[a-z]+-\d+[a-z]?(?:-[a-z\d]+)*$/
const customName = /^(?:[a-z]\d+[a-z]?-)?custom-\d+-\d+(?:-ext)?$/
const sharedCoreName =
  /^(?:e2-(?:micro|small|medium)|e2-custom-(?:micro|small|medium)-\d+|f1-micro|g1-small)$/

/** https://cloud.google.com/compute/docs/accelerator-optimized-machines: where the name does not hold the number. */
const gpusByVcpu: Record<string, Record<number, number>> = {
  'g2-standard': { 4: 1, 8: 1, 12: 1, 16: 1, 32: 1, 24: 2, 48: 4, 96: 8 },
  'g4-standard': { 48: 1, 96: 2, 192: 4, 384: 8 },
}
const acceleratedSeries = /^(?:a\d|g[24]-)/

/** GPUs for N1 machines and how many of them fit (origin: gcp_config.go). */
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

/** undefined when the text cannot be a machine type. Of a URL, the last part counts. */
export function machineOf(text: string): Machine | undefined {
  const name = lastPart(text)
  if (![standardName, customName, sharedCoreName].some((pattern) => pattern.test(name))) return undefined
  const builtIn = builtInGpus(name)
  return { name, attachable: /^(?:n1|custom)-/.test(name), ...(builtIn !== undefined && { builtIn }) }
}

function builtInGpus(name: string): number | undefined {
  if (!acceleratedSeries.test(name)) return 0
  const [series, machineClass, size = ''] = name.split('-')
  const inName = /^(\d+)g$/.exec(size)?.[1]
  return inName ? Number(inName) : gpusByVcpu[`${series}-${machineClass}`]?.[Number(size)]
}

const standardDiskSeries = /^(?:n1|n2|n2d|e2|c2|c2d|t2a|t2d|m1|m2|a2|f1|g1|custom)-/
const hyperdiskOnly = /^(?:n4|n4a|n4d|c4|c4a|c4d|h4d|m4|x4|a4|a4x|g4)-|^a3-ultragpu-/

/** The origin's pd-standard where the series has it (https://cloud.google.com/compute/docs/disks#disk-types). */
export function bootDiskFor(machineName: string): string {
  if (hyperdiskOnly.test(machineName)) return 'hyperdisk-balanced'
  return standardDiskSeries.test(machineName) ? 'pd-standard' : 'pd-balanced'
}

export function lastPart(text: string): string {
  return text.slice(text.lastIndexOf('/') + 1)
}

// What a machine type takes and brings, by the rules of Google's families rather than a list of types.
// https://cloud.google.com/compute/docs/machine-resource (families), /docs/gpus (accelerators), /docs/disks (disk types)

export interface MachineFamily {
  /** As in the type's name: `n1`, `a2`, `c3d`. */
  name: string
  /** Where its GPUs come from; `unknown` for a family that no rule covers. */
  gpus: 'attached' | 'built_in' | 'none' | 'unknown'
  /** Whether a running VM may be moved to another host. */
  migrates: boolean
  /** What its boot disk may be; undefined when no rule covers the family. */
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

/** Two generations with every persistent disk, a third with the solid-state ones and Hyperdisk, then Hyperdisk alone. */
function bootDisksOf(family: string, type: string, metal: boolean): { bootDisks?: string[] } {
  const generation = Number(/^[acegmnthxz](\d+)/.exec(family)?.[1])
  if (Number.isNaN(generation)) return {}
  if (generation >= 4 || metal || type.startsWith('a3-ultragpu')) return { bootDisks: hyperdisk }
  if (generation === 3 || family === 'g2') return { bootDisks: [...persistent, ...hyperdisk] }
  return { bootDisks: standardDisks }
}

/** GPUs a machine of the type has in this pool. */
export function gpusOf(
  { instance_type }: GcpConfig,
  name: string,
  { accelerators = [] }: MachineType,
): number {
  const attached = familyOf(name).gpus === 'attached' && instance_type.gpu_type ? instance_type.gpu_num : 0
  return accelerators.reduce((sum, { guestAcceleratorCount = 0 }) => sum + guestAcceleratorCount, attached)
}
