// The table of all codes. docs/errors.md is generated from it; a code is never reused for another meaning.
import { agentCodes, determinedCodes, joinCodes, simulateCodes } from './agent-codes.ts'
import { clientCodes, generalCodes } from './client-codes.ts'
import type { CodeInfo } from './code-info.ts'
import { configCodes } from './config-codes.ts'
import { controlCodes, fleetCodes } from './fleet-codes.ts'
import { identityCodes } from './identity-codes.ts'
import { joinProofCodes } from './join-proof-codes.ts'
import { preflightCodes } from './preflight-codes.ts'
import { providerCodes, userDataCodes } from './provider-codes.ts'
import { stateCodes } from './state-codes.ts'
import { tlsCodes } from './tls-codes.ts'

/** The groups in the documentation: title and codes. */
export const codeGroups = {
  General: generalCodes,
  Configuration: configCodes,
  'TLS certificates and trust': tlsCodes,
  Preflight: preflightCodes,
  'User data': userDataCodes,
  'The built-in master and its agents': joinCodes,
  'Join proofs': joinProofCodes,
  'Who may join': identityCodes,
  'A Determined master': determinedCodes,
  'The built-in agent': agentCodes,
  'Clouds and this machine': providerCodes,
  'The fleet': fleetCodes,
  'The state in a database': stateCodes,
  'Commands to a running provisioner': controlCodes,
  'The command line as a client': clientCodes,
  Simulation: simulateCodes,
} as const satisfies Record<string, Record<string, CodeInfo>>

export const problemCodes = {
  ...generalCodes,
  ...configCodes,
  ...tlsCodes,
  ...preflightCodes,
  ...userDataCodes,
  ...joinCodes,
  ...joinProofCodes,
  ...identityCodes,
  ...determinedCodes,
  ...agentCodes,
  ...providerCodes,
  ...fleetCodes,
  ...stateCodes,
  ...controlCodes,
  ...clientCodes,
  ...simulateCodes,
} as const satisfies Record<string, CodeInfo>

export type ProblemCode = keyof typeof problemCodes

export function codeInfo(code: ProblemCode): CodeInfo {
  return problemCodes[code]
}
