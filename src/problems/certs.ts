// Codes of making a development CA.
import type { CodeInfo } from './code-info.ts'

export const certsCodes = {
  CERTS_REQUEST_INVALID: {
    severity: 'error',
    exit: 2,
    meaning: 'A certificate was asked for with a name, address or lifetime that no certificate can have.',
    remedy:
      'Give DNS names with --name, IP addresses with --ip and a lifetime of 1 to 36500 days with --days.',
  },
  CERTS_NOT_WRITTEN: {
    severity: 'error',
    exit: 1,
    meaning: 'The files of a development CA could not be written; none of them was left behind.',
    remedy: 'Choose a folder that this user can write to.',
  },
} as const satisfies Record<string, CodeInfo>
