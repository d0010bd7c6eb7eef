// Who may join: the agents' CA of a running provisioner, the endpoint at which instances get their certificates, and who is
// admitted with one. Only where a pool requires join proofs.
import { join } from 'node:path'
import type { MasterConfig } from '../config/index.ts'
import type { Elsewhere } from '../http/index.ts'
import {
  type CurrentCa,
  caFilesOf,
  ensureCa,
  instanceIn,
  type JoinPool,
  joinService,
  type LaunchedInstance,
  openAgentsCa,
  writeBundle,
} from '../join/index.ts'
import {
  type Clock,
  fileNameOf,
  type Handler,
  type Logger,
  type Metrics,
  wallTime,
} from '../platform/index.ts'
import type { Problem } from '../problems/index.ts'
import { type AnyProvider, definitionOf } from '../providers/index.ts'
import type { Admission, JoinProofRules } from '../standalone/index.ts'
import type { JoinStore } from '../state/index.ts'
import { probeCertificate } from './join-probe.ts'
import type { PoolPlans } from './plans.ts'
import type { RunningPools } from './pools.ts'
import type { JoinProbe } from './preflight-gate.ts'
import { isProvided } from './prepare.ts'

export interface JoinsOptions {
  config: MasterConfig
  store: JoinStore
  plans: PoolPlans
  running: Pick<RunningPools, 'launched' | 'mayJoin'>
  /** What other provisioners of the cluster lead. */
  elsewhere: () => Elsewhere
  providers: readonly AnyProvider[]
  env: Readonly<Record<string, string | undefined>>
  clock: Clock
  logger: Logger
  metrics: Metrics
}

export interface Joins extends JoinProbe {
  /** To be asked before what wants a token. */
  handler: Handler
  /** PEM of all certificates of the CA that are handed out now. */
  agentsCa(): string
  /** Calls back with that PEM after each change. */
  onChange(use: (pem: string) => Problem | undefined): void
  /** Of our own master. */
  rules: JoinProofRules
  /** The instances are gone. */
  forget(ids: readonly string[]): void
  close(): void
}

/** Milliseconds between two looks at the CA and the bindings, which other processes change. */
const readEvery = 5_000
/** Milliseconds for which what other provisioners have published about instances is used again. */
const elsewhereFor = 2_000

/** Creates the CA if there is none. Throws a ProvisionError: AGENTS_CA_UNUSABLE, or why the state cannot be read. */
export async function openJoins(options: JoinsOptions): Promise<Joins> {
  const { config, store, running, clock, logger, metrics } = options
  const files = caFilesOf(config)
  if ((await ensureCa(store, wallTime(clock), files !== undefined)) === 'created')
    logger.info("the agents' CA was created")
  const ca = openAgentsCa(store, files)
  let current = await ca.current()
  const file = writeBundle(config.state_dir, current.bundle)
  logger.info("instances prove what they are; the agents' CA for a master's client_ca", { file })
  const required = new Set(
    config.resource_pools
      .filter(isProvided)
      .flatMap(({ pool_name, provider }) => (provider.join.proof === 'required' ? [pool_name] : [])),
  )
  const listeners: ((pem: string) => Problem | undefined)[] = []
  const stopping = new AbortController()
  const keys = createBoundKeys(store, clock)
  const service = joinService({
    ca,
    store,
    poolOf: poolsOf(options),
    lookup: lookupOf(options),
    lifetime: config.agents_ca.lifetime,
    clock,
    logger,
    onOutcome({ outcome, code = '', id }) {
      metrics.count('joins', { outcome, code })
      if (id !== undefined && (outcome === 'issued' || outcome === 'renewed')) keys.invalidate(id)
    },
  })

  function take(next: CurrentCa): void {
    if (next.version === current.version) return
    current = next
    writeBundle(config.state_dir, next.bundle)
    for (const use of listeners) {
      const problem = use(next.bundle)
      if (problem) logger.error(problem.message, { code: problem.code })
    }
    logger.info("the agents' CA has changed", { file })
  }

  async function keepReading(): Promise<void> {
    while (!stopping.signal.aborted) {
      await clock.sleep(readEvery, stopping.signal).catch(() => {})
      if (stopping.signal.aborted) return
      try {
        take(await ca.current())
        await keys.read()
      } catch (error) {
        logger.warn("the agents' CA cannot be read; the one read last stays in force", { error })
      }
    }
  }
  void keepReading()

  return {
    handler: service.handler,
    agentsCa: () => current.bundle,
    onChange: (use) => void listeners.push(use),
    rules: {
      isRequired: (pool) => required.has(pool),
      mayJoin(id, pool, certificate) {
        const shown = instanceIn(certificate, current, wallTime(clock))
        if (shown?.id !== id) return 'no'
        const admission = running.mayJoin(pool, id)
        return admission === 'yes' ? keys.admission(id, shown.key) : admission
      },
    },
    probe: probeCertificate(ca, clock),
    forget(ids) {
      void store.removeBindings(ids).catch((error: unknown) => {
        logger.warn('bindings of terminated instances could not be removed', { error })
      })
    },
    close: () => stopping.abort(),
  }
}

