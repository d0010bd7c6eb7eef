// A VM as the cloud tells it.

/** The origin's states, less the clouds' own words for them (origin: provisioner/aws.go, gcp.go). */
export const instanceStates = ['starting', 'running', 'stopping', 'stopped', 'terminated', 'unknown'] as const

export type InstanceState = (typeof instanceStates)[number]

export const capacityTypes = ['on_demand', 'spot'] as const

export type CapacityType = (typeof capacityTypes)[number]

export interface Instance {
  /** EC2 instance id, GCE instance name: also the id of the agent on it. */
  id: string
  pool: string
  state: InstanceState
  /** Milliseconds since the epoch, by the cloud's clock. */
  launchedAt: number
  instanceType: string
  zone: string
  capacityType: CapacityType
  /** The intent that launched it, from its tags; undefined when the tag is missing. */
  intentId?: string
  /** The provisioner that launched it, from its tags. */
  writerId?: string
  /** Why it is in this state, in the cloud's words (EC2 StateReason; a local VM's exit status). */
  stateReason?: string
  /** Set when the cloud has said it will take the VM back (spot notice). */
  interruptedAt?: number
}

/** One way to buy a VM: what is tried, and what is remembered when the cloud refuses. */
export interface Offering {
  instanceType: string
  /** Availability zone (GCP) or subnet (AWS); empty for the cloud's choice. */
  zone: string
  capacityType: CapacityType
  /** Accelerators (or the one CPU slot) an agent on it has. */
  slots: number
}

export function offeringKey(offering: Omit<Offering, 'slots'>): string {
  return `${offering.capacityType}/${offering.instanceType}/${offering.zone || 'any'}`
}

/** How a refusal is treated: what is waited for, and what is remembered. */
export const failureClasses = ['capacity', 'quota', 'throttle', 'config', 'auth', 'transient'] as const

export type FailureClass = (typeof failureClasses)[number]
