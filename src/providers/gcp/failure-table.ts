// Compute Engine's reasons by class. One table for both kinds: `camelCase` comes as an answer, `UPPER_CASE` inside an
// operation. https://cloud.google.com/compute/docs/troubleshooting/troubleshooting-vm-creation
import type { FailureClass } from '../../planner/instance.ts'

export interface FailureRow {
  class: FailureClass
  remedy?: string
}

const otherOfferings =
  'Nothing to do: it is tried again later. More zones, machine types or on-demand VMs help.'
const credentials =
  'Give the provisioner credentials: `gcloud auth application-default login`, GOOGLE_APPLICATION_CREDENTIALS, or the service account of the VM it runs on.'

const capacity: FailureRow = { class: 'capacity', remedy: otherOfferings }
const quota: FailureRow = {
  class: 'quota',
  remedy: 'Ask for more of the quota the message names (IAM & Admin, Quotas), or lower max_instances.',
}
const throttle: FailureRow = { class: 'throttle' }
const transient: FailureRow = { class: 'transient' }
const config: FailureRow = {
  class: 'config',
  remedy: 'Correct what the message names in the provider block.',
}
const role: FailureRow = {
  class: 'auth',
  remedy: 'Give the account the permission the message names; docs/gcp.md has the least role.',
}
const noCredentials: FailureRow = { class: 'auth', remedy: credentials }

export const failureTable: Record<string, FailureRow> = {
  ZONE_RESOURCE_POOL_EXHAUSTED: capacity,
  ZONE_RESOURCE_POOL_EXHAUSTED_WITH_DETAILS: capacity,
  REGION_RESOURCE_POOL_EXHAUSTED: capacity,
  RESOURCE_POOL_EXHAUSTED: capacity,
  resourcePoolExhausted: capacity,
  insufficientCapacity: capacity,
  stockout: capacity,
  IP_SPACE_EXHAUSTED: { class: 'capacity', remedy: 'Use a larger subnetwork.' },
  IP_SPACE_EXHAUSTED_WITH_DETAILS: { class: 'capacity', remedy: 'Use a larger subnetwork.' },
  // Says only that there are fewer than one VM; the reasons are told by the VMs themselves.
  VM_MIN_COUNT_NOT_REACHED: capacity,
  // A spot VM that was taken back before it had started.
  UNSUPPORTED_OPERATION: capacity,

  QUOTA_EXCEEDED: quota,
  quotaExceeded: quota,
  limitExceeded: quota,
  RESOURCE_QUOTA_EXCEEDED: quota,

  rateLimitExceeded: throttle,
  userRateLimitExceeded: throttle,
  RATE_LIMIT_EXCEEDED: throttle,
  RESOURCE_OPERATION_RATE_EXCEEDED: throttle,
  resourceOperationRateExceeded: throttle,
  concurrentLimitExceeded: throttle,

  credentials: noCredentials,
  authError: noCredentials,
  UNAUTHENTICATED: noCredentials,
  forbidden: role,
  required: role,
  PERMISSION_DENIED: role,
  PERMISSIONS_ERROR: role,
  insufficientPermissions: {
    class: 'auth',
    remedy:
      'Let the VM the provisioner runs on have the scope https://www.googleapis.com/auth/cloud-platform.',
  },
  accessNotConfigured: { class: 'auth', remedy: 'Enable the API the message names in the project.' },
  SERVICE_DISABLED: { class: 'auth', remedy: 'Enable the API the message names in the project.' },
  BILLING_DISABLED: { class: 'auth', remedy: 'Enable billing for the project.' },
  SERVICE_ACCOUNT_ACCESS_DENIED: {
    class: 'auth',
    remedy: 'Grant the provisioner roles/iam.serviceAccountUser on the service account of the VMs.',
  },

  invalid: config,
  badRequest: config,
  notFound: config,
  RESOURCE_NOT_FOUND: config,
  INVALID_USAGE: config,
  INVALID_FIELD_VALUE: config,
  CONDITION_NOT_MET: config,
  conditionNotMet: config,
  resourceInUseByAnotherResource: {
    class: 'config',
    remedy: 'Turn off the deletion protection of the VM, or delete it by hand.',
  },

  RESOURCE_NOT_READY: transient,
  resourceNotReady: transient,
  INTERNAL_ERROR: transient,
  internalError: transient,
  backendError: transient,
  SERVICE_UNAVAILABLE: transient,
  timeout: transient,
  network: transient,
  notJson: transient,
}

/** For reasons the table does not name: what the message says, then the HTTP status. */
export function rowOf(reason: string, message: string, status: number | undefined): FailureRow {
  const known = Object.hasOwn(failureTable, reason) ? failureTable[reason] : undefined
  // A quota and a limit of requests come with the same status, and some reasons are no more than that.
  if (/\bquota\b.*\bexceeded\b/i.test(message) && known?.class !== 'throttle') return quota
  if (known) return known
  if (/RESOURCE_POOL_EXHAUSTED|does not have enough resources/.test(`${reason} ${message}`)) return capacity
  if (/quota/i.test(reason)) return quota
  if (status === undefined || status >= 500) return transient
  if (status === 429) return throttle
  if (status === 401) return noCredentials
  return status === 403 ? role : config
}
