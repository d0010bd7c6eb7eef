// `base_config`: the fields that Compute Engine knows, because its client drops the others without a word.

import { type Problem, problem } from '../../problems/problem.ts'
import type { InstanceProperties } from './compute-types.ts'
import type { GcpConfig } from './gcp-config.ts'

/** Fields of `InstanceProperties`, API version v1; a test compares them with the client's own descriptor. */
export const instanceProperties = [
  'advancedMachineFeatures',
  'canIpForward',
  'confidentialInstanceConfig',
  'description',
  'disks',
  'guestAccelerators',
  'keyRevocationActionType',
  'labels',
  'localSsdEncryptionMode',
  'machineType',
  'metadata',
  'minCpuPlatform',
  'networkInterfaces',
  'networkPerformanceConfig',
  'privateIpv6GoogleAccess',
  'reservationAffinity',
  'resourceManagerTags',
  'resourcePolicies',
  'scheduling',
  'serviceAccounts',
  'shieldedInstanceConfig',
  'tags',
  'workloadIdentityConfig',
] as const

export function baseProperties({ base_config }: GcpConfig): {
  base: InstanceProperties
  problems: Problem[]
} {
  const unknown = Object.keys(base_config).filter(
    (field) => !instanceProperties.some((known) => known === field),
  )
  return {
    base: base_config,
    problems: unknown.map((field) =>
      problem(
        'REQUEST_BASE_CONFIG',
        `base_config.${field} is not a field of Compute Engine's instance properties`,
      ),
    ),
  }
}
