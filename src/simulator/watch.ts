// Eyes on every call a provisioner makes: the invariants are told of it at the moment it is made.
import type { DemandSource } from '../demand/source.ts'
import type { Demand } from '../planner/demand.ts'
import type { Provider } from '../providers/contract.ts'
import type { LaunchOrder, LaunchResult, Listing } from '../providers/launch.ts'

export interface Watcher {
  onLaunchCall(order: LaunchOrder): void
  onLaunched(order: LaunchOrder, result: LaunchResult): void
  onTerminateCall(ids: readonly string[]): void
  onListed(startedAt: number, listing: Listing): void
  onListCall(): void
  onRead(demand: Demand): void
  onDrainCall(id: string): void
}

export function watchedProvider(provider: Provider, watcher: Watcher, now: () => number): Provider {
  return {
    ...provider,
    async list(signal) {
      const startedAt = now()
      watcher.onListCall()
      const listing = await provider.list(signal)
      watcher.onListed(startedAt, listing)
      return listing
    },
    async launch(order, signal) {
      watcher.onLaunchCall(order)
      const result = await provider.launch(order, signal)
      watcher.onLaunched(order, result)
      return result
    },
    terminate(ids, signal) {
      watcher.onTerminateCall(ids)
      return provider.terminate(ids, signal)
    },
  }
}

export function watchedDemand(demand: DemandSource, watcher: Watcher): DemandSource {
  return {
    ...demand,
    async read(pool, signal) {
      const answer = await demand.read(pool, signal)
      watcher.onRead(answer)
      return answer
    },
    drain(id, signal) {
      watcher.onDrainCall(id)
      return demand.drain(id, signal)
    },
  }
}
