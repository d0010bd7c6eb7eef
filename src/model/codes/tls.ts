// Codes of loading and judging TLS material, and of the trust plan.
import type { CodeInfo } from '../problem-codes.ts'
import { certificateCodes } from './certificate.ts'
import { tlsFileCodes } from './tls-files.ts'
import { trustCodes } from './trust.ts'

export const tlsCodes = {
  ...tlsFileCodes,
  ...certificateCodes,
  ...trustCodes,
} as const satisfies Record<string, CodeInfo>
