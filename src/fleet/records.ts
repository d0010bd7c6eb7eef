// What is written to the pool's journal, and how the memory is read back from it.

import type { UserData } from '../agent-setup/pack.ts'
import type { KnownAgent, Unplaced } from '../planner/snapshot.ts'
import type { JournalRecord } from '../platform/ports.ts'
import type { Refusal } from './failures.ts'
import { emptyMemory, type OpenIntent, type PoolMemory, type Track } from './memory.ts'

type StoredIntent = Pick<OpenIntent, 'id' | 'at' | 'count' | 'offerings' | 'sha256' | 'version'> & {
  seen?: string[]
}
type StoredUserData = Omit<UserData, 'packed'> & { packed: string }

export type PoolRecord = {
  at: number
} /** The journal exists: from now on it tells everything that was launched. */ & (
  | { kind: 'begun' }
  | { kind: 'user_data'; userData: StoredUserData }
  | { kind: 'intent'; intent: StoredIntent }
  | { kind: 'settled'; id: string; tracks: Track[] }
  | { kind: 'refused'; offerings: [string, Refusal][] }
  | { kind: 'draining'; ids: string[] }
  | { kind: 'undrained'; ids: string[] }
  | { kind: 'paused'; paused: boolean }
  | { kind: 'adopted'; writers: string[] }
  | { kind: 'ordered'; ids: string[]; how: NonNullable<Track['ordered']> }
  | { kind: 'kept'; ids: string[] }
  | { kind: 'checkpoint'; memory: StoredMemory }
)

interface StoredMemory {
  tracks: Track[]
  agents: [string, KnownAgent][]
  unplaced: [string, Unplaced][]
  intents: StoredIntent[]
  offerings: [string, Refusal][]
  breaker: PoolMemory['breaker']
  launches: PoolMemory['launches']
  launchError: PoolMemory['launchError']
  adopted: string[]
  paused: boolean
  proven: string[]
}

/** All that is worth keeping, as few records as possible: what the journal is rewritten to. */
export function checkpointOf(memory: PoolMemory, now: number): PoolRecord[] {
  const carried = new Set([...memory.intents.values()].map((intent) => intent.sha256))
  return [
    { at: now, kind: 'begun' },
    ...[...memory.userData.values()]
      .filter(({ sha256 }) => carried.has(sha256))
      .map((userData): PoolRecord => ({ at: now, kind: 'user_data', userData: storedUserData(userData) })),
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
        offerings: [...memory.offerings],
        breaker: memory.breaker,
        launches: memory.launches,
        launchError: memory.launchError,
        adopted: [...memory.adopted],
        paused: memory.paused,
        proven: [...memory.proven],
      },
    },
  ]
}

/** A drain or an end under way may take effect: the drain counts as ours, the end is decided again. */
function storedTrack({ busyWith, ending: _, endedAt: __, ...track }: Track, now: number): Track {
  return busyWith === 'drain' ? { ...track, drainedAt: now } : track
}

export function storedIntent({ id, at, count, offerings, sha256, version }: OpenIntent): StoredIntent {
  return { id, at, count, offerings, sha256, version }
}

export function storedUserData(userData: UserData): StoredUserData {
  return { ...userData, packed: Buffer.from(userData.packed).toString('base64') }
}

/** The memory a journal tells. Calls under way when it ended are intents of unknown outcome now. */
export function recall(records: readonly JournalRecord[], now: number): PoolMemory {
  const memory = emptyMemory()
  memory.journalMissing = !records.some(({ kind }) => kind === 'begun')
  for (const record of records as unknown as PoolRecord[]) apply(memory, record, now)
  for (const track of memory.tracks.values()) {
    track.recalled = true
    // Listings in a row are those of one life.
    delete track.missingSince
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
    case 'intent':
      memory.intents.set(record.intent.id, reopened(record.intent, now))
      if (!memory.launches.some(({ intentId }) => intentId === record.intent.id))
        memory.launches.push({ at: record.intent.at, intentId: record.intent.id, count: record.intent.count })
      break
    case 'settled':
      memory.intents.delete(record.id)
      for (const track of record.tracks) if (!memory.tracks.has(track.id)) memory.tracks.set(track.id, track)
      break
    case 'refused':
      for (const [key, refusal] of record.offerings) memory.offerings.set(key, refusal)
      break
    case 'draining':
      // When the master answered is not known; it must show the drain after this moment.
      for (const id of record.ids) withTrack(memory, id, (track) => Object.assign(track, { drainedAt: now }))
      break
    case 'undrained':
      for (const id of record.ids) withTrack(memory, id, (track) => delete track.drainedAt)
      break
    case 'paused':
      memory.paused = record.paused
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

function withTrack(memory: PoolMemory, id: string, change: (track: Track) => void): void {
  const track = memory.tracks.get(id)
  if (track) change(track)
}

function applyCheckpoint(memory: PoolMemory, stored: StoredMemory, now: number): void {
  memory.tracks = new Map(stored.tracks.map((track) => [track.id, track]))
  for (const track of memory.tracks.values()) if (track.drainedAt !== undefined) track.drainedAt = now
  memory.agents = new Map(stored.agents)
  memory.unplaced = new Map(stored.unplaced)
  memory.intents = new Map(stored.intents.map((intent) => [intent.id, reopened(intent, now)]))
  memory.offerings = new Map(stored.offerings)
  memory.breaker = stored.breaker
  memory.launches = stored.launches
  memory.launchError = stored.launchError
  memory.adopted = new Set(stored.adopted)
  memory.paused = stored.paused
  memory.proven = new Set(stored.proven)
}

function reopened(intent: StoredIntent, now: number): OpenIntent {
  const seen = new Set(intent.seen)
  return { ...intent, seen, sending: false, doubtful: true, lastSentAt: now, retryAt: now, listAfter: now }
}
