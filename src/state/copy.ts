// Copies the whole state from one store to an empty one, reads it back, and compares counts and hashes.
import { createHash } from 'node:crypto'
import type { PostgresConfig } from '../config/index.ts'
import type { JournalRecord } from '../platform/index.ts'
import { ProvisionError, problem } from '../problems/index.ts'
import { keyOf } from './cluster.ts'
import { bindingText, caText } from './join.ts'
import { openStateStore, type StateConfig, type StateSurroundings } from './open.ts'
import type { KeptOutput, OutputLine } from './output.ts'
import { type IdentityPart, identityParts, type JournalHeader, type StateStore } from './store.ts'

export interface CopiedPart {
  /** Such as `journal of pool gpu`. */
  what: string
  records: number
  /** Of the records as JSON, one a line. */
  sha256: string
}

/**
 * Both stores must be held by this process. Throws STATE_COPY_REFUSED when the source is empty or the target is not, and
 * STATE_COPY_DIFFERS when the copy is not what was copied. Journals that were set aside stay behind.
 */
export async function copyState(from: StateStore, to: StateStore): Promise<CopiedPart[]> {
  if (await from.identity.isNew()) throw refused(`${from.name} is empty: there is nothing to copy`)
  if (
    !(await to.identity.isNew()) ||
    (await to.openOutput({}).allocations()).length > 0 ||
    (await joinLines(to)).length > 0
  )
    throw refused(`${to.name} is not empty: nothing is overwritten`)
  const copied: CopiedPart[] = []
  for (const part of identityParts) copied.push(...(await copyPart(from, to, part)))
  copied.push(...(await copyCluster(from, to)))
  for (const header of await from.journals()) copied.push(await copyJournal(from, to, header))
  copied.push(...(await copyOutput(from, to)))
  copied.push(...(await copyJoins(from, to)))
  copied.push(await copyDecisions(from, to))
  return copied
}

async function copyPart(from: StateStore, to: StateStore, part: IdentityPart): Promise<CopiedPart[]> {
  const text = (await from.identity.read(part))?.trim()
  if (text === undefined) return []
  await to.identity.write(part, text)
  const back = (await to.identity.read(part))?.trim()
  return [compared(part, text.split('\n'), back?.split('\n') ?? [], to)]
}

async function copyCluster(from: StateStore, to: StateStore): Promise<CopiedPart[]> {
  const { locations, adopted, drained } = await from.cluster.read()
  for (const place of locations) await to.cluster.addLocation(place)
  await to.cluster.adopt(adopted)
  await to.cluster.addDrained(drained)
  const lines = await clusterLines(from)
  return lines.length > 0 ? [compared('notes about the cluster', lines, await clusterLines(to), to)] : []
}

/** Their order means nothing. */
async function clusterLines({ cluster }: StateStore): Promise<string[]> {
  const { locations, adopted, drained } = await cluster.read()
  return [
    ...locations.map((place) => JSON.stringify([keyOf(place), place.account])),
    ...adopted.map(({ writer, pool }) => JSON.stringify({ writer, pool })),
    ...drained.map((id) => JSON.stringify(id)),
  ].sort()
}

async function copyJournal(from: StateStore, to: StateStore, header: JournalHeader): Promise<CopiedPart> {
  const what = header.name === 'master' ? 'journal of the master' : `journal of pool ${header.name.pool}`
  const source = await from.openJournal(header)
  await source.journal.close()
  if (source.problems.length > 0) throw new ProvisionError(source.problems)
  const target = await to.openJournal(header)
  await target.journal.rewrite(source.records)
  await target.journal.close()
  const back = await to.openJournal(header)
  await back.journal.close()
  return compared(what, linesOf(source.records), linesOf(back.records), to)
}

/** One allocation after the other: together they may be large. */
async function copyOutput(from: StateStore, to: StateStore): Promise<CopiedPart[]> {
  const [source, target] = [from.openOutput({}), to.openOutput({})]
  const lines: string[] = []
  const back: string[] = []
  for (const allocation of (await source.allocations()).sort()) {
    const { lines: all, count, positions } = await source.read(allocation)
    const first = count - all.length
    await target.append([{ allocation, first, lines: all, positions, kept: first }])
    lines.push(hashOf(outputLines(allocation, { lines: all, count, positions })))
    back.push(hashOf(outputLines(allocation, await target.read(allocation))))
  }
  return lines.length > 0 ? [compared('output of jobs', lines, back, to)] : []
}

