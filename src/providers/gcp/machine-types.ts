// The machine types of a GCP pool and their GPUs: built in, or attached to N1 machines.

import { type TypeWithSlots, typesOf } from '../../config/instance-types.ts'
import { orList } from '../../config/issues.ts'
import { givenIn } from '../../config/provider-common.ts'
import type { Partially } from '../../config/read-block.ts'
import { type Block, given, inner, note } from '../../config/reading.ts'
import type { YamlPath } from '../../config/yaml.ts'
import { nearest } from '../../platform/nearest.ts'
import { attachableGpus, builtInGpuTypes, type Machine, machineOf } from './gcp-machines.ts'
import type { GcpKeys } from './schema.ts'

/** The origin's (origin: gcp_config.go). */
const standard = { machine: 'n1-standard-32', gpuType: 'nvidia-tesla-t4', gpuNum: 4 }

interface Gpus {
  type: string
  count: number
  /** The user wrote them: they are no default. */
  said: boolean
}

/** `gpu_type` and `gpu_num` of the result are what is attached; `slots` of each type what its agent has. */
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
    instance_type: {
      machine_type: instance_types?.[0]?.type,
      gpu_type: attachable && attached.count > 0 ? attached.type : '',
      gpu_num: attachable ? attached.count : 0,
      preemptible: keys.instance_type?.preemptible,
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
