// What follows from the name of a machine type.
import { describe, expect, it } from 'vitest'
import { bootDiskFor, familyOf, machineTypeName } from '../../../../src/providers/gcp/machine-types.ts'

const table = [
  // type, family, GPUs, migrates, first boot disk
  ['n1-standard-8', 'n1', 'attached', true, 'pd-standard'],
  ['custom-4-8192', 'n1', 'attached', true, 'pd-standard'],
  ['n2-custom-4-8192', 'n2', 'none', true, 'pd-standard'],
  ['n2d-standard-4', 'n2d', 'none', true, 'pd-standard'],
  ['e2-standard-4', 'e2', 'none', true, 'pd-standard'],
  ['c2-standard-8', 'c2', 'none', true, 'pd-standard'],
  ['t2a-standard-4', 't2a', 'none', true, 'pd-standard'],
  ['m1-ultramem-40', 'm1', 'none', true, 'pd-standard'],
  ['c3-standard-8', 'c3', 'none', true, 'pd-balanced'],
  ['c3-highcpu-192-metal', 'c3', 'none', false, 'hyperdisk-balanced'],
  ['c3d-standard-8', 'c3d', 'none', true, 'pd-balanced'],
  ['h3-standard-88', 'h3', 'none', false, 'pd-balanced'],
  ['c4-standard-8', 'c4', 'none', true, 'hyperdisk-balanced'],
  ['c4a-standard-8', 'c4a', 'none', true, 'hyperdisk-balanced'],
  ['n4-standard-8', 'n4', 'none', true, 'hyperdisk-balanced'],
  ['z3-highmem-88', 'z3', 'none', false, 'pd-balanced'],
  ['x4-megamem-960-metal', 'x4', 'none', false, 'hyperdisk-balanced'],
  ['a2-highgpu-1g', 'a2', 'built_in', false, 'pd-standard'],
  ['a2-ultragpu-8g', 'a2', 'built_in', false, 'pd-standard'],
  ['a3-highgpu-8g', 'a3', 'built_in', false, 'pd-balanced'],
  ['a3-ultragpu-8g', 'a3', 'built_in', false, 'hyperdisk-balanced'],
  ['a4-highgpu-8g', 'a4', 'built_in', false, 'hyperdisk-balanced'],
  ['a4x-highgpu-4g', 'a4x', 'built_in', false, 'hyperdisk-balanced'],
  ['g2-standard-8', 'g2', 'built_in', false, 'pd-balanced'],
  ['g4-standard-48', 'g4', 'built_in', false, 'hyperdisk-balanced'],
  ['ct5lp-hightpu-4t', 'ct5lp', 'unknown', false, undefined],
] as const

describe('a machine type', () => {
  it.each(table)('%s is of %s, GPUs %s', (type, name, gpus, migrates, disk) => {
    const family = familyOf(type)
    expect(family).toMatchObject({ name, gpus, migrates })
    expect(family.bootDisks?.[0]).toBe(disk)
    expect(bootDiskFor(type), 'the default is one that the type boots from').toBe(disk ?? 'pd-balanced')
  })

  it('is the last part of its URL', () => {
    const url =
      'https://www.googleapis.com/compute/v1/projects/p/zones/us-central1-a/machineTypes/a2-highgpu-1g'
    expect(machineTypeName(url)).toBe('a2-highgpu-1g')
    expect(familyOf(url).gpus).toBe('built_in')
  })
})
