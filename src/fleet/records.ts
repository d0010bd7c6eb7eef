// The records of the pool's journal, and how the memory is read back from them.

import type { UserData } from '../agent-setup/index.ts'
import type { BootMark, JournalRecord } from '../platform/index.ts'
import {
  emptyMemory,
  generationsOf,
  learnFromAnswer,
  learnGeneration,
  type ManagedInstance,
  type OpenIntent,
  type PoolMemory,
} from './memory.ts'
import {
  type PoolRecord,
  recordKinds,
  recordShape,
  type StoredIntent,
  type StoredMemory,
  type StoredUserData,
} from './record-shapes.ts'

export type { PoolRecord } from './record-shapes.ts'

/** When and where a checkpoint was written. */
export interface Written {
  mark?: BootMark | undefined
  location?: string | undefined
}

/** When and where the last checkpoint was written; undefined when there is none. */
export function writtenIn(records: readonly JournalRecord[]): (Written & { at: number }) | undefined {
  const read = recordShape.safeParse(records.findLast(({ kind }) => kind === 'begun'))
  return read.success && read.data.kind === 'begun' ? read.data : undefined
}

/**
 * Everything worth keeping, in as few records as possible: the contents of a rewritten journal. They are copies where the
 * memory changes in place, because they are written while the loop runs.
 */
export function checkpointOf(
  memory: PoolMemory,
  now: number,
  { mark, location }: Written = {},
): PoolRecord[] {
  const carried = new Set([...memory.intents.values()].map((intent) => intent.sha256))
  return [
    { at: now, kind: 'begun', ...(mark && { mark }), ...(location && { location }) },
    ...[...memory.userData.values()]
      .filter(({ sha256 }) => carried.has(sha256))
      .map((userData): PoolRecord => ({ at: now, kind: 'user_data', userData: storedUserData(userData) })),
    ...generationsOf(memory).map((generation): PoolRecord => ({ at: now, kind: 'generation', generation })),
    {
      at: now,
      kind: 'checkpoint',
      memory: {
        tracks: [...memory.tracks.values()].map((track) => storedTrack(track, now)),
        agents: [...memory.agents],
        unplaced: [...memory.unplaced],
        intents: [...memory.intents.values()].map((intent) => ({
          ...storedIntent(intent),
          seen: [...intent.seen],
        })),
        offerings: [...memory.offerings].map(([key, refusal]) => [key, { ...refusal }]),
        breaker: { ...memory.breaker },
        budget: { ...memory.budget },
        launchError: { ...memory.launchError },
        adopted: [...memory.adopted],
        foreign: [...memory.foreign.values()].map(({ id, writer }) => ({ id, writer })),
        paused: memory.paused,
        proven: [...memory.proven],
        rollout: { ...memory.rollout },
        ...(memory.account === undefined ? {} : { account: memory.account }),
      },
    },
  ]
}

/** A drain or a termination in progress may take effect: the drain counts as ours, the termination is decided again. */
export function storedTrack(
  {
    busyWith,
    ending: _,
    shownAt: __,
    endDoubtAt: ___,
    addresses: ____,
    drifted: _____,
    endedAt,
    ...track
  }: ManagedInstance,
  now: number,
): ManagedInstance {
  return {
    ...track,
    ...(busyWith === 'drain' && { drainedAt: now, drainDoubtAt: now }),
    ...(endedAt !== undefined && { wasEnded: true }),
  }
}

export function storedIntent({
  id,
  at,
  count,
  offerings,
  gang,
  sha256,
  version,
  generation,
  writerId,
}: OpenIntent): StoredIntent {
  const made = { sha256, version, ...(generation !== undefined && { generation }) }
  return { id, at, count, offerings, ...(gang ? { gang } : {}), ...made, writerId }
}

export function storedUserData(userData: UserData): StoredUserData {
  return { ...userData, packed: Buffer.from(userData.packed).toString('base64') }
}

/**
 * The memory a journal holds, by the clock it was written by. Calls in progress at its end are now intents of unknown outcome. Records of an unknown
 * kind are skipped. A record of a known kind that cannot be read, such as one of another version, is passed to
 * `onUnreadable`; then the journal is incomplete, and listings must first show what exists.
 */
export function recall(
  records: readonly JournalRecord[],
  now: number,
  onUnreadable: (kind: string, why: string) => void = () => {},
): PoolMemory {
  const memory = emptyMemory()
  memory.journalMissing = !records.some(({ kind }) => kind === 'begun')
  for (const stored of records) {
    if (!recordKinds.has(stored.kind)) continue
    const read = recordShape.safeParse(stored)
    if (read.success) apply(memory, read.data, now)
    else {
      memory.journalMissing = true
      const [issue] = read.error.issues
      onUnreadable(stored.kind, `${issue!.path.join('.')}: ${issue!.message}`)
    }
  }
  for (const track of memory.tracks.values()) {
    track.recalled = true
    // It counts as leaving, as before the restart, until a listing shows it.
    if (track.wasEnded) track.ending = true
    // Listings in a row are counted within one process.
    delete track.missingSince
    delete track.soughtAt
    delete track.unknownSince
    delete track.unshownSince
  }
  return memory
}