/** The pools that require a proof, as they are planned now, with verifiers that remember what they have asked. */
function poolsOf({ config, plans, providers, env, clock, logger }: JoinsOptions) {
  const made = new Map<string, { provider: object; pool: JoinPool }>()
  return (name: string): JoinPool | undefined => {
    if (!plans.names.includes(name)) return undefined
    const { setup, pool } = plans.get(name)
    if (!setup.join) return undefined
    const { provider } = pool
    const known = made.get(name)
    if (known?.provider === provider && known.pool.url === setup.join.url) return known.pool
    const verifiers =
      definitionOf(providers, provider).joinProofs?.(provider, {
        owner: plans.ownerOf(name),
        stateDir: join(config.state_dir, provider.type, fileNameOf(name)),
        env,
        clock,
        logger,
      }) ?? []
    const fresh = { url: setup.join.url, verifiers }
    made.set(name, { provider, pool: fresh })
    return fresh
  }
}

/** An instance of a pool that is led here, or that another provisioner has published. */
function lookupOf({ running, elsewhere, clock }: JoinsOptions) {
  let published: { at: number; instances: Promise<Map<string, LaunchedInstance>> } | undefined
  async function readElsewhere(): Promise<Map<string, LaunchedInstance>> {
    const found = new Map<string, LaunchedInstance>()
    for (const { instances } of (await elsewhere().pools()).pools)
      for (const { id, pool, zone, launchedAt, state, doing } of instances) {
        const isAlive = (state === 'starting' || state === 'running') && doing !== 'ending'
        found.set(id, { id, pool, ...(zone && { zone }), addresses: [], launchedAt, isAlive })
      }
    return found
  }
  return async (id: string): Promise<LaunchedInstance | undefined> => {
    const here = running.launched(id)
    if (here) return here
    if (!published || clock.now() - published.at > elsewhereFor)
      published = { at: clock.now(), instances: readElsewhere() }
    return (await published.instances).get(id)
  }
}

interface BoundKeys {
  read(): Promise<void>
  /** The binding of this instance has changed. */
  invalidate(id: string): void
  admission(id: string, key: string): Admission
}

/** The keys that are bound, as read last: the master cannot wait for the store when an agent dials. */
function createBoundKeys(store: JoinStore, clock: Clock): BoundKeys {
  let known = new Map<string, string>()
  let startedAt = Number.NEGATIVE_INFINITY
  let reading: Promise<void> | undefined

  function read(): Promise<void> {
    reading ??= readNow().finally(() => {
      reading = undefined
    })
    return reading
  }

  async function readNow(): Promise<void> {
    const from = clock.now()
    const bindings = await store.bindings()
    known = new Map(bindings.map(({ instance, key }) => [instance, key]))
    startedAt = from
  }

  return {
    read,
    invalidate: (id) => void known.delete(id),
    admission(id, key) {
      if (known.get(id) === key) return 'yes'
      // What was read a moment ago is the truth; anything older may lack this key.
      if (clock.now() - startedAt < 1000) return known.has(id) ? 'no' : 'yes'
      void read().catch(() => {})
      return 'later'
    },
  }
}
