// Codes of the fleet loop's decisions and refusals.
import type { CodeInfo } from '../problem-codes.ts'

export const fleetCodes = {} as const satisfies Record<string, CodeInfo>
