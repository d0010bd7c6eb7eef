// The identity: the cluster our instances belong to, and the provisioner that launched them, which has a new name with
// each start.
import { randomBytes, randomUUID } from 'node:crypto'
import { existsSync, readdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { clusterIdPattern, type MasterConfig } from '../config/index.ts'
import { journalOwnerOf, readPlainFile, syncFolderOf, writeFileAtomic } from '../platform/index.ts'
import { type Problem, ProvisionError, problem } from '../problems/index.ts'
import { type AnyProvider, definitionOf, type Ownership } from '../providers/index.ts'

export interface Identity {
  clusterId: string
  /** Of this state folder: the same over all starts. */
  provisionerId: string
  /**
   * Of this start: a copy of `state_dir` that is started elsewhere gets another one. New instances are tagged with it.
   */
  writerId: string
  /** This one, those of earlier starts, and the one without a start's part, which earlier versions used. */
  ownWriters: ReadonlySet<string>
}

/** Shown by a dry run if a first start would generate an id. */
const notYet = 'made-on-first-start'
/** A placeholder for the part that each start generates. */
const exampleIncarnation = '00000000'
/** A process that is restarted every ten seconds for a day must not forget who launched the instances of yesterday. */
const mostIncarnations = 10_000

const writerPattern = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/
const incarnationPattern = /^[0-9a-f]{8}$/

/**
 * The cluster is `cluster_id`, else the id in `state_dir`, else the id of a master that has one (`learned`), else a new id,
 * which is kept. No id is generated for pools in a cloud, or where one has been lost. Writes this start's
 * part of the writer id to the disk. Throws CLUSTER_ID_MISSING, CLUSTER_ID_LOST, STATE_FOREIGN and IDENTITY_UNUSABLE.
 */
export function ensureIdentity(
  config: MasterConfig,
  { providers, learned }: { providers: readonly AnyProvider[]; learned?: string },
): Identity {
  const known = knownClusterId(config)
  if (known === undefined && learned === undefined) {
    const found = lostOrMissing(config, providers)
    if (found) throw new ProvisionError(found)
  }
  const clusterId = known ?? remember(config, 'cluster-id', learned ?? randomUUID())
  const id = writerIdOf(config) ?? remember(config, 'writer-id', newWriterId(config))
  const other = otherCluster(config, clusterId, id)
  if (other) throw new ProvisionError(other)
  const incarnation = randomBytes(4).toString('hex')
  const incarnations = [...incarnationsOf(config), incarnation].slice(-mostIncarnations)
  remember(config, 'incarnations', incarnations.join('\n'))
  return identityOf(clusterId, id, incarnations)
}

/**
 * As `ensureIdentity`, without writing anything: with examples where a start would generate an id, or could not read
 * one.
 */
export function peekIdentity(config: MasterConfig): Identity {
  const [clusterId, writerId] = [knownClusterId, writerIdOf].map((ask) => orUndefined(() => ask(config)))
  const incarnations = orUndefined(() => incarnationsOf(config)) ?? []
  if (writerId === undefined)
    return {
      clusterId: clusterId ?? notYet,
      provisionerId: notYet,
      writerId: notYet,
      ownWriters: new Set(),
    }
  return identityOf(clusterId ?? notYet, writerId, [...incarnations, exampleIncarnation])
}

/** Its problems come from `identityProblems`. */
function orUndefined<T>(ask: () => T): T | undefined {
  try {
    return ask()
  } catch (error) {
    if (error instanceof ProvisionError) return undefined
    throw error
  }
}

export function ownerOf({ clusterId, writerId }: Identity, pool: string): Ownership {
  return { clusterId, writerId, pool }
}

function identityOf(clusterId: string, id: string, incarnations: string[]): Identity {
  const writers = incarnations.map((incarnation) => `${id}-${incarnation}`)
  return { clusterId, provisionerId: id, writerId: writers.at(-1)!, ownWriters: new Set([id, ...writers]) }
}

/** `state_dir` has something of an earlier start: an identity file, or a journal. */
export function hasEarlierLife({ state_dir }: MasterConfig): boolean {
  return ['writer-id', 'cluster-id', 'fleet', 'incarnations'].some((name) =>
    existsSync(join(state_dir, name)),
  )
}

/** undefined before the first start of a configuration without `cluster_id`. Throws IDENTITY_UNUSABLE. */
export function knownClusterId(config: MasterConfig): string | undefined {
  return (
    config.cluster_id ??
    recall(config, 'cluster-id', clusterIdPattern, 'write the id from the tags of the instances')
  )
}

/** The id of this state folder, the same for all starts; undefined before the first. Throws IDENTITY_UNUSABLE. */
export function writerIdOf(config: MasterConfig): string | undefined {
  return recall(config, 'writer-id', writerPattern, wayToWriter(config))
}

/** The journals contain it too: with another id they would count as another provisioner's. */
function newWriterId(config: MasterConfig): string {
  const file = join(config.state_dir, 'writer-id')
  const writer = writerInJournals(config)
  if (writer !== undefined)
    throw unusable(
      file,
      `is missing, and the journals beside it belong to provisioner ${writer}`,
      wayToWriter(config),
    )
  return randomUUID()
}

function wayToWriter(config: MasterConfig): string {
  const writer = writerInJournals(config)
  return writer === undefined
    ? asForeign
    : `write it again: echo ${writer} > ${join(config.state_dir, 'writer-id')}`
}

function writerInJournals(config: MasterConfig): string | undefined {
  const writers = tracesOf(config).map((file) => journalOwnerOf(file)?.writer)
  return writers.find((writer) => writer !== undefined && writerPattern.test(writer))
}

const asForeign =
  'remove it: instances of earlier starts then count as those of another provisioner until `provision adopt`'

function incarnationsOf(config: MasterConfig): string[] {
  const file = join(config.state_dir, 'incarnations')
  const lines = read(file, asForeign)?.trim().split('\n') ?? []
  if (!lines.every((line) => incarnationPattern.test(line))) throw damaged(file, asForeign)
  return lines
}

/**
 * Problems of the identity that a configuration would run with. A missing id may be kept on another machine, so it is a
 * warning here; for a start, and for a check of this machine, it is an error.
 */
export function identityWarnings(config: MasterConfig, providers: readonly AnyProvider[]): Problem[] {
  return identityProblems(config, providers).map((found) =>
    found.code === 'CLUSTER_ID_MISSING' ? { ...found, severity: 'warning' } : found,
  )
}

/** Identity problems that would stop a start, as far as they can be found without a master. */
export function identityProblems(config: MasterConfig, providers: readonly AnyProvider[]): Problem[] {
  try {
    const writer = writerIdOf(config)
    incarnationsOf(config)
    const known = knownClusterId(config)
    const other = known !== undefined && writer !== undefined && otherCluster(config, known, writer)
    if (other) return [other]
    if (known !== undefined || config.demand.type === 'determined') return []
    const found = lostOrMissing(config, providers)
    return found ? [found] : []
  } catch (error) {
    if (error instanceof ProvisionError) return error.problems
    throw error
  }
}

function lostOrMissing(config: MasterConfig, providers: readonly AnyProvider[]): Problem | undefined {
  const traces = tracesOf(config)
  if (traces.length > 0) return lost(config, traces)
  const inCloud = config.resource_pools.filter(
    ({ provider }) => provider && !definitionOf(providers, provider).onThisMachine,
  )
  return inCloud[0] && missing(config, inCloud[0].pool_name)
}

/**
 * A journal of this provisioner names another cluster: `cluster_id` was changed. Instances of the previous cluster would
 * no longer be listed, whether or not one of the pools still has its name.
 */
function otherCluster(config: MasterConfig, clusterId: string, writer: string): Problem | undefined {
  for (const trace of tracesOf(config)) {
    const owner = journalOwnerOf(trace)
    if (owner?.writer !== writer || owner.cluster === clusterId) continue
    const { file, state_dir } = config
    return problem(
      'STATE_FOREIGN',
      `${trace} belongs to cluster ${owner.cluster}, but this is cluster ${clusterId}: instances of ${owner.cluster} would be orphaned`,
      {
        remedy: `Write the line cluster_id: ${owner.cluster} into ${resolve(file)}. If no instance of that cluster is left, start with an empty folder: mv ${state_dir} ${state_dir}.${owner.cluster}`,
        details: { file: trace, found: owner, expected: { cluster: clusterId, writer } },
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

function lost({ file, state_dir }: MasterConfig, traces: string[]): Problem {
  const [trace] = traces
  const [owner] = traces.flatMap((path) => journalOwnerOf(path) ?? [])
  const line = owner
    ? `the line cluster_id: ${owner.cluster}, the id in its journal`
    : 'cluster_id with the id from the tags of the instances'
  const idFile = join(state_dir, 'cluster-id')
  return problem(
    'CLUSTER_ID_LOST',
    `${idFile} is missing beside ${trace}: a provisioner has used this state_dir with an id that is no longer known`,
    {
      remedy: `Restore ${idFile}, or add to ${resolve(file)} ${line}. If there are no instances, remove ${state_dir}.`,
    },
  )
}

/** Files that only a start writes, after it has determined its cluster. */
function tracesOf({ state_dir }: MasterConfig): string[] {
  const files = ['writer-id', 'incarnations', 'master.journal'].map((name) => join(state_dir, name))
  const fleet = join(state_dir, 'fleet')
  const journals = existsSync(fleet) ? readdirSync(fleet).filter((name) => name.endsWith('.journal')) : []
  return [...files, ...journals.map((name) => join(fleet, name))].filter((file) => existsSync(file))
}

// Files with one short string each. An unreadable one is never replaced: instances launched under its id would be
// orphaned.

function recall(config: MasterConfig, name: string, pattern: RegExp, way: string): string | undefined {
  const file = join(config.state_dir, name)
  const text = read(file, way)?.trim()
  if (text === undefined || pattern.test(text)) return text
  throw damaged(file, way)
}

function read(file: string, way: string): string | undefined {
  try {
    return readPlainFile(file)
  } catch (cause) {
    throw unusable(file, `cannot be read: ${(cause as Error).message}`, way, cause)
  }
}

function damaged(file: string, way: string): ProvisionError {
  return unusable(file, 'is empty or damaged: it contains no valid id', way)
}

function unusable(file: string, what: string, way: string, cause?: unknown): ProvisionError {
  const remedy = `Restore ${file} from a backup, or ${way}.`
  return new ProvisionError(problem('IDENTITY_UNUSABLE', `${file} ${what}`, { remedy, cause }))
}

function remember(config: MasterConfig, name: string, value: string): string {
  const file = join(config.state_dir, name)
  writeFileAtomic(file, `${value}\n`)
  syncFolderOf(file)
  return value
}
