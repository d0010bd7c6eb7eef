// Codes of what a cloud (or this machine) refused.
import type { CodeInfo } from '../problem-codes.ts'

export const providerCodes = {} as const satisfies Record<string, CodeInfo>
