// Codes of rendering, checking and packing user data.
import type { CodeInfo } from '../problem-codes.ts'

export const userDataCodes = {} as const satisfies Record<string, CodeInfo>
