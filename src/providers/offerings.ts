// What clouds with instance types have in common: the ways to buy a VM, and the slots of its agent.

import type { SlotType } from '../agent-setup/index.ts'
import type { TypeWithSlots } from '../config/index.ts'
import type { CapacityType, Offering } from '../planner/index.ts'

/** The part of a cloud's block that sets what to buy. */
export interface BoughtByType {
  instance_types: TypeWithSlots[]
  spot: { enabled: boolean; fallback: 'none' | 'on_demand' }
  /** Use a machine without accelerators as one CPU slot (Determined: aws_config.go). */
  cpu_slots_allowed: boolean
}

/** Spot before its on-demand fallback, then types in the file's order, then zones in the file's order. */
export function offeringsByType(config: BoughtByType, zones: readonly string[]): Offering[] {
  const least = config.cpu_slots_allowed ? 1 : 0
  return capacityOf(config).flatMap((capacityType) =>
    config.instance_types.flatMap(({ type, slots }) =>
      zones.map((zone) => ({ instanceType: type, zone, capacityType, slots: Math.max(slots, least) })),
    ),
  )
}

/** The same with what is paid for already first; `only`: with nothing else. */
export function withReserved(
  config: BoughtByType,
  zones: readonly string[],
  reserved: { only: boolean } | undefined,
): Offering[] {
  const bought = offeringsByType(config, zones)
  if (!reserved) return bought
  const onDemand = offeringsByType({ ...config, spot: { enabled: false, fallback: 'none' } }, zones)
  const first = onDemand.map((offering): Offering => ({ ...offering, capacityType: 'reserved' }))
  return reserved.only ? first : [...first, ...bought]
}

function capacityOf({ spot }: BoughtByType): CapacityType[] {
  if (!spot.enabled) return ['on_demand']
  return spot.fallback === 'on_demand' ? ['spot', 'on_demand'] : ['spot']
}

/**
 * GPUs first; then one CPU slot if `cpu_slots_allowed`; else an agent for auxiliary tasks only (Determined:
 * aws_config.go).
 */
export function slotTypeByType({ instance_types, cpu_slots_allowed }: BoughtByType): SlotType {
  if (instance_types.some(({ slots }) => slots > 0)) return 'cuda'
  return cpu_slots_allowed ? 'cpu' : 'none'
}

/** As in Determined's API for a pool: the type that is tried first. */
export function firstType({ instance_types: [first] }: BoughtByType) {
  return { instanceType: first?.type ?? '', slotsPerAgent: first?.slots ?? 0 }
}
