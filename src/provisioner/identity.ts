// The identity: the cluster our instances belong to, and the provisioner that launched them, which has a new name with
// each start.
import { randomBytes, randomUUID } from 'node:crypto'
import { resolve } from 'node:path'
import { clusterIdPattern, type MasterConfig } from '../config/index.ts'
import { type OwnWriters, writersOf } from '../fleet/index.ts'
import { type Problem, ProvisionError, problem } from '../problems/index.ts'
import { type AnyProvider, definitionOf, type Ownership } from '../providers/index.ts'
import type { IdentityPart, StoredIdentity, Trace } from '../state/index.ts'

export interface Identity {
  clusterId: string
  /** Of this state: the same over all starts. */
  provisionerId: string
  /**
   * Of this start: a copy of the state that is started elsewhere gets another one. New instances are tagged with it.
   */
  writerId: string
  /** This one, those of earlier starts, and the one without a start's part, which earlier versions used. */
  ownWriters: OwnWriters
}

/** Shown by a dry run if a first start would generate an id. */
const notYet = 'made-on-first-start'
/** A placeholder for the part that each start generates. */
const exampleIncarnation = '00000000'
/** A process that is restarted every ten seconds for a day must not forget who launched the instances of yesterday. */
const mostIncarnations = 10_000

const writerPattern = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/
const incarnationPattern = /^[0-9a-f]{8}$/

/** With what the store remembers of earlier starts. */
export interface IdentityInput {
  config: MasterConfig
  stored: StoredIdentity
  providers: readonly AnyProvider[]
}

/**
 * The cluster is `cluster_id`, else the stored id, else the id of a master that has one (`learned`), else a new id,
 * which is kept. No id is generated for pools in a cloud, or where one has been lost. Stores this start's
 * part of the writer id. Throws CLUSTER_ID_MISSING, CLUSTER_ID_LOST, STATE_FOREIGN and IDENTITY_UNUSABLE.
 */
export async function ensureIdentity({
  learned,
  ...input
}: IdentityInput & { learned?: string }): Promise<Identity> {
  const { config, stored } = input
  const clusterId = await settled(
    () => knownClusterId(config, stored),
    () => newClusterId(input, learned),
  )
  const id = await settled(
    () => writerIdOf(stored),
    () => newWriterId(stored),
  )
  const other = await otherCluster(input, clusterId, id)
  if (other) throw new ProvisionError(other)
  await incarnationsOf(stored)
  const incarnation = randomBytes(4).toString('hex')
  const incarnations = await stored.addIncarnation(incarnation, mostIncarnations)
  return identityOf(clusterId, id, incarnation, incarnations, stored)
}

/**
 * What is known, else what this start settles. Another host may start for the first time at this moment: whatever speaks
 * against a new id may come from there, and then the id is known by now.
 */
async function settled(
  known: () => Promise<string | undefined>,
  settle: () => Promise<unknown>,
): Promise<string> {
  const before = await known()
  if (before !== undefined) return before
  let refusal: unknown
  await settle().catch((error: unknown) => (refusal = error))
  const now = await known()
  if (now === undefined) throw refusal
  return now
}

async function newClusterId(input: IdentityInput, learned: string | undefined): Promise<void> {
  const found = learned === undefined && (await lostOrMissing(input))
  if (found) throw new ProvisionError(found)
  await input.stored.settle('cluster-id', learned ?? randomUUID())
}

/**
 * As `ensureIdentity`, without writing anything: with examples where a start would generate an id, or could not read
 * one. Without `stored` nothing of earlier starts is known.
 */
export async function peekIdentity(
  config: MasterConfig,
  stored: StoredIdentity | undefined,
): Promise<Identity> {
  const clusterId = await orUndefined(() => knownClusterId(config, stored))
  const writerId = stored && (await orUndefined(() => writerIdOf(stored)))
  const incarnations = (stored && (await orUndefined(() => incarnationsOf(stored)))) ?? []
  if (!stored || writerId === undefined)
    return {
      clusterId: clusterId ?? notYet,
      provisionerId: notYet,
      writerId: notYet,
      ownWriters: new Set(),
    }
  return identityOf(clusterId ?? notYet, writerId, exampleIncarnation, incarnations, stored)
}

