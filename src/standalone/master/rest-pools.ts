// GET /api/v1/resource-pools in Determined's format (Determined: proto/src/determined/resourcepool/v1/resourcepool.proto).
import { listOf, type PoolConfig, type ProviderConfig } from '../../config/index.ts'
import { infoView, type ResourcePool } from '../../http/index.ts'
import { type AnyProvider, definitionOf, type ResourcePoolFacts } from '../../providers/index.ts'
import type { MasterInfo } from '../protocol/messages.ts'
import { type Agent, hasJoined, takesWork } from './agent.ts'
import { type Placed, priorities } from './allocation.ts'
import { hostOf } from './queue.ts'
import type { QueueStats } from './rest-jobs.ts'
import { failure, ok, page, type Route } from './rest-router.ts'

export interface PoolRoutesOptions {
  pools: PoolConfig[]
  providers: readonly AnyProvider[]
  auxPool: string
  computePool: string
  agents: () => Agent[]
  heldOn: (agentId: string) => Placed[]
  /** Numbers of its waiting and its placed jobs. */
  stats: (pool: string) => QueueStats
  clusterName: string
}

export function poolRoutes(options: PoolRoutesOptions): Route[] {
  return [
    {
      method: 'GET',
      path: '/api/v1/resource-pools',
      answer: ({ query }) => {
        const cut = page(options.pools, query)
        if (!cut.ok) return failure(400, cut.message)
        const resourcePools = cut.items.map((pool) => poolView(pool, options))
        return ok({ resourcePools, pagination: cut.pagination })
      },
    },
  ]
}

const slotTypeNames = { cuda: 'TYPE_CUDA', rocm: 'TYPE_ROCM', cpu: 'TYPE_CPU' } as const

function poolView(
  pool: PoolConfig,
  { providers, agents, auxPool, computePool, heldOn, stats, clusterName }: PoolRoutesOptions,
): ResourcePool & Record<string, unknown> {
  const { pool_name, provider, max_aux_containers_per_agent: auxLimit } = pool
  const facts = provider && definitionOf(providers, provider).resourcePool(provider)
  const members = agents().filter((agent) => agent.pool === pool_name && hasJoined(agent))
  const hosts = members.map((agent) => ({ agent, ...hostOf(agent, heldOn(agent.id), auxLimit) }))
  const used = sum(hosts, (host) => host.slots - host.free.length)
  // A disabled agent counts only with its used slots (Determined: agentrm/agent_state.go).
  const available = sum(hosts, (host) => (takesWork(host.agent) ? host.slots : host.slots - host.free.length))
  return {
    name: pool_name,
    description: pool.description,
    type: facts?.type ?? 'RESOURCE_POOL_TYPE_STATIC',
    numAgents: members.length,
    slotsAvailable: available,
    slotsUsed: used,
    slotType: slotType(members),
    auxContainerCapacity: auxLimit * members.length,
    auxContainersRunning: sum(hosts, (host) => auxLimit - host.freeAux),
    auxContainerCapacityPerAgent: auxLimit,
    defaultComputePool: pool_name === computePool,
    defaultAuxPool: pool_name === auxPool,
    schedulerType: 'SCHEDULER_TYPE_PRIORITY',
    schedulerFittingPolicy: 'FITTING_POLICY_BEST',
    ...providerView(provider, facts),
    details: {
      aws: null,
      gcp: null,
      priorityScheduler: { preemption: false, defaultPriority: priorities.default, k8Priorities: [] },
    },
    accelerator: '',
    stats: stats(pool_name),
    resourceManagerMetadata: {},
    clusterName,
  }
}

/** Fields of a pool with a provider; -1 and empty values for a pool without one. */
function providerView(
  provider: ProviderConfig | undefined,
  facts: ResourcePoolFacts | undefined,
): Record<string, unknown> {
  return {
    minAgents: provider?.min_instances ?? 0,
    maxAgents: provider?.max_instances ?? 0,
    slotsPerAgent: facts?.slotsPerAgent ?? -1,
    preemptible: facts?.preemptible ?? false,
    // Determined's pools have one.
    masterUrl: listOf(provider?.master_url ?? '')[0]!,
    masterCertName: provider?.master_cert_name ?? '',
    // Scripts may contain secrets; Determined masks them, too.
    startupScript: provider?.startup_script ? '********' : '',
    containerStartupScript: provider?.container_startup_script ? '********' : '',
    agentDockerNetwork: provider?.agent_docker_network ?? '',
    agentDockerRuntime: provider?.agent_docker_runtime ?? '',
    agentDockerImage: provider?.agent_docker_image ?? '',
    agentFluentImage: provider?.agent_fluent_image ?? '',
    maxIdleAgentPeriod: (provider?.max_idle_agent_period ?? 0) / 1000,
    maxAgentStartingPeriod: (provider?.max_agent_starting_period ?? 0) / 1000,
    location: facts?.location ?? '',
    imageId: '',
    instanceType: facts?.instanceType ?? '',
  }
}

function slotType(agents: Agent[]): string {
  const type = agents.flatMap((agent) => agent.devices).find((device) => device.type !== '')?.type
  return type ? slotTypeNames[type] : 'TYPE_UNSPECIFIED'
}

function sum<T>(items: T[], of: (item: T) => number): number {
  return items.reduce((total, item) => total + of(item), 0)
}

// Public facts about this master: GET /info as agents and Determined's CLI read it, and GET /api/v1/master.

export function masterInfoRoutes(info: MasterInfo): Route[] {
  return [
    {
      method: 'GET',
      path: '/info',
      answer: () => ok(infoView(info)),
    },
    {
      method: 'GET',
      path: '/api/v1/master',
      answer: () =>
        ok({
          version: info.version,
          masterId: info.master_id,
          clusterId: info.cluster_id,
          clusterName: info.cluster_name,
          telemetryEnabled: info.telemetry.enabled,
          externalLoginUri: '',
          externalLogoutUri: '',
          branding: 'determined',
          rbacEnabled: false,
          strictJobQueueControl: false,
          product: 'PRODUCT_UNSPECIFIED',
          featureSwitches: [],
          userManagementEnabled: false,
          ssoProviders: [],
          hasCustomLogo: false,
        }),
    },
  ]
}
