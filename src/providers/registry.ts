// Which module launches VMs of a kind. Each is loaded when a pool needs it, so that no SDK is paid for in vain.
import type { ProviderConfig, ProviderKind } from '../config/master-config.ts'
import type { CapacityType, Offering } from '../planner/instance.ts'
import { buildRequest as aws } from './aws/request.ts'
import type { AwsConfig } from './aws/schema.ts'
import type { LaunchRequest, ProviderModule, RequestInput } from './contract.ts'
import { buildRequest as gcp } from './gcp/request.ts'
import type { GcpConfig } from './gcp/schema.ts'
import { buildRequest as local } from './local/request.ts'

const modules: Record<ProviderKind, () => Promise<ProviderModule>> = {
  aws: () => import('./aws/provider.ts'),
  gcp: () => import('./gcp/provider.ts'),
  local: () => import('./local/provider.ts'),
}

export async function loadProvider(kind: ProviderKind): Promise<ProviderModule> {
  return modules[kind]()
}

// The request a launch would send, from the provider's own builder. No SDK is loaded.

export function launchRequestOf(input: RequestInput<ProviderConfig>): LaunchRequest {
  const { config } = input
  switch (config.type) {
    case 'aws':
      return aws({ ...input, config })
    case 'gcp':
      return gcp({ ...input, config })
    case 'local':
      return local({ ...input, config })
  }
}

// The ways a pool may buy a VM, in the order they are tried.

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