/** Its problems come from `identityProblems`. */
async function orUndefined<T>(ask: () => Promise<T>): Promise<T | undefined> {
  try {
    return await ask()
  } catch (error) {
    if (error instanceof ProvisionError) return undefined
    throw error
  }
}

export function ownerOf({ clusterId, writerId }: Identity, pool: string): Ownership {
  return { clusterId, writerId, pool }
}

/** @param own of this start; another host may have started since */
function identityOf(
  clusterId: string,
  id: string,
  own: string,
  incarnations: readonly string[],
  stored: StoredIdentity,
): Identity {
  const writerOf = (incarnation: string) => `${id}-${incarnation}`
  const writers = [id, ...incarnations.map(writerOf), writerOf(own)]
  return { clusterId, provisionerId: id, writerId: writerOf(own), ownWriters: writersOf(id, writers, stored) }
}

/**
 * undefined before the first start of a configuration without `cluster_id`. Throws IDENTITY_UNUSABLE.
 */
export async function knownClusterId(
  config: MasterConfig,
  stored: StoredIdentity | undefined,
): Promise<string | undefined> {
  if (config.cluster_id !== undefined || !stored) return config.cluster_id
  const way = async () => 'write the id from the tags of the instances'
  return recall(stored, 'cluster-id', clusterIdPattern, way)
}

/** The id of this provisioner, the same for all starts; undefined before the first. Throws IDENTITY_UNUSABLE. */
async function writerIdOf(stored: StoredIdentity): Promise<string | undefined> {
  return recall(stored, 'writer-id', writerPattern, () => wayToWriter(stored))
}

/** The journals contain it too: with another id they would count as another provisioner's. */
async function newWriterId(stored: StoredIdentity): Promise<void> {
  const writer = await writerInJournals(stored)
  if (writer !== undefined)
    throw unusable(
      stored.placeOf('writer-id'),
      `is missing, and the journals beside it belong to provisioner ${writer}`,
      await wayToWriter(stored),
    )
  await stored.settle('writer-id', randomUUID())
}

async function wayToWriter(stored: StoredIdentity): Promise<string> {
  const writer = await writerInJournals(stored)
  return writer === undefined ? asForeign : `write it again: ${stored.words.writeAgain('writer-id', writer)}`
}

async function writerInJournals(stored: StoredIdentity): Promise<string | undefined> {
  const writers = (await stored.traces()).map(({ owner }) => owner?.writer)
  return writers.find((writer) => writer !== undefined && writerPattern.test(writer))
}

const asForeign =
  'remove it: instances of earlier starts then count as those of another provisioner until `provision adopt`'

async function incarnationsOf(stored: StoredIdentity): Promise<string[]> {
  const text = await read(stored, 'incarnations', async () => asForeign)
  const lines = text?.trim().split('\n') ?? []
  if (!lines.every((line) => incarnationPattern.test(line)))
    throw damaged(stored.placeOf('incarnations'), asForeign)
  return lines
}

/**
 * Problems of the identity that a configuration would run with. A missing id may be kept on another machine, so it is a
 * warning here; for a start, and for a check of this machine, it is an error.
 */
export async function identityWarnings(input: IdentityInput): Promise<Problem[]> {
  return (await identityProblems(input)).map((found) =>
    found.code === 'CLUSTER_ID_MISSING' ? { ...found, severity: 'warning' } : found,
  )
}

/** Identity problems that would stop a start, as far as they can be found without a master. */
export async function identityProblems(input: IdentityInput): Promise<Problem[]> {
  const { config, stored } = input
  try {
    const writer = await writerIdOf(stored)
    await incarnationsOf(stored)
    const known = await knownClusterId(config, stored)
    const other = known !== undefined && writer !== undefined && (await otherCluster(input, known, writer))
    if (other) return [other]
    if (known !== undefined || config.demand.type === 'determined') return []
    const found = await lostOrMissing(input)
    return found ? [found] : []
  } catch (error) {
    if (error instanceof ProvisionError) return error.problems
    throw error
  }
}

