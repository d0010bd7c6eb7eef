// Codes of dialling the master before launching.
import type { CodeInfo } from '../problem-codes.ts'

export const preflightCodes = {} as const satisfies Record<string, CodeInfo>
