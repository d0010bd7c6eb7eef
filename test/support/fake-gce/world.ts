// The state of the fake Compute Engine: VMs, operations, stock, and the project's resources.
import type { InstanceProperties } from '../../../src/providers/gcp/base-config.ts'

export type Capacity = 'on_demand' | 'spot'

export interface FakeVm {
  id: string
  name: string
  zone: string
  type: string
  capacity: Capacity
  createdAt: number
  status: string
  stoppedAt?: number
  /** Default: one interface, with an internal and an external address of its own. */
  interfaces?: object[]
  /** Its launch parameters. */
  properties: InstanceProperties
  labels: Record<string, string>
  metadata: Record<string, string>
  visible: boolean
  protected: boolean
  serial: string
}

export interface FakeOperation {
  id: string
  name: string
  type: string
  group?: string
  zone?: string
  region?: string
  target: string
  status: 'RUNNING' | 'DONE'
  insertedAt: number
  errors: { code: string; message: string }[]
  /** How many more times `wait` answers before it is done. */
  waits: number
  perLocation?: Record<string, object>
}

export interface FakeMachineType {
  cpus: number
  gpus?: number
  gpuType?: string
}

export const project = 'my-project'

export function createWorld(now: () => number) {
  let counter = 1000
  const world = {
    now,
    /** By name: names are derived, and in practice of one zone. */
    vms: new Map<string, FakeVm>(),
    operations: new Map<string, FakeOperation>(),
    /** Operation names by request id. */
    requests: new Map<string, string>(),
    regions: {
      'us-central1': ['us-central1-a', 'us-central1-b', 'us-central1-c', 'us-central1-f'],
      'asia-east1': ['asia-east1-a'],
    } as Record<string, string[]>,
    types: {
      'n1-standard-8': { cpus: 8 },
      'e2-standard-8': { cpus: 8 },
      'g2-standard-8': { cpus: 8, gpus: 1, gpuType: 'nvidia-l4' },
      'g2-standard-48': { cpus: 48, gpus: 4, gpuType: 'nvidia-l4' },
      'a2-highgpu-4g': { cpus: 48, gpus: 4, gpuType: 'nvidia-tesla-a100' },
    } as Record<string, FakeMachineType>,
    /** `type zone` that the zone does not have; also `nvidia-tesla-t4 zone`. */
    notOffered: new Set<string>(),
    /** Largest number in one machine, by accelerator type. */
    accelerators: { 'nvidia-tesla-t4': 4, 'nvidia-l4': 8 } as Record<string, number>,
    /** The newest image of each family. */
    families: { agent: 'agent' } as Record<string, string>,
    images: { agent: { diskSizeGb: '50', status: 'READY' } } as Record<
      string,
      { diskSizeGb: string; status: string; deprecated?: { state: string } }
    >,
    networks: { default: ['default'], research: ['agents'] } as Record<string, string[]>,
    quotas: [
      { metric: 'CPUS', limit: 72, usage: 8 },
      { metric: 'NVIDIA_T4_GPUS', limit: 4, usage: 1 },
    ],
    globalQuotas: [{ metric: 'GPUS_ALL_REGIONS', limit: 8, usage: 1 }],
    /** Permissions that the caller lacks. */
    denied: new Set<string>(),
    /** By `spot/g2-standard-8/us-central1-a`; unlimited without an entry. */
    stock: new Map<string, number>(),
    /** Quota of VMs of a kind in the region; above it operations end with QUOTA_EXCEEDED. */
    quota: {} as Partial<Record<Capacity, number>>,
    /** New VMs are in no listing, but found by name. */
    hideNewVms: false,
    /** Zones that do not answer. */
    silent: new Set<string>(),
    /** Instances left in each reservation, by its name. */
    reservations: new Map<string, number>(),
    /** A message with which `returnPartialSuccess` is rejected, as an unknown parameter. */
    noPartialSuccess: '',
    /** Requests that change something, in a minute by the clock; a quota refills when the next one begins. */
    changesPerMinute: Number.POSITIVE_INFINITY,
    /** How many times `wait` answers before a new operation is done. */
    waits: 1,
    /** Operations that never end: `wait` never answers. */
    stuck: false,

    id: () => `${6_000_000_000_000_000_000n + BigInt(counter++)}`,
    live: (capacity: Capacity): FakeVm[] => [...world.vms.values()].filter((vm) => vm.capacity === capacity),
    inStock: (capacity: Capacity, type: string, zone: string): number =>
      world.stock.get(`${capacity}/${type}/${zone}`) ?? Number.POSITIVE_INFINITY,
    take(capacity: Capacity, type: string, zone: string, count: number): void {
      const key = `${capacity}/${type}/${zone}`
      const left = world.stock.get(key)
      if (left !== undefined) world.stock.set(key, left - count)
    },
    /** The VM powers itself off: it stays, stopped, until it is deleted. */
    end(name: string): void {
      const vm = world.vms.get(name)!
      vm.status = 'TERMINATED'
      vm.stoppedAt = now()
    },
    /** Google interrupts a spot VM: it is stopping, and deleted half a minute later. */
    preempt(name: string, status = 'STOPPING'): void {
      const vm = world.vms.get(name)!
      vm.status = status
      world.operation({ type: 'compute.instances.preempted', zone: vm.zone, target: vmPath(vm), waits: 0 })
    },
    operation(what: Pick<FakeOperation, 'type' | 'target'> & Partial<FakeOperation>): FakeOperation {
      const id = world.id()
      const waits = what.waits ?? world.waits
      const status = waits > 0 || world.stuck ? 'RUNNING' : 'DONE'
      const operation: FakeOperation = {
        id,
        name: `operation-${id}`,
        status,
        insertedAt: now(),
        errors: [],
        ...what,
        waits,
      }
      world.operations.set(operation.name, operation)
      return operation
    },
    /** A VM that no provisioner launched. */
    foreignVm(labels: Record<string, string> = { app: 'database' }): string {
      const name = `database-${counter++}`
      world.vms.set(name, {
        id: world.id(),
        name,
        zone: 'us-central1-a',
        type: 'e2-standard-8',
        capacity: 'on_demand',
        createdAt: now(),
        status: 'RUNNING',
        properties: {},
        labels,
        metadata: {},
        visible: true,
        protected: false,
        serial: '',
      })
      return name
    },
  }
  return world
}

export type World = ReturnType<typeof createWorld>

export function vmPath({ zone, name }: Pick<FakeVm, 'zone' | 'name'>): string {
  return `projects/${project}/zones/${zone}/instances/${name}`
}
