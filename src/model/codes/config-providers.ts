// Codes of what providers, the master's address and machines demand.
import type { CodeInfo } from '../problem-codes.ts'

export const configProviderCodes = {} as const satisfies Record<string, CodeInfo>
