// Codes of agents that did not join, and of the stages their scripts report.
import type { CodeInfo } from '../problem-codes.ts'

export const joinCodes = {} as const satisfies Record<string, CodeInfo>
