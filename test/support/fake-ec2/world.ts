// The state of the fake EC2: VMs, stock, and earlier calls.
import type { Params } from './query.ts'

export type Capacity = 'on_demand' | 'spot'

/** A network interface with its addresses; the first of an instance is its primary one. */
export interface FakeInterface {
  privateIps: string[]
  /** Of the first private address. */
  publicIp?: string
  ipv6?: string[]
}

export interface FakeVm {
  id: string
  type: string
  subnet: string
  capacity: Capacity
  launchedAt: number
  tags: Record<string, string>
  /** What the VM reads from its metadata service: bytes before base64. */
  userData: Buffer
  imageId: string
  /** Its launch parameters: those of RunInstances, or of the template. */
  made: Params
  state: 'pending' | 'running' | 'shutting-down' | 'terminated'
  reason?: string
  visible: boolean
  /** Visible only to calls to this region; undefined: to all. */
  region?: string
  /** In no listing, but found by its id. */
  unlisted?: boolean
  protected: boolean
  console: string
  /** Default: one, with a private and a public address of its own. */
  interfaces?: FakeInterface[]
  spotRequestId?: string
  reservationId?: string
}

/** A capacity reservation; of a Capacity Block if `block`. Times are milliseconds since the epoch. */
export interface FakeReservation {
  type: string
  zone: string
  total: number
  block?: boolean
  state?: string
  startsAt?: number
  endsAt?: number
}

export interface SpotRequest {
  id: string
  vm: string
  tags: Record<string, string>
  status: string
  updatedAt: number
}

export interface FakeGroup {
  name: string
  strategy: string
  tags: Record<string, string>
}

export interface FakeTemplate {
  id: string
  name: string
  createdAt: number
  data: Params
  tags: Record<string, string>
}

export interface FakeImage {
  id: string
  name: string
  owner: string
  rootDevice: string
  createdAt: string
  /** x86_64 by default. */
  architecture?: string
}

/** The use of a token: the same request gives the same answer, any other is rejected. */
export interface UsedToken {
  fingerprint: string
  vms: string[]
  answer?: object
}

