// Codes of loading and judging TLS material, and of the trust plan.

import { agentConfigCodes } from './agent-config.ts'
import { certificateCodes } from './certificate.ts'
import { certsCodes } from './certs.ts'
import type { CodeInfo } from './code-info.ts'
import { tlsFileCodes } from './tls-files.ts'
import { trustCodes } from './trust.ts'

export const tlsCodes = {
  ...tlsFileCodes,
  ...certificateCodes,
  ...trustCodes,
  ...agentConfigCodes,
  ...certsCodes,
} as const satisfies Record<string, CodeInfo>
