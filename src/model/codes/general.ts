// Codes any part of the program can raise.
import type { CodeInfo } from '../problem-codes.ts'

export const generalCodes = {
  INTERNAL: {
    severity: 'error',
    exit: 1,
    meaning: 'A fault in this program, not in what it was given.',
    remedy: 'Report it with the message and the version printed by `provision version`.',
  },
  USAGE: {
    severity: 'error',
    exit: 2,
    meaning: 'The command line was not understood.',
    remedy: 'See `provision help`.',
  },
} as const satisfies Record<string, CodeInfo>
