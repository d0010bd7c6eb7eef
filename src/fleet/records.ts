// What is written to the pool's journal, and how the memory is read back from it.

import * as z from 'zod/mini'
import type { UserData } from '../agent-setup/index.ts'
import type { JournalRecord } from '../platform/index.ts'
import { type Problem, type ProblemCode, problemCodes } from '../problems/index.ts'
import type { BreakerMemory, LaunchErrorMemory, Launched } from './failures.ts'
import { emptyMemory, type OpenIntent, type PoolMemory, type Track } from './run.ts'
import {
  agent,
  count,
  instanceShape,
  offering,
  refusal,
  type ShapeOf,
  text,
  time,
  unplaced,
} from './stored-shapes.ts'

const track = z.object({
  ...instanceShape,
  listed: z.boolean(),
  sha256: z.optional(text),
  busyWith: z.optional(z.enum(['drain', 'undrain', 'end'])),
  retryAt: z.optional(time),
  endedAt: z.optional(time),
  kept: z.optional(z.object({ times: count, until: time })),
  judged: z.optional(z.boolean()),
  told: z.optional(z.boolean()),
  recalled: z.optional(z.boolean()),
} satisfies ShapeOf<Track>)

const intent = z.object({
  id: text,
  at: time,
  count,
  offerings: z.array(offering),
  sha256: text,
  version: text,
  writerId: z.optional(text),
  seen: z.optional(z.array(text)),
} satisfies ShapeOf<
  Pick<OpenIntent, 'id' | 'at' | 'count' | 'offerings' | 'sha256' | 'version' | 'writerId'> & {
    seen?: string[]
  }
>)

const userData = z.object({
  script: text,
  encoding: z.enum(['plain', 'gzip', 'gzip-stub']),
  packed: text,
  bytes: z.object({ script: count, packed: count, limit: z.optional(count) }),
  sha256: text,
} satisfies ShapeOf<StoredUserData>)

const storedProblem = z.object({
  code: z.custom<ProblemCode>((code) => typeof code === 'string' && Object.hasOwn(problemCodes, code)),
  severity: z.enum(['error', 'warning']),
  message: text,
  remedy: text,
  where: z.optional(
    z.object({
      file: text,
      line: z.optional(count),
      column: z.optional(count),
      path: z.optional(text),
      frame: z.optional(text),
    }),
  ),
  details: z.optional(z.record(text, z.unknown())),
  cause: z.optional(z.unknown()),
} satisfies ShapeOf<Problem>)

const memory = z.object({
  tracks: z.array(track),
  agents: z.array(z.tuple([text, agent])),
  unplaced: z.array(z.tuple([text, unplaced])),
  intents: z.array(intent),
  offerings: z.array(z.tuple([text, refusal])),
  breaker: z.object({
    failures: count,
    openings: count,
    openedAt: time,
    until: time,
  } satisfies ShapeOf<BreakerMemory>),
  launches: z.array(z.object({ at: time, intentId: text, count } satisfies ShapeOf<Launched>)),
  launchError: z.object({
    failures: count,
    lastAt: time,
    readyAt: time,
    // Of another version it may have a code that is gone: worth no more than the words that are lost with it.
    problem: z.catch(z.optional(storedProblem), undefined),
  } satisfies ShapeOf<LaunchErrorMemory>),
  adopted: z.array(text),
  paused: z.boolean(),
  proven: z.array(text),
})

const at = time
const ids = z.array(text)

const record = z.discriminatedUnion('kind', [
  /** The journal exists: from now on it has everything that was launched. */
  z.object({ at, kind: z.literal('begun') }),
  z.object({ at, kind: z.literal('user_data'), userData }),
  z.object({ at, kind: z.literal('intent'), intent }),
  z.object({ at, kind: z.literal('settled'), id: text, tracks: z.array(track) }),
  z.object({ at, kind: z.literal('refused'), offerings: z.array(z.tuple([text, refusal])) }),
  z.object({ at, kind: z.literal('draining'), ids }),
  z.object({ at, kind: z.literal('undrained'), ids }),
  z.object({ at, kind: z.literal('paused'), paused: z.boolean() }),
  z.object({ at, kind: z.literal('adopted'), writers: z.array(text) }),
  z.object({ at, kind: z.literal('ordered'), ids, how: z.enum(['when_idle', 'even_if_busy']) }),
  z.object({ at, kind: z.literal('kept'), ids }),
  z.object({ at, kind: z.literal('checkpoint'), memory }),
])

const kinds = new Set<string>(record.def.options.flatMap(({ def }) => def.shape.kind.def.values))

export type PoolRecord = z.output<typeof record>
type StoredIntent = z.output<typeof intent>
type StoredMemory = z.output<typeof memory>
type StoredUserData = Omit<UserData, 'packed'> & { packed: string }

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

export function storedIntent({
  id,
  at,
  count,
  offerings,
  sha256,
  version,
  writerId,
}: OpenIntent): StoredIntent {
  return { id, at, count, offerings, sha256, version, writerId }
}

export function storedUserData(userData: UserData): StoredUserData {
  return { ...userData, packed: Buffer.from(userData.packed).toString('base64') }
}

/**
 * The memory a journal holds. Calls under way when it ended are intents of unknown outcome now. Records of a kind that is
 * not known are passed over. One of a known kind that cannot be read, of a version whose records differ, is handed to
 * `onUnreadable`; then the journal does not have everything, and listings must show first what there is.
 */
export function recall(
  records: readonly JournalRecord[],
  now: number,
  onUnreadable: (kind: string, why: string) => void = () => {},
): PoolMemory {
  const memory = emptyMemory()
  memory.journalMissing = !records.some(({ kind }) => kind === 'begun')
  for (const stored of records) {
    if (!kinds.has(stored.kind)) continue
    const read = record.safeParse(stored)
    if (read.success) apply(memory, read.data, now)
    else {
      memory.journalMissing = true
      const [issue] = read.error.issues
      onUnreadable(stored.kind, `${issue!.path.join('.')}: ${issue!.message}`)
    }
  }
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
