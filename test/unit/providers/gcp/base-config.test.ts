// What base_config may contain: fields of the API, at any depth, with values that reach Google as they are written.
import { describe, expect, it } from 'vitest'
import { baseFaults, baseProblems } from '../../../../src/providers/gcp/base-config.ts'
import fields from '../../../../src/providers/gcp/instance-fields.json' with { type: 'json' }
import { instanceFields } from '../../../support/compute-descriptor.ts'

const reported = (base: object) => baseFaults(base).map(({ message }) => message)

describe('base_config', () => {
  it("has the same fields as the client's descriptors", () => {
    expect(fields, 'run `node scripts/gcp-instance-fields.ts`').toEqual(instanceFields())
  })

  it('may contain any field of the API', () => {
    const base = {
      minCpuPlatform: 'Intel Ice Lake',
      canIpForward: false,
      disks: [{ boot: true, initializeParams: { sourceImage: 'x', labels: { any: 'thing' } } }],
      scheduling: {
        maxRunDuration: { seconds: '60', nanos: 5 },
        nodeAffinities: [{ key: 'a', operator: 'IN', values: ['b'] }],
        minNodeCpus: 4,
      },
      networkInterfaces: [{ nicType: 'GVNIC', accessConfigs: [{ type: 'ONE_TO_ONE_NAT' }] }],
      metadata: { items: [{ key: 'a', value: 'b' }] },
      labels: { 'any-key': 'value' },
      reservationAffinity: { consumeReservationType: 'ANY_RESERVATION' },
    }
    expect(reported(base)).toEqual([])
  })

  it('may contain nothing that the client would drop', () => {
    const base = {
      disks: [{}, { initializeParam: {}, initializeParams: { diskSizeGB: 100 } }],
      scheduling: { maxRunDuration: { second: 60 } },
      shieldedInstanceConfig: { enableVTPM: true },
      min_cpu_platform: 'x',
    }
    expect(reported(base)).toEqual([
      'base_config.disks[1].initializeParam is not a field of the Compute Engine API',
      'base_config.disks[1].initializeParams.diskSizeGB is not a field of the Compute Engine API',
      'base_config.scheduling.maxRunDuration.second is not a field of the Compute Engine API',
      'base_config.shieldedInstanceConfig.enableVTPM is not a field of the Compute Engine API',
      'base_config.min_cpu_platform is not a field of the Compute Engine API',
    ])
    expect(baseProblems(base)[1]).toMatchObject({
      code: 'REQUEST_BASE_CONFIG',
      remedy: 'Did you mean "diskSizeGb"?',
    })
  })

  it.each([
    [{ canIpForward: 'false' }, 'canIpForward must be a boolean, but is "false"'],
    [{ canIpForward: 0 }, 'canIpForward must be a boolean, but is 0'],
    [
      { scheduling: { automaticRestart: 'no' } },
      'scheduling.automaticRestart must be a boolean, but is "no"',
    ],
    [{ scheduling: { minNodeCpus: '4' } }, 'scheduling.minNodeCpus must be an integer, but is "4"'],
    [
      { advancedMachineFeatures: { threadsPerCore: 2 ** 31 } },
      'advancedMachineFeatures.threadsPerCore must be an integer, but is 2147483648',
    ],
    [
      { advancedMachineFeatures: { threadsPerCore: 1.5 } },
      'advancedMachineFeatures.threadsPerCore must be an integer, but is 1.5',
    ],
    ...['abc', '1.5', '1e3', ' 60', '060', '9223372036854775808', ''].map((seconds): [object, string] => [
      { scheduling: { maxRunDuration: { seconds } } },
      `scheduling.maxRunDuration.seconds must be a 64-bit integer, but is ${JSON.stringify(seconds)}`,
    ]),
    [
      { scheduling: { maxRunDuration: { seconds: 2 ** 53 } } },
      'scheduling.maxRunDuration.seconds must be a 64-bit integer, but is 9007199254740992',
    ],
    [
      { scheduling: { provisioningModel: 'SPOTTY' } },
      'scheduling.provisioningModel must be one of FLEX_START, RESERVATION_BOUND, SPOT, STANDARD, but is "SPOTTY"',
    ],
    [{ disks: [{ mode: 5 }] }, 'disks[0].mode must be one of READ_ONLY, READ_WRITE, but is 5'],
    [
      { metadata: { items: [{ key: 'a', value: true }] } },
      'metadata.items[0].value must be a string, but is true',
    ],
    [{ labels: { a: 1 } }, 'labels.a must be a string, but is 1'],
    [{ resourcePolicies: ['a', 2] }, 'resourcePolicies[1] must be a string, but is 2'],
    [{ disks: 'none' }, 'disks must be a list, but is "none"'],
    [{ labels: null }, 'labels must be a mapping, but is empty'],
    [{ scheduling: 5 }, 'scheduling must be a mapping, but is 5'],
    [{ tags: ['a'] }, 'tags must be a mapping, but is a list'],
  ])('may hold nothing the client would change: %o', (base, message) => {
    expect(reported(base)).toEqual([`base_config.${message}`])
  })

  it.each(['0', '60', '-1', '9223372036854775807', 60])('accepts %o for a 64-bit integer', (seconds) => {
    expect(reported({ scheduling: { maxRunDuration: { seconds } } })).toEqual([])
  })
})
