// Codes of reading and checking the configuration.
import type { CodeInfo } from '../problem-codes.ts'

export const configCodes = {} as const satisfies Record<string, CodeInfo>
