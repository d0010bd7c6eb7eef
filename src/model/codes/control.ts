// Codes of orders and questions to a running provisioner.
import type { CodeInfo } from '../problem-codes.ts'

export const controlCodes = {
  POOL_UNKNOWN: {
    severity: 'error',
    exit: 2,
    meaning: 'The provisioner runs no pool of that name.',
    remedy: '`provision status` lists the pools; only those with a `provider` are run.',
  },
  POOL_NOT_RUNNING: {
    severity: 'error',
    exit: 1,
    meaning: 'The pool could not be started, and the others run without it.',
    remedy: 'Correct what the message names and start the provisioner again.',
  },
} as const satisfies Record<string, CodeInfo>
