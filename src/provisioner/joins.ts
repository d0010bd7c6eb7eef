// Who may join: the agents' CA of a running provisioner, the endpoint at which instances get their certificates, and who is
// admitted with one. Only where a pool requires join proofs.
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { joinEndpointsOf } from '../agent-setup/index.ts'
import { type MasterConfig, requiresProof } from '../config/index.ts'
import type { Elsewhere } from '../http/index.ts'
import {
  type AgentsCa,
  type CurrentCa,
  caFilesOf,
  createLeftovers,
  ensureCa,
  instanceIn,
  type JoinPool,
  joinHandler,
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
import { type Problem, ProvisionError, problem } from '../problems/index.ts'
import { type AnyProvider, definitionOf } from '../providers/index.ts'
import type { Admission, JoinProofRules } from '../standalone/index.ts'
import type { Binding, JoinStore } from '../state/index.ts'
import { probeCertificate } from './join-probe.ts'
import type { PoolPlans } from './plans.ts'
import type { RunningPools } from './pools.ts'
import type { JoinProbe } from './preflight-gate.ts'
import { isProvided } from './prepare.ts'

export interface JoinsOptions {
  config: MasterConfig
  store: JoinStore
  plans: PoolPlans
  running: Pick<RunningPools, 'launched' | 'isRunning' | 'mayJoin' | 'unlistedAt'>
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
  /** Loads what the proofs of the pools need, so that the first join holds the event loop no longer than others. Never rejects. */
  prepare(): Promise<void>
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
  const files = caFilesOf(config, options.env)
  if ((await ensureCa(store, wallTime(clock), files !== undefined)) === 'created')
    logger.info("the agents' CA was created")
  const stored = openAgentsCa(store, files)
  let current = await stored.current()
  // An instance may dial a moment after the endpoint has issued to it: from a CA that the listeners must know by then.
  const ca: AgentsCa = {
    async current() {
      const next = await stored.current()
      take(next)
      return next
    },
  }
  const file = writeBundle(config.state_dir, current.bundle)
  logger.info("instances prove what they are; the agents' CA for a master's client_ca", { file })
  const provided = config.resource_pools.filter(isProvided)
  const places = new Set(provided.map(({ pool_name }) => pool_name))
  const required = new Set(
    provided.filter(({ provider }) => requiresProof(provider)).map(({ pool_name }) => pool_name),
  )
  const listeners: ((pem: string) => Problem | undefined)[] = []
  const stopping = new AbortController()
  const keys = createBoundKeys(store, clock)
  const poolOf = poolsOf(options)
  const { lifetime } = config.agents_ca
  const dropLeftovers = createLeftovers({
    ...{ store, lifetime, clock, logger, unlistedAt: running.unlistedAt },
    isConfigured: (pool) => places.has(pool),
  })
  const handler = joinHandler({
    ca,
    store,
    poolOf,
    lookup: lookupOf(options, required),
    lifetime,
    clock,
    logger,
    onOutcome({ outcome, code = '', id, key }) {
      metrics.count('joins', { outcome, code })
      if (id !== undefined && key !== undefined) keys.bound(id, key)
    },
  })

  function take(next: CurrentCa): void {
    if (next.version === current.version) return
    current = next
    for (const use of listeners) {
      const problem = use(next.bundle)
      if (problem) logger.error(problem.message, { code: problem.code })
    }
    logger.info("the agents' CA has changed", { file })
    try {
      writeBundle(config.state_dir, next.bundle)
    } catch (error) {
      logger.error("the file of the agents' CA is not the one in force", { file, error })
    }
  }

  async function keepReading(): Promise<void> {
    while (!stopping.signal.aborted) {
      await clock.sleep(readEvery, stopping.signal).catch(() => {})
      if (stopping.signal.aborted) return
      try {
        await ca.current()
        await dropLeftovers(await keys.read())
      } catch (error) {
        logger.warn("the agents' CA or the keys of instances cannot be read; those read last stay in force", {
          error,
        })
      }
    }
  }
  void keepReading()

  return {
    handler,
    agentsCa: () => current.bundle,
    onChange: (use) => void listeners.push(use),
    rules: {
      isRequired: (pool) => required.has(pool),
      mayJoin(id, pool, certificate) {
        const shown = instanceIn(certificate, current, wallTime(clock))
        if (shown?.id !== id) return 'no'
        // An instance is in the pool that it was launched into, and in no other.
        const launched = running.launched(id)
        if (!places.has(pool) || (launched && launched.pool !== pool)) return 'no'
        const admission = running.mayJoin(pool, id)
        return admission === 'yes' ? keys.admission(id, shown.key) : admission
      },
    },
    probe: probeCertificate(ca.current, clock),
    async prepare() {
      const all = [...required].flatMap((pool) => poolOf(pool)?.verifiers ?? [])
      for (const verifier of all) {
        await setImmediate()
        try {
          await verifier.prepare?.()
        } catch (error) {
          logger.warn('what verifies join proofs could not be loaded', { kind: verifier.kind, error })
        }
      }
    },
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
  const made = new Map<string, { provider: object; urls: string; pool: JoinPool }>()
  return (name: string): JoinPool | undefined => {
    if (!plans.names.includes(name)) return undefined
    const { setup, pool } = plans.get(name)
    if (!setup.join) return undefined
    const { provider } = pool
    const known = made.get(name)
    const [url = '', ...otherUrls] = joinEndpointsOf(setup.join).map((endpoint) => endpoint.url)
    const urls = [url, ...otherUrls].join(' ')
    if (known?.provider === provider && known.urls === urls) return known.pool
    const verifiers =
      definitionOf(providers, provider).joinProofs?.(provider, {
        owner: plans.ownerOf(name),
        stateDir: join(config.state_dir, provider.type, fileNameOf(name)),
        env,
        clock,
        logger,
      }) ?? []
    const fresh = { url, ...(otherUrls.length > 0 && { otherUrls }), verifiers }
    made.set(name, { provider, urls, pool: fresh })
    return fresh
  }
}

interface Published {
  instances: ReadonlyMap<string, LaunchedInstance>
  /** Those whose instances could be read. */
  pools: ReadonlySet<string>
}

/** An instance of a pool that is led here, or that another provisioner has published. Rejects while there may be others. */
function lookupOf({ running, elsewhere, clock }: JoinsOptions, required: ReadonlySet<string>) {
  let published: { at: number; found: Promise<Published> } | undefined
  async function readElsewhere(): Promise<Published> {
    const instances = new Map<string, LaunchedInstance>()
    const { pools } = await elsewhere().pools()
    for (const { id, pool, zone, launchedAt, state, doing } of pools.flatMap((one) => one.instances)) {
      const isAlive = (state === 'starting' || state === 'running') && doing !== 'ending'
      instances.set(id, { id, pool, ...(zone && { zone }), addresses: [], launchedAt, isAlive })
    }
    return { instances, pools: new Set(pools.map(({ details }) => details.pool)) }
  }
  return async (id: string): Promise<LaunchedInstance | undefined> => {
    const here = running.launched(id)
    if (here) return here
    if (!published || clock.now() - published.at > elsewhereFor)
      published = { at: clock.now(), found: readElsewhere() }
    const { instances, pools } = await published.found
    const there = instances.get(id)
    const unread = [...required].filter((pool) => !running.isRunning(pool) && !pools.has(pool))
    if (there || unread.length === 0) return there
    throw new ProvisionError(
      problem('JOIN_UNAVAILABLE', `the instances of ${unread.join(', ')} are not known now`),
    )
  }
}

interface BoundKeys {
  read(): Promise<readonly Binding[]>
  /** The instance has got a certificate for this key. */
  bound(id: string, key: string): void
  admission(id: string, key: string): Admission
}

/** The keys that are bound, as read last: the master cannot wait for the store when an agent dials. */
function createBoundKeys(store: JoinStore, clock: Clock): BoundKeys {
  let known = new Map<string, string>()
  /** Instances to which another key was bound here than the reading in force has, or may have: the numbers of those changes. */
  const changed = new Map<string, number>()
  let changes = 0
  let startedAt = Number.NEGATIVE_INFINITY
  let reading: Promise<readonly Binding[]> | undefined

  function read(): Promise<readonly Binding[]> {
    reading ??= readNow().finally(() => {
      reading = undefined
    })
    return reading
  }

  async function readNow(): Promise<readonly Binding[]> {
    const [from, included] = [clock.now(), changes]
    const bindings = await store.bindings()
    known = new Map(bindings.map(({ instance, key }) => [instance, key]))
    for (const [id, change] of changed)
      if (change <= included) changed.delete(id)
      else known.delete(id)
    startedAt = from
    return bindings
  }

  return {
    read,
    bound(id, key) {
      if (known.get(id) === key) return
      known.delete(id)
      changed.set(id, ++changes)
    },
    admission(id, key) {
      if (known.get(id) === key) return 'yes'
      // What was read a moment ago is the truth; anything older may lack this key.
      if (!changed.has(id) && clock.now() - startedAt < 1000) return known.has(id) ? 'no' : 'yes'
      void read().catch(() => {})
      return 'later'
    },
  }
}