async function lostOrMissing({ config, stored, providers }: IdentityInput): Promise<Problem | undefined> {
  const traces = await stored.traces()
  if (traces.length > 0) return lost(config, stored, traces)
  const inCloud = config.resource_pools.filter(
    ({ provider }) => provider && !definitionOf(providers, provider).onThisMachine,
  )
  return inCloud[0] && missing(config, inCloud[0].pool_name)
}

/**
 * A journal of this provisioner names another cluster: `cluster_id` was changed. Instances of the previous cluster would
 * no longer be listed, whether or not one of the pools still has its name.
 */
async function otherCluster(
  { config: { file }, stored }: IdentityInput,
  clusterId: string,
  writer: string,
): Promise<Problem | undefined> {
  for (const { place, owner } of await stored.traces()) {
    if (owner?.writer !== writer || owner.cluster === clusterId) continue
    return problem(
      'STATE_FOREIGN',
      `${place} belongs to cluster ${owner.cluster}, but this is cluster ${clusterId}: instances of ${owner.cluster} would be orphaned`,
      {
        remedy: `Write the line cluster_id: ${owner.cluster} into ${resolve(file)}. If no instance of that cluster is left, ${stored.words.startEmpty(owner.cluster)}`,
        details: { file: place, found: owner, expected: { cluster: clusterId, writer } },
      },
    )
  }
  return undefined
}

function missing({ file, locate }: MasterConfig, pool: string): Problem {
  const line = `cluster_id: ${randomUUID()}`
  return problem(
    'CLUSTER_ID_MISSING',
    `cluster_id is not set, and without it the instances of pool ${pool} could not be found if state_dir were lost`,
    {
      remedy: `Add this line to ${resolve(file)}: ${line}`,
      where: locate('cluster_id'),
      details: { line },
    },
  )
}

function lost({ file }: MasterConfig, { placeOf, words }: StoredIdentity, traces: readonly Trace[]): Problem {
  const owner = traces.find((trace) => trace.owner)?.owner
  const line = owner
    ? `the line cluster_id: ${owner.cluster}, the id in its journal`
    : 'cluster_id with the id from the tags of the instances'
  const idPlace = placeOf('cluster-id')
  return problem(
    'CLUSTER_ID_LOST',
    `${idPlace} is missing beside ${traces[0]?.place}: a provisioner has used this ${words.noun} with an id that is no longer known`,
    {
      remedy: `Restore ${idPlace}, or add to ${resolve(file)} ${line}. If there are no instances, ${words.removeAll}.`,
    },
  )
}

// Short texts. An unreadable one is never replaced: instances launched under its id would be orphaned.

/** How to repair it; found out only when that is needed. */
type Way = () => Promise<string>

async function recall(
  stored: StoredIdentity,
  part: IdentityPart,
  pattern: RegExp,
  way: Way,
): Promise<string | undefined> {
  const text = (await read(stored, part, way))?.trim()
  if (text === undefined || pattern.test(text)) return text
  throw damaged(stored.placeOf(part), await way())
}

async function read(stored: StoredIdentity, part: IdentityPart, way: Way): Promise<string | undefined> {
  try {
    return await stored.read(part)
  } catch (cause) {
    if (cause instanceof ProvisionError) throw cause
    const why = `cannot be read: ${(cause as Error).message}`
    throw unusable(stored.placeOf(part), why, await way(), cause)
  }
}

function damaged(file: string, way: string): ProvisionError {
  return unusable(file, 'is empty or damaged: it contains no valid id', way)
}

function unusable(file: string, what: string, way: string, cause?: unknown): ProvisionError {
  const remedy = `Restore ${file} from a backup, or ${way}.`
  return new ProvisionError(problem('IDENTITY_UNUSABLE', `${file} ${what}`, { remedy, cause }))
}
