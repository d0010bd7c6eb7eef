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
