// Codes of keys and values, whatever block they stand in.
import type { CodeInfo } from '../problem-codes.ts'

export const configKeyCodes = {} as const satisfies Record<string, CodeInfo>
