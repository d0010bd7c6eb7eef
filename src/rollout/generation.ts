// The generation of an instance: what it was made from, as one digest for each key of the configuration.

import { createHash } from 'node:crypto'
import {
  type AgentSetup,
  joinEndpointsOf,
  mastersOf,
  type ProvidedPool,
  type UserTemplate,
} from '../agent-setup/index.ts'
import { rootsOf } from '../pki/index.ts'
import { canonicalAddress } from '../platform/index.ts'
import { type AnyProvider, type ChosenBy, definitionOf } from '../providers/index.ts'

/**
 * Raised whenever the digests of an unchanged configuration become others: by a new default, a new key with a value, another
 * way to compute them. Then a start converts what the journal has (`restamped`), and nothing drifts because of the upgrade.
 */
export const generationVersion = 1

export interface Generation {
  /** Of everything below: the same for instances that are made from the same. */
  id: string
  /** The `generationVersion` that computed it: digests of different versions are not comparable. */
  version: number
  /** A digest by key; `KEY@CAPACITY` concerns only instances of that capacity type. A key that is not set has none. */
  keys: Readonly<Record<string, string>>
}

/** What a pool launches now. */
export interface LaunchedNow {
  generation: Generation
  /** What is compared with the pool's offerings and not by digest: one of several may be chosen at each launch. */
  chosenBy: ChosenBy
  /** The image that a launch uses now, where a newer one makes instances drifted and it is known. */
  newestImage?: string | undefined
}

export interface LaunchedNowInput {
  pool: ProvidedPool
  setup: AgentSetup
  /** `agent_setup_template`. */
  template?: UserTemplate | undefined
  providers: readonly AnyProvider[]
}

/**
 * Computed from what requests and user data are made of, and not from their bytes: another text of the built-in template is no
 * difference, nor is a renewed certificate below the same root. Pure.
 */
export function launchedNow({ pool, setup, template, providers }: LaunchedNowInput): LaunchedNow {
  const { keys, ofCapacity = {}, chosenBy = {} } = madeFrom(pool.provider, providers)
  const digests = new Map<string, string>()
  const add = (values: Readonly<Record<string, unknown>>, suffix = '') => {
    for (const [key, value] of Object.entries(values))
      if (value !== undefined) digests.set(`${key}${suffix}`, digestOf(value))
  }
  add(keys)
  for (const [capacity, values] of Object.entries(ofCapacity)) add(values, `@${capacity}`)
  add(agentKeys(pool, setup, template))
  return { generation: generationOf(digests), chosenBy }
}

/** Without `madeFrom`, every key of its own counts that does not locate the pool. */
function madeFrom(provider: ProvidedPool['provider'], providers: readonly AnyProvider[]) {
  const definition = definitionOf(providers, provider)
  if (definition.madeFrom) return definition.madeFrom(provider)
  const values = new Map(Object.entries(provider))
  const counted = definition.ownKeys.filter((key) => !definition.identityKeys.includes(key))
  return { keys: Object.fromEntries(counted.map((key) => [key, values.get(key)])) }
}

/** What the user data of every cloud is made of. */
function agentKeys(
  { provider }: ProvidedPool,
  setup: AgentSetup,
  template: UserTemplate | undefined,
): Record<string, unknown> {
  const { trust, join, runtime, docker, slotType } = setup
  const isDocker = runtime === 'docker'
  const roots = new Set([...rootsOf(trust), ...(join?.roots ?? [])])
  return {
    // In the order in which agents dial.
    master_url: mastersOf(setup).map(({ scheme, host, port, alias }) => [
      scheme,
      canonicalAddress(host) ?? host,
      port,
      alias,
    ]),
    master_cert_name: trust.certificateName,
    tls: trust.mode,
    TLS_ROOT: roots.size > 0 ? [...roots].sort() : undefined,
    startup_script: [setup.startupScript, template?.text],
    container_startup_script: setup.containerStartupScript,
    agent_runtime: runtime,
    agent_docker_image: isDocker ? docker.image : undefined,
    agent_docker_network: isDocker ? docker.network : undefined,
    agent_docker_runtime: isDocker ? docker.runtime : undefined,
    agent_reconnect_attempts: setup.reconnectAttempts,
    agent_reconnect_backoff: setup.reconnectBackoffSeconds,
    agent_config_file_contents: provider.agent_config_file_contents,
    slot_type: slotType,
    // Without the certificates that are served there: they are renewed.
    join: join && [joinEndpointsOf(join).map(({ url, name }) => [url, name]), join.proofs, join.renewSeconds],
  }
}

function generationOf(digests: ReadonlyMap<string, string>, version = generationVersion): Generation {
  const sorted = [...digests].sort(([a], [b]) => (a < b ? -1 : 1))
  return { id: digestOf([version, sorted]), version, keys: Object.fromEntries(sorted) }
}

/** 80 bits, as hex. The order of the keys of a mapping makes no difference. */
function digestOf(value: unknown): string {
  return createHash('sha256').update(JSON.stringify(value, inOrder)).digest('hex').slice(0, 20)
}

function inOrder(_key: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
}

/**
 * What an instance was made from, in the version of `present`. `current` is what its pool launched when `held` was last compared,
 * by the same version as `held`: keys that were equal to it then are equal to those of `present` now, and keys that
 * differed still do. A configuration that was changed together with the version cannot be distinguished from a change of the
 * version. undefined: without `current` nothing is known.
 */
export function restamped(
  held: Generation,
  current: Generation | undefined,
  present: Generation,
): Generation | undefined {
  if (held.version === present.version) return held
  if (current?.version !== held.version) return undefined
  const digests = new Map(Object.entries(present.keys))
  for (const key of new Set([...Object.keys(held.keys), ...Object.keys(current.keys)])) {
    const digest = held.keys[key]
    if (digest === current.keys[key]) continue
    if (digest === undefined) digests.delete(key)
    else digests.set(key, digest)
  }
  return generationOf(digests, present.version)
}
