// Calls to a pool's cloud and to its master, timed and counted by outcome.
import type { DemandSource } from '../demand/index.ts'
import type { Clock, Metrics } from '../platform/index.ts'
import type { ClusterProvider, Listing, Provider } from '../providers/index.ts'

export interface Meter {
  pool: string
  metrics: Metrics
  clock: Clock
}

type Outcome = 'done' | 'partial' | 'failed'

export function meteredProvider(provider: Provider, meter: Meter): Provider {
  return {
    ...provider,
    list: (signal) =>
      timed(meter, 'list', provider.list(signal), ({ complete }) => (complete ? 'done' : 'partial')),
    launch: (order, signal) =>
      timed(meter, 'launch', provider.launch(order, signal), ({ instances, failures }) =>
        failures.length === 0 ? 'done' : instances.length > 0 ? 'partial' : 'failed',
      ),
    terminate: (ids, signal) =>
      timed(meter, 'terminate', provider.terminate(ids, signal), ({ terminated, failures }) =>
        failures.length === 0 ? 'done' : terminated.length > 0 ? 'partial' : 'failed',
      ),
    consoleStage: (id, signal) => timed(meter, 'console', provider.consoleStage(id, signal), () => 'done'),
  }
}

/** A listing of a whole cluster is no pool's: its label is empty. */
export function meteredCluster(cluster: ClusterProvider, meter: Omit<Meter, 'pool'>): ClusterProvider {
  const all = { ...meter, pool: '' }
  const outcomeOf = ({ complete }: Listing) => (complete ? 'done' : 'partial')
  return {
    ...cluster,
    list: (signal) => timed(all, 'list', cluster.list(signal), outcomeOf),
    find: (ids, signal) => timed(all, 'find', cluster.find(ids, signal), outcomeOf),
  }
}

export function meteredDemand(demand: DemandSource, meter: Meter): DemandSource {
  // By name: an embedding program may pass an instance of a class, whose methods a spread does not copy.
  return {
    kind: demand.kind,
    onChange: (listener) => demand.onChange(listener),
    close: () => demand.close(),
    read: (pool, signal) => timed(meter, 'demand', demand.read(pool, signal), () => 'done'),
    drain: (id, signal, mayAct) => timed(meter, 'drain', demand.drain(id, signal, mayAct), () => 'done'),
    undrain: (id, signal, mayAct) =>
      timed(meter, 'undrain', demand.undrain(id, signal, mayAct), () => 'done'),
  }
}

async function timed<T>(
  { pool, metrics, clock }: Meter,
  call: string,
  answer: Promise<T>,
  outcomeOf: (answer: T) => Outcome,
): Promise<T> {
  const from = clock.now()
  let outcome: Outcome = 'failed'
  try {
    const value = await answer
    outcome = outcomeOf(value)
    return value
  } finally {
    metrics.observe('call_seconds', (clock.now() - from) / 1000, { pool, call, outcome })
  }
}
