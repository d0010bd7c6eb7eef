// Errors as data: a stable code, what is wrong and where, and what to do; and the table of all codes.
// Every room may import it. It imports nothing.
// Start here: problem() creates one; the tables beside it hold the codes.
import { codeInfo, type ProblemCode } from './codes.ts'

export { codeGroups, codeInfo, type ProblemCode, problemCodes } from './codes.ts'
export { type FleetCode, fleetCodes } from './fleet-codes.ts'
export { preflightCertificateCodes } from './preflight-codes.ts'

export type Severity = 'error' | 'warning'

/** A position in a file of the user. Lines and columns start at 1. */
export interface Where {
  file: string
  line?: number
  column?: number
  /** Path of the key inside the file, such as `resource_pools.0.provider.image`. */
  path?: string
  /** The setting that names this file, such as `security.tls.cert` in the configuration. */
  setting?: Where
  /** The lines around the position with a marker under it, ready to print. */
  frame?: string
}

export interface Problem {
  code: ProblemCode
  severity: Severity
  /** What is wrong, in one sentence without a final full stop. */
  message: string
  /** What the user can do about it. */
  remedy: string
  where?: Where
  /** Numbers and names for programs; never a secret. */
  details?: Record<string, unknown>
  cause?: unknown
}

export interface ProblemOptions {
  remedy?: string
  where?: Where
  details?: Record<string, unknown>
  cause?: unknown
}

/** Creates a problem; severity and the default remedy come from the table of codes. */
export function problem(code: ProblemCode, message: string, options: ProblemOptions = {}): Problem {
  const info = codeInfo(code)
  return { code, severity: info.severity, message, ...options, remedy: options.remedy ?? info.remedy }
}

/** One or more problems that stop an operation. */
export class ProvisionError extends Error {
  readonly problems: Problem[]

  constructor(problems: Problem | Problem[]) {
    const list = Array.isArray(problems) ? problems : [problems]
    const first = list.find((p) => p.severity === 'error') ?? list[0]
    super(first ? `${first.code}: ${first.message}` : 'no problem given', { cause: first?.cause })
    this.name = 'ProvisionError'
    this.problems = list
  }

  /** Code of the first error. */
  get code(): ProblemCode | undefined {
    return (this.problems.find((p) => p.severity === 'error') ?? this.problems[0])?.code
  }
}

export function isError(p: Problem): boolean {
  return p.severity === 'error'
}

/** `master.yaml:12:7`, or the known part of it. */
export function placeOf(where: Where): string {
  return [where.file, where.line, where.column].filter((part) => part !== undefined).join(':')
}