function apply(memory: PoolMemory, record: PoolRecord, now: number): void {
  switch (record.kind) {
    case 'user_data': {
      const { packed, ...rest } = record.userData
      memory.userData.set(rest.sha256, { ...rest, packed: new Uint8Array(Buffer.from(packed, 'base64')) })
      break
    }
    case 'generation':
      learnGeneration(memory, record.generation)
      memory.isGenerationWritten = true
      break
    case 'intent':
      memory.intents.set(record.intent.id, reopened(record.intent, now))
      break
    case 'settled':
      memory.intents.delete(record.id)
      for (const track of record.tracks) {
        if (!memory.tracks.has(track.id)) memory.tracks.set(track.id, storedTrack(track, now))
        learnFromAnswer(memory, track)
      }
      break
    case 'found':
      for (const track of record.tracks)
        if (!memory.tracks.has(track.id)) memory.tracks.set(track.id, storedTrack(track, now))
      break
    case 'refused':
      for (const [key, refusal] of record.offerings) memory.offerings.set(key, refusal)
      break
    case 'joined':
      for (const id of record.ids) withTrack(memory, id, (track) => (track.joinedAt ??= record.at))
      memory.breaker = record.breaker
      memory.proven = new Set(record.proven)
      break
    case 'failed':
      for (const { id, told } of record.judged)
        withTrack(memory, id, (track) => Object.assign(track, { judged: true, told: told || track.told }))
      memory.breaker = record.breaker
      memory.budget = record.budget
      if (record.rollout) memory.rollout = record.rollout
      break
    case 'ended':
      for (const id of record.ids) withTrack(memory, id, (track) => (track.wasEnded = true))
      break
    case 'gone':
      for (const id of record.ids) memory.tracks.delete(id)
      break
    case 'draining':
      // It is not known when the master answered: it must show the drain after this moment. Nor whether it was sent at all: an
      // undrain before it may still be under way.
      for (const id of record.ids)
        withTrack(memory, id, (track) => Object.assign(track, { drainedAt: now, drainDoubtAt: now }))
      for (const id of record.rolled ?? []) withTrack(memory, id, (track) => (track.rolledSince = record.at))
      break
    case 'undraining':
      for (const id of record.ids)
        withTrack(memory, id, (track) => {
          track.undrainDoubt = true
          delete track.rolledSince
        })
      break
    case 'condemned':
      for (const id of record.ids) withTrack(memory, id, (track) => (track.condemned = true))
      break
    case 'reprieved':
      for (const id of record.ids) withTrack(memory, id, (track) => delete track.condemned)
      break
    case 'undrained':
      for (const id of record.ids)
        withTrack(memory, id, (track) => {
          delete track.drainedAt
          delete track.undrainDoubt
          delete track.rolledSince
          if (!record.doubtful?.includes(id)) delete track.drainDoubtAt
          track.undrainedAt = record.at
        })
      break
    case 'rollout':
      memory.rollout = record.rollout
      break
    case 'paused':
      memory.paused = record.paused
      break
    case 'foreign':
      for (const one of record.instances) memory.foreign.set(one.id, one)
      break
    case 'adopted':
      for (const writer of record.writers) memory.adopted.add(writer)
      break
    case 'ordered':
      for (const id of record.ids)
        withTrack(memory, id, (track) => Object.assign(track, { ordered: record.how }))
      break
    case 'kept':
      for (const id of record.ids) withTrack(memory, id, (track) => delete track.ordered)
      break
    case 'checkpoint':
      applyCheckpoint(memory, record.memory, now)
  }
}

function withTrack(memory: PoolMemory, id: string, change: (track: ManagedInstance) => void): void {
  const track = memory.tracks.get(id)
  if (track) change(track)
}

function applyCheckpoint(memory: PoolMemory, stored: StoredMemory, now: number): void {
  memory.tracks = new Map(stored.tracks.map((track) => [track.id, track]))
  for (const track of memory.tracks.values()) {
    if (track.drainedAt !== undefined) track.drainedAt = now
    // Who sent it may be suspended, and send it when it resumes.
    if (track.drainDoubtAt !== undefined) track.drainDoubtAt = now
  }
  memory.agents = new Map(stored.agents)
  memory.unplaced = new Map(stored.unplaced)
  memory.intents = new Map(stored.intents.map((intent) => [intent.id, reopened(intent, now)]))
  memory.offerings = new Map(stored.offerings)
  memory.breaker = stored.breaker
  memory.budget = stored.budget
  memory.launchError = stored.launchError
  memory.adopted = new Set(stored.adopted)
  memory.foreign = new Map(stored.foreign.map((one) => [one.id, one]))
  memory.paused = stored.paused
  memory.proven = new Set(stored.proven)
  memory.rollout = { ...stored.rollout }
  if (stored.account !== undefined) memory.account = stored.account
}

function reopened(intent: StoredIntent, now: number): OpenIntent {
  const seen = new Set(intent.seen)
  const open = { seen, sending: false, doubtful: true, lastSentAt: now, recalledAt: now }
  return { ...intent, ...open, retryAt: now, listAfter: now }
}
