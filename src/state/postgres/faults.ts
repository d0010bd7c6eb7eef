// Whether the database answers, as the renewals of rights show it: reported once when that changes.
import type { Logger } from '../../platform/index.ts'
import type { Problem } from '../../problems/index.ts'

export interface Faults {
  /** Why nothing can be written now. */
  current(): Problem | undefined
  /** After each renewal; undefined when it succeeded. */
  note(found: Problem | undefined): void
}

export function createFaults(logger: Logger): Faults {
  let fault: Problem | undefined
  return {
    current: () => fault,
    note(found) {
      if (found && found.message !== fault?.message)
        logger.error('the state cannot be written; nothing is launched or terminated until it can', {
          code: found.code,
          why: found.message,
        })
      if (!found && fault) logger.info('the state can be written again')
      fault = found
    },
  }
}
