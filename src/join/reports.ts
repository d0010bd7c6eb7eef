// What the log and the metrics learn of join requests: the reasons that a sender does not get, grouped, because anybody can send them.
import { type Clock, groupedLog, type Logger, printable } from '../platform/index.ts'
import { type ProblemCode, ProvisionError } from '../problems/index.ts'

/** A request as far as it is known. `id` and `pool` are those that the sender names, until the outcome is `issued`. */
export interface Request {
  path: string
  address: string
  /** By the clock. */
  startedAt: number
  id?: string
  pool?: string
}

export interface JoinOutcome {
  outcome: 'issued' | 'renewed' | 'refused' | 'limited' | 'unavailable'
  /** Why, unless it was issued or renewed. */
  code?: ProblemCode
  /** If it was issued or renewed: SHA-256 of the key of the instance, hex. */
  key?: string
  id?: string
  /** Set only once the instance was found. */
  pool?: string
  /** From the first byte to the answer. */
  seconds: number
}

type Result = Pick<JoinOutcome, 'outcome' | 'code' | 'key'>

export interface ReportOptions {
  clock: Clock
  logger: Logger
  onOutcome?: (outcome: JoinOutcome) => void
}

/** Reasons that a person should look at: somebody has a valid proof and should not get a certificate. */
const alarming: readonly ProblemCode[] = ['JOIN_KEY_CHANGED', 'JOIN_KEY_CONTESTED', 'JOIN_PROOF_OTHER']

export function reportsOf({ clock, logger, onOutcome }: ReportOptions) {
  const refused = groupedLog({ clock, log: logger.warn })
  const alarm = groupedLog({ clock, log: logger.error })

  return (request: Request, { outcome, code, key: boundKey }: Result, error?: unknown): void => {
    const { id, pool, address, path, startedAt } = request
    const named = { ...(id !== undefined && { id }), ...(pool !== undefined && { pool }) }
    const seconds = (clock.now() - startedAt) / 1000
    onOutcome?.({ outcome, ...(code && { code }), ...(boundKey && { key: boundKey }), ...named, seconds })
    if (!code) {
      logger.info('an instance has a certificate', { ...named, outcome, address })
      return
    }
    const fields = { code, ...named, address, path, why: reasonOf(error) }
    // Names that nobody has launched would make a group each.
    const key = `${code} ${pool === undefined ? '' : id}`
    if (alarming.includes(code)) alarm(key, 'a join was refused', fields)
    else
      refused(key, outcome === 'unavailable' ? 'a join could not be decided' : 'a join was refused', fields)
  }
}

function reasonOf(error: unknown): string {
  const [first] = error instanceof ProvisionError ? error.problems : []
  return printable(first?.message ?? (error instanceof Error ? error.message : 'too many requests')).slice(
    0,
    300,
  )
}
