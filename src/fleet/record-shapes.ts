// The shape of each record in a pool's journal.
import * as z from 'zod/mini'
import type { UserData } from '../agent-setup/index.ts'
import type { BootMark } from '../platform/index.ts'
import { fullBudget } from './failures.ts'
import { type ManagedInstance, newRollout, type OpenIntent, type RolloutMemory } from './memory.ts'
import {
  agent,
  breaker,
  budget,
  count,
  fleetCode,
  generation,
  instanceShape,
  launchError,
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
  drainDoubtAt: z.optional(time),
  retryAt: z.optional(time),
  endedAt: z.optional(time),
  kept: z.optional(z.object({ times: count, until: time })),
  judged: z.optional(z.boolean()),
  told: z.optional(z.boolean()),
  recalled: z.optional(z.boolean()),
  wasEnded: z.optional(z.boolean()),
  soughtAt: z.optional(time),
  unknownSince: z.optional(time),
} satisfies ShapeOf<Omit<ManagedInstance, 'addresses' | 'drifted' | 'shownAt' | 'endDoubtAt'>>)

const intent = z.object({
  id: text,
  at: time,
  count,
  offerings: z.array(offering),
  /** Left out by versions whose launches were for any number of jobs. */
  gang: z.optional(z.boolean()),
  sha256: text,
  version: text,
  generation: z.optional(text),
  writerId: z.optional(text),
  seen: z.optional(z.array(text)),
} satisfies ShapeOf<
  Pick<
    OpenIntent,
    'id' | 'at' | 'count' | 'offerings' | 'gang' | 'sha256' | 'version' | 'generation' | 'writerId'
  > & {
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

const foreign = z.object({ id: text, writer: text })

const rollout = z.object({
  generation: z.optional(text),
  image: z.optional(text),
  proven: z.boolean(),
  // Another version may have written a code that no longer exists.
  failed: z.optional(z.object({ code: z.catch(fleetCode, 'NEVER_JOINED'), id: text, at: time })),
  paused: z.boolean(),
} satisfies ShapeOf<RolloutMemory>)

const memory = z.object({
  tracks: z.array(track),
  agents: z.array(z.tuple([text, agent])),
  unplaced: z.array(z.tuple([text, unplaced])),
  intents: z.array(intent),
  offerings: z.array(z.tuple([text, refusal])),
  breaker,
  /** Left out by versions that counted every launch of the last hour. */
  budget: z._default(budget, fullBudget()),
  launchError,
  adopted: z.array(text),
  /** Left out by versions that forgot them at a restart. */
  foreign: z._default(z.array(foreign), []),
  paused: z.boolean(),
  proven: z.array(text),
  account: z.optional(text),
  /** Left out by versions without rollouts. */
  rollout: z._default(rollout, newRollout()),
})

const at = time
const ids = z.array(text)

export const recordShape = z.discriminatedUnion('kind', [
  /** The journal exists: from now on it contains everything that was launched. */
  z.object({
    at,
    kind: z.literal('begun'),
    mark: z.optional(z.object({ boot: text, uptime: z.number() } satisfies ShapeOf<BootMark>)),
    /** Left out by versions that did not detect that a pool was moved. */
    location: z.optional(text),
  }),
  z.object({ at, kind: z.literal('user_data'), userData }),
  /** What is launched from now on is made of. */
  z.object({ at, kind: z.literal('generation'), generation }),
  z.object({ at, kind: z.literal('intent'), intent }),
  z.object({ at, kind: z.literal('settled'), id: text, tracks: z.array(track) }),
  /** Shown by the cloud before an answer to their launch. */
  z.object({ at, kind: z.literal('found'), tracks: z.array(track) }),
  z.object({ at, kind: z.literal('refused'), offerings: z.array(z.tuple([text, refusal])) }),
  z.object({ at, kind: z.literal('joined'), ids, breaker, proven: ids }),
  z.object({
    at,
    kind: z.literal('failed'),
    judged: z.array(z.object({ id: text, told: z.boolean() })),
    breaker,
    budget,
    /** Left out by versions without rollouts. */
    rollout: z.optional(rollout),
  }),
  z.object({ at, kind: z.literal('ended'), ids }),
  z.object({ at, kind: z.literal('gone'), ids }),
  /** `rolled`: those that a rollout replaces. */
  z.object({ at, kind: z.literal('draining'), ids, rolled: z.optional(ids) }),
  /** Before the request that enables their agents. */
  z.object({ at, kind: z.literal('undraining'), ids }),
  /** `doubtful`: of these an earlier drain may still arrive. */
  z.object({ at, kind: z.literal('undrained'), ids, doubtful: z.optional(ids) }),
  /** Before the request that terminates them. */
  z.object({ at, kind: z.literal('condemned'), ids }),
  /** The cloud refused that request. */
  z.object({ at, kind: z.literal('reprieved'), ids }),
  z.object({ at, kind: z.literal('rollout'), rollout }),
  z.object({ at, kind: z.literal('paused'), paused: z.boolean() }),
  z.object({ at, kind: z.literal('adopted'), writers: z.array(text) }),
  /** Another writer's instances that were not known before. */
  z.object({ at, kind: z.literal('foreign'), instances: z.array(foreign) }),
  z.object({ at, kind: z.literal('ordered'), ids, how: z.enum(['when_idle', 'even_if_busy']) }),
  z.object({ at, kind: z.literal('kept'), ids }),
  z.object({ at, kind: z.literal('checkpoint'), memory }),
])

/** A record of another kind is of another version. */
export const recordKinds: ReadonlySet<string> = new Set<string>(
  recordShape.def.options.flatMap(({ def }) => def.shape.kind.def.values),
)

export type PoolRecord = z.output<typeof recordShape>
export type StoredIntent = z.output<typeof intent>
export type StoredMemory = z.output<typeof memory>
export type StoredUserData = Omit<UserData, 'packed'> & { packed: string }
