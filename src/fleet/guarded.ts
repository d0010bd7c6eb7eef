// A check before anything is changed, for every provider and source of demand, also those of an embedding program that
// do not ask `mayAct` themselves. Those that do ask it again for each request, later than here.
// Members are named one by one: an embedding program may pass an instance of a class, whose methods a spread does not copy.
import type { DemandSource } from '../demand/index.ts'
import { checkMayAct, type MayAct, notSent } from '../platform/index.ts'
import type { ClusterProvider, LaunchResult, Provider, TerminateResult } from '../providers/index.ts'

/** Launches and terminates nothing while this process may not act, which is a result: nothing is thrown. */
export function guardedProvider(provider: Provider, mayAct: MayAct): Provider {
  const { kind, location, partOf, find, hasTraces } = provider
  return {
    kind,
    ...(location && { location }),
    list: (signal) => provider.list(signal),
    ...(partOf && { partOf: partOf.bind(provider) }),
    ...(find && { find: find.bind(provider) }),
    ...(hasTraces && { hasTraces: hasTraces.bind(provider) }),
    async launch(order, signal) {
      return mayAct() ? provider.launch(order, signal) : notLaunched(order.intent.count)
    },
    async terminate(ids, signal) {
      return mayAct() ? provider.terminate(ids, signal) : notTerminated(ids)
    },
    slotsOf: (type, signal) => provider.slotsOf(type, signal),
    consoleStage: (id, signal) => provider.consoleStage(id, signal),
    close: () => provider.close(),
  }
}

/** The same for all of a cluster at one location; a deletion throws STATE_RIGHT_LOST. */
export function guardedCluster(cluster: ClusterProvider, mayAct: MayAct): ClusterProvider {
  const { deleteUnused } = cluster
  return {
    list: (signal) => cluster.list(signal),
    find: (ids, signal) => cluster.find(ids, signal),
    async terminate(ids, signal) {
      return mayAct() ? cluster.terminate(ids, signal) : notTerminated(ids)
    },
    ...(deleteUnused && {
      async deleteUnused(isUsed: (intentId: string) => boolean, signal?: AbortSignal) {
        checkMayAct(mayAct, 'the deletion of what launches made')
        return deleteUnused.call(cluster, isUsed, signal)
      },
    }),
    close: () => cluster.close(),
  }
}

/** Drains and undrains throw STATE_RIGHT_LOST while this process may not act. */
export function guardedDemand(source: DemandSource, mayAct: MayAct): DemandSource {
  return {
    kind: source.kind,
    read: (pool, signal) => source.read(pool, signal),
    onChange: (listener) => source.onChange(listener),
    async drain(agentId, signal) {
      checkMayAct(mayAct, `the drain of ${agentId}`)
      return source.drain(agentId, signal, mayAct)
    },
    async undrain(agentId, signal) {
      checkMayAct(mayAct, `the undrain of ${agentId}`)
      return source.undrain(agentId, signal, mayAct)
    },
    close: () => source.close(),
  }
}

function notLaunched(missing: number): LaunchResult {
  const failure = { class: 'transient', missing, problem: notSent('the launch'), notSent: true } as const
  return { instances: [], failures: [failure] }
}

function notTerminated(ids: string[]): TerminateResult {
  const problem = notSent('the termination')
  return { terminated: [], failures: ids.map((id) => ({ id, class: 'transient', problem })) }
}
