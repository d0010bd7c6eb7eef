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
