// What the pools of one provisioner share at each location: a listing of the cluster, and lookups by id.

import { keyOf, type SharedView } from '../fleet/index.ts'
import type { Metrics } from '../platform/index.ts'
import {
  type AnyProvider,
  type ClusterContext,
  definitionOf,
  type Provider,
  type SharedCluster,
  shareCluster,
} from '../providers/index.ts'
import { meteredCluster } from './metered.ts'

export interface SharedClusters {
  /** The pool's part of its location; undefined for a provider whose pools list by themselves. */
  viewOf(provider: Provider): SharedView | undefined
  close(): Promise<void>
}

export interface SharedClustersDeps extends ClusterContext {
  providers: readonly AnyProvider[]
  random: () => number
  metrics: Metrics
}

export function createSharedClusters({
  providers,
  random,
  metrics,
  ...context
}: SharedClustersDeps): SharedClusters {
  const clusters = new Map<string, SharedCluster>()

  function clusterOf({ kind, location }: Provider): SharedCluster | undefined {
    const { openCluster } = definitionOf(providers, { type: kind })
    if (!openCluster || !location) return undefined
    const key = keyOf({ provider: kind, location })
    const known = clusters.get(key)
    if (known) return known
    const { clock } = context
    const open = async () => meteredCluster(await openCluster(location, context), { metrics, clock })
    const cluster = shareCluster(open, { clock, random })
    clusters.set(key, cluster)
    return cluster
  }

  return {
    viewOf(provider) {
      const cluster = provider.partOf && clusterOf(provider)
      if (!cluster) return undefined
      return {
        async list(notBefore) {
          const all = await cluster.list(notBefore)
          return { ...all, ...provider.partOf!(all) }
        },
        async find(ids) {
          const found = await cluster.find(ids)
          // It contains the ids that several pools asked for, and is no complete listing of any.
          return { ...found, ...provider.partOf!({ ...found, complete: false }) }
        },
      }
    },
    async close() {
      await Promise.all([...clusters.values()].map((cluster) => cluster.close().catch(() => {})))
    },
  }
}
