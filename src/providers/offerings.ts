// The ways a pool may buy a VM, in the order they are tried.

import type { ProviderConfig } from '../config/provider-config.ts'
import type { CapacityType, Offering } from '../planner/instance.ts'
import type { AwsConfig } from './aws/aws-config.ts'
import type { GcpConfig } from './gcp/gcp-config.ts'

type TypeWithSlots = AwsConfig['instance_types'][number]

/** Spot before its on-demand fallback, then types in the file's order, then zones in the file's order. */
export function offeringsOf(provider: ProviderConfig): Offering[] {
  switch (provider.type) {
    case 'aws':
      return combine(typesOf(provider), subnetsOf(provider), capacityOf(provider))
    case 'gcp':
      return combine(typesOf(provider), zonesOf(provider), capacityOf(provider))
    case 'local':
      return [{ instanceType: 'local', zone: '', capacityType: 'on_demand', slots: provider.slots }]
  }
}

function combine(types: TypeWithSlots[], zones: string[], capacity: CapacityType[]): Offering[] {
  return capacity.flatMap((capacityType) =>
    types.flatMap(({ type, slots }) =>
      zones.map((zone) => ({ instanceType: type, zone, capacityType, slots })),
    ),
  )
}

function subnetsOf({ subnet_ids, network_interface }: AwsConfig): string[] {
  return subnet_ids.length ? subnet_ids : [network_interface.subnet_id]
}

function zonesOf({ zones, zone }: GcpConfig): string[] {
  return zones.length ? zones : [zone ?? '']
}

function capacityOf({ spot }: AwsConfig | GcpConfig): CapacityType[] {
  if (!spot.enabled) return ['on_demand']
  return spot.fallback === 'on_demand' ? ['spot', 'on_demand'] : ['spot']
}

/** A machine without accelerators has one slot where its CPUs may be one (origin: aws_config.go). */
function typesOf({ instance_types, cpu_slots_allowed }: AwsConfig | GcpConfig): TypeWithSlots[] {
  const least = cpu_slots_allowed ? 1 : 0
  return instance_types.map(({ type, slots }) => ({ type, slots: Math.max(slots, least) }))
}
