// Typos in base_config are told, at any depth; what the API has passes.
import { describe, expect, it } from 'vitest'
import { strangeFields } from '../../../../src/providers/gcp/base-config.ts'
import { messages } from '../../../../src/providers/gcp/compute-package.ts'

const told = (base: object) => strangeFields(base, messages()).map(({ message }) => message)

describe('base_config', () => {
  it('may hold any field the API has', () => {
    const base = {
      minCpuPlatform: 'Intel Ice Lake',
      disks: [{ boot: true, initializeParams: { sourceImage: 'x', labels: { any: 'thing' } } }],
      scheduling: {
        maxRunDuration: { seconds: '60' },
        nodeAffinities: [{ key: 'a', operator: 'IN', values: ['b'] }],
      },
      networkInterfaces: [{ nicType: 'GVNIC', accessConfigs: [{ type: 'ONE_TO_ONE_NAT' }] }],
      metadata: { items: [{ key: 'a', value: 'b' }] },
      labels: { 'any-key': 'value' },
      reservationAffinity: { consumeReservationType: 'ANY_RESERVATION' },
    }
    expect(told(base)).toEqual([])
  })

  it('may hold nothing the client would drop', () => {
    const base = {
      disks: [{}, { initializeParam: {}, initializeParams: { diskSizeGB: 100 } }],
      scheduling: { maxRunDuration: { second: 60 } },
      shieldedInstanceConfig: { enableVTPM: true },
    }
    expect(told(base)).toEqual([
      "base_config.disks.1.initializeParam, base_config.disks.1.initializeParams.diskSizeGB, base_config.scheduling.maxRunDuration.second, base_config.shieldedInstanceConfig.enableVTPM are no fields of Compute Engine's API",
    ])
  })

  it('is passed on as it is where a type is wrong: Compute Engine says so itself', () => {
    expect(told({ disks: 'none', labels: null, scheduling: 5 })).toEqual([])
  })
})