export function createWorld(now: () => number) {
  let counter = 0
  const world = {
    now,
    vms: new Map<string, FakeVm>(),
    spotRequests: new Map<string, SpotRequest>(),
    reservations: new Map<string, FakeReservation>(),
    templates: new Map<string, FakeTemplate>(),
    tokens: new Map<string, UsedToken>(),
    images: [
      {
        id: 'ami-1',
        name: 'agent-1',
        owner: 'self',
        rootDevice: '/dev/sda1',
        createdAt: '2026-01-01T00:00:00Z',
      },
      {
        id: 'ami-2',
        name: 'agent-2',
        owner: 'self',
        rootDevice: '/dev/xvda',
        createdAt: '2026-02-01T00:00:00Z',
      },
    ] as FakeImage[],
    /** Of the caller and of all resources. */
    account: '123456789012',
    region: '',
    /** SSM parameters. */
    parameters: { '/agent/image': 'ami-2' } as Record<string, string>,
    /** GPUs by instance type. */
    types: {
      'm5.large': {},
      'g5.xlarge': { gpus: 1 },
      'g5.12xlarge': { gpus: 4 },
      'g4dn.12xlarge': { gpus: 4 },
      'g4ad.xlarge': { gpus: 1, manufacturer: 'AMD' },
      'm7g.large': { architectures: ['arm64'] },
    } as Record<
      string,
      { gpus?: number; manufacturer?: string; architectures?: string[]; clusterGroups?: boolean }
    >,
    /** Zone by subnet; a launch without one gets the first. */
    subnets: { 'subnet-a': 'us-west-2a', 'subnet-b': 'us-west-2b' } as Record<string, string>,
    /** Access keys of expired sessions. */
    expiredKeys: new Set<string>(),
    /** Actions that the caller may not do. */
    denied: new Set<string>(),
    keyPairs: ['ops'],
    instanceProfiles: ['arn:aws:iam::123456789012:instance-profile/agent'],
    /** VPC by security group; the subnets are of vpc-1. */
    groups: { 'sg-1': 'vpc-1', 'sg-2': 'vpc-2' } as Record<string, string>,
    /** Security groups that allow all traffic from and to themselves. */
    groupsForEfa: new Set<string>(),
    /** By name; of the whole account. */
    placementGroups: new Map<string, FakeGroup>([
      ['together', { name: 'together', strategy: 'cluster', tags: {} }],
    ]),
    mostPlacementGroups: 500,
    /** Instances that fit into one cluster placement group. */
    roomTogether: Number.POSITIVE_INFINITY,
    /** Free addresses by subnet; default 250. */
    freeAddresses: {} as Record<string, number>,
    /** `type zone` that EC2 does not offer. */
    notOffered: new Set<string>(),
    /** By `spot/g5.xlarge/subnet-a`; unlimited without an entry. */
    stock: new Map<string, number>(),
    /** Price of a spot VM in dollars per hour. */
    spotPrice: 0.4,
    /** Quota of VMs of a kind. */
    quota: {} as Partial<Record<Capacity, number>>,
    /** Code and message with which a fleet rejects each offering of a kind. */
    fleetRefuses: {} as Partial<Record<Capacity, [code: string, message: string]>>,
    /** New VMs appear only in the answer to their launch. */
    hideNewVms: false,
    /** VMs are described with all of EC2's fields. */
    wholeVms: false,
    /** Instance types whose console EC2 shows only late. */
    oldConsole: new Set<string>(),

    id(prefix: string): string {
      counter++
      return `${prefix}-${counter.toString(16).padStart(17, '0')}`
    },
    live(capacity: Capacity): FakeVm[] {
      return [...world.vms.values()].filter((vm) => vm.capacity === capacity && !isGone(vm))
    },
    /** How many VMs of an offering are available. */
    inStock(capacity: Capacity, type: string, subnet: string): number {
      return world.stock.get(`${capacity}/${type}/${subnet}`) ?? Number.POSITIVE_INFINITY
    },
    /** Free instances of a reservation. */
    unreserved(id: string): number {
      const used = [...world.vms.values()].filter((vm) => vm.reservationId === id && !isGone(vm))
      return (world.reservations.get(id)?.total ?? 0) - used.length
    },
    take(capacity: Capacity, type: string, subnet: string, count: number): void {
      const key = `${capacity}/${type}/${subnet}`
      const left = world.stock.get(key)
      if (left !== undefined) world.stock.set(key, left - count)
    },
    /** The VM stops by itself: its script powered it off, or AWS interrupted it. */
    end(id: string, reason = 'Client.InstanceInitiatedShutdown: Instance initiated shutdown'): void {
      const vm = world.vms.get(id)!
      vm.state = 'terminated'
      vm.reason = reason
    },
    /** AWS announces the interruption of a spot VM. */
    interrupt(id: string): void {
      const request = world.spotRequests.get(world.vms.get(id)!.spotRequestId!)!
      request.status = 'marked-for-termination'
      request.updatedAt = now()
    },
    /** A VM that no provisioner launched. */
    foreignVm(tags: Record<string, string> = { Name: 'database' }): string {
      const id = world.id('i')
      world.vms.set(id, {
        id,
        type: 'm5.large',
        subnet: 'subnet-a',
        capacity: 'on_demand',
        launchedAt: now(),
        tags,
        userData: Buffer.alloc(0),
        imageId: 'ami-1',
        made: {},
        state: 'running',
        visible: true,
        protected: false,
        console: '',
      })
      return id
    },
  }
  return world
}

export type World = ReturnType<typeof createWorld>

export function isGone(vm: FakeVm): boolean {
  return vm.state === 'terminated' || vm.state === 'shutting-down'
}
