// Codes of loading and judging TLS material, and of the trust plan.
import type { CodeInfo } from '../problem-codes.ts'

export const tlsCodes = {} as const satisfies Record<string, CodeInfo>