function outputLines(allocation: string, { count, positions, lines }: KeptOutput): string[] {
  return [allocation, count, Object.entries(positions).sort(), ...lines.map(fieldsOf)].map((each) =>
    JSON.stringify(each),
  )
}

/** The order of the keys means nothing. */
function fieldsOf({ containerId, timestamp, stream, text, position }: OutputLine): unknown[] {
  return [containerId, timestamp, stream, text, position]
}

async function copyJoins({ join }: StateStore, to: StateStore): Promise<CopiedPart[]> {
  const ca = await join.readCa()
  if (ca) await to.join.replaceCa(ca, undefined)
  for (const binding of await join.bindings()) await to.join.bind(binding)
  const lines = await joinLines({ join })
  return lines.length > 0
    ? [compared("agents' CA and keys of instances", lines, await joinLines(to), to)]
    : []
}

/** Without revisions, which count the changes of one store, and nonces, which are valid for a minute. */
async function joinLines({ join }: Pick<StateStore, 'join'>): Promise<string[]> {
  const ca = await join.readCa()
  return [...(ca ? [caText(ca)] : []), ...(await join.bindings()).map(bindingText).sort()]
}

async function copyDecisions(from: StateStore, to: StateStore): Promise<CopiedPart> {
  const records = await from.readDecisions({})
  const faults: unknown[] = []
  const log = to.openDecisions({ onFault: (error) => faults.push(error) })
  for (const record of records) log.add(record)
  await log.close()
  if (faults[0]) throw faults[0]
  const back = await to.readDecisions({})
  // Each store keeps so many of the newest.
  return compared('decisions', linesOf(records.slice(-back.length)), linesOf(back), to)
}

function linesOf(records: readonly JournalRecord[]): string[] {
  return records.map((record) => JSON.stringify(record))
}

function compared(
  what: string,
  lines: readonly string[],
  back: readonly string[],
  to: StateStore,
): CopiedPart {
  const [sha256, found] = [hashOf(lines), hashOf(back)]
  if (lines.length === back.length && sha256 === found) return { what, records: lines.length, sha256 }
  throw new ProvisionError(
    problem(
      'STATE_COPY_DIFFERS',
      `${what} in ${to.name}: ${lines.length} records with SHA-256 ${sha256} were written, ${back.length} with ${found} read back`,
    ),
  )
}

function hashOf(lines: readonly string[]): string {
  const hash = createHash('sha256')
  for (const line of lines) hash.update(line).update('\n')
  return hash.digest('hex')
}

function refused(message: string): ProvisionError {
  return new ProvisionError(problem('STATE_COPY_REFUSED', message))
}

// What a person does while no provisioner runs: copying the state, and taking its tables one version back.

export type StoreKind = 'folder' | 'postgres'

/** Between `state_dir` and the database of `state`. Throws a ProvisionError; then the target may be incomplete. */
export async function copyBetween(
  config: StateConfig,
  { from, to }: { from: StoreKind; to: StoreKind },
  surroundings: StateSurroundings,
): Promise<{ from: string; to: string; parts: CopiedPart[] }> {
  const state = databaseIn(config)
  if (from === to) throw usage('--from and --to must differ')
  const folder = await openStateStore({ state_dir: config.state_dir }, surroundings)
  const database = await openStateStore({ state_dir: config.state_dir, state }, surroundings)
  const stores: Record<StoreKind, StateStore> = { folder, postgres: database }
  try {
    // With the right to the database comes that to state_dir, which is the folder.
    const release = await database.hold({ onLost() {}, alone: true })
    try {
      const parts = await copyState(stores[from], stores[to])
      return { from: stores[from].name, to: stores[to].name, parts }
    } finally {
      await release()
    }
  } finally {
    await database.close()
    await folder.close()
  }
}

/** For the version of the program before this one. Returns a sentence. */
export async function tablesBack(config: StateConfig, env: StateSurroundings['env']): Promise<string> {
  const state = databaseIn(config)
  const { stepBack } = await import('./postgres/open.ts')
  return stepBack(state, env)
}

function databaseIn({ state }: StateConfig): PostgresConfig {
  if (state?.type === 'postgres') return state
  throw usage('the configuration names no database', 'Write `state: {type: postgres, …}` into it first.')
}

function usage(message: string, remedy = 'See `provision state --help`.'): ProvisionError {
  return new ProvisionError(problem('USAGE', message, { remedy }))
}
