// The boot disk in front of the disks of `base_config`, of a type the machine accepts.

import { type Problem, problem } from '../../problems/problem.ts'
import type { Disk } from './compute-types.ts'
import type { GcpConfig } from './gcp-config.ts'
import { familyOf, machineTypeName } from './machine-type.ts'

/** Without an image of ours the boot disk is whatever `base_config` holds. */
export function disksOf(
  config: GcpConfig,
  machineType: string,
  base: Disk[],
): { disks: Disk[]; problems: Problem[] } {
  if (!config.boot_disk_source_image) return { disks: base, problems: [] }
  const { type, problems } = bootDiskType(config, machineType)
  const boot: Disk = {
    boot: true,
    autoDelete: true,
    initializeParams: {
      sourceImage: config.boot_disk_source_image,
      diskSizeGb: config.boot_disk_size,
      diskType: type,
    },
  }
  const others = base.filter((disk) => !disk.boot)
  if (others.length < base.length)
    problems.push(
      problem(
        'REQUEST_BASE_CONFIG_REPLACED',
        `the boot disk of base_config is not used: boot_disk_source_image is ${config.boot_disk_source_image}`,
      ),
    )
  return { disks: [boot, ...others], problems }
}

/** What the pool asks for gives way on types that do not take it, as long as another type of the pool does. */
function bootDiskType(config: GcpConfig, machineType: string): { type: string; problems: Problem[] } {
  const accepted = familyOf(machineType).bootDisks
  const asked = config.boot_disk_type.split('/').at(-1) || accepted?.[0] || 'pd-balanced'
  if (!accepted || accepted.includes(asked)) return { type: asked, problems: [] }
  const fitsAnother = config.instance_types.some(({ type }) => familyOf(type).bootDisks?.includes(asked))
  if (fitsAnother) return { type: accepted[0] ?? asked, problems: [] }
  const message = `${machineTypeName(machineType)} does not boot from ${asked}`
  const remedy = `Set boot_disk_type to ${accepted.join(' or ')}, or leave it out.`
  return { type: asked, problems: [problem('REQUEST_MACHINE_REFUSED', message, { remedy })] }
}
