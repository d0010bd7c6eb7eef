// Problems and reasons as the API shows them: with a readable sentence, without internal objects.

import * as z from 'zod/mini'
import { actReasons, type Reason } from '../planner/index.ts'
import { type Problem, problemCodes } from '../problems/index.ts'
import type { Written } from './view.ts'

export const problemSchema = z.object({
  code: z.string(),
  severity: z.enum(['error', 'warning']),
  message: z.string(),
  remedy: z.string(),
  details: z.optional(z.record(z.string(), z.unknown())),
})

export type ProblemView = z.output<typeof problemSchema>

export function problemView({ code, severity, message, remedy, details }: Problem): Written<ProblemView> {
  return { code, severity, message, remedy, details }
}

/** The provisioner that decides about a pool; missing while there is none. */
export const leaderSchema = z.object({
  host: z.string(),
  pid: z.number(),
  writerId: z.string(),
  /** Grows with each term; 0 where the state is a folder. */
  epoch: z.number(),
  /** Start of that process, milliseconds since the epoch. */
  since: z.number(),
  /** It is the one that answers. */
  self: z.boolean(),
})

export type LeaderView = z.output<typeof leaderSchema>

/** One provisioner does everything, and the one that answers is another: its leader, unless nobody leads. */
export const standbySchema = z.object({ leader: z.optional(leaderSchema) })

/** What a list must be read with. */
export const listNotes = {
  standby: z.optional(standbySchema),
  /** Why something in the list may be old, or missing. */
  problems: z.optional(z.array(problemSchema)),
}

const listNotesSchema = z.object(listNotes)
export type ListNotes = Written<z.output<typeof listNotesSchema>>

export const reasonSchema = z.object({
  code: z.string(),
  /** The general meaning of the code; `problem` has the details of this case, if there are any. */
  meaning: z.string(),
  remedy: z.optional(z.string()),
  numbers: z.record(z.string(), z.number()),
  /** Ids of the allocations concerned. */
  allocations: z.optional(z.array(z.string())),
  problem: z.optional(problemSchema),
})

export type ReasonView = z.output<typeof reasonSchema>

export function reasonView({
  code,
  numbers,
  work,
  problem,
}: Reason & { problem?: Problem }): Written<ReasonView> {
  const info = code in problemCodes ? problemCodes[code as keyof typeof problemCodes] : undefined
  return {
    code,
    meaning: info?.meaning ?? `${actReasons[code as keyof typeof actReasons]}.`,
    remedy: info?.remedy,
    numbers,
    allocations: work,
    problem: problem && problemView(problem),
  }
}

/** Response to a rejected request. Endpoints for pushed demand leave out the severity. */
export const refusalSchema = z.object({ error: z.partial(problemSchema, { severity: true }) })

export type Refusal = z.output<typeof refusalSchema>
