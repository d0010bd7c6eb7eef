// The one table of codes. docs/errors.md is generated from it; a code is never reused for another meaning.
import { agentCodes } from './agent-codes.ts'
import { clientCodes } from './client-codes.ts'
import type { CodeInfo } from './code-info.ts'
import { configCodes } from './config-codes.ts'
import { controlCodes } from './control.ts'
import { determinedCodes } from './determined.ts'
import { fleetCodes } from './fleet-codes.ts'
import { generalCodes } from './general.ts'
import { joinCodes } from './join.ts'
import { preflightCodes } from './preflight-codes.ts'
import { providerCodes } from './provider-codes.ts'
import { simulateCodes } from './simulate.ts'
import { tlsCodes } from './tls-codes.ts'
import { userDataCodes } from './userdata.ts'

/** As the documentation shows them: a title, and its codes. */
export const codeGroups = {
  General: generalCodes,
  Configuration: configCodes,
  'TLS material and trust': tlsCodes,
  Preflight: preflightCodes,
  'User data': userDataCodes,
  'The master and who joins it': joinCodes,
  'A Determined master': determinedCodes,
  'The built-in agent': agentCodes,
  'Clouds and this machine': providerCodes,
  'The fleet': fleetCodes,
  'Orders to a running provisioner': controlCodes,
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
  ...determinedCodes,
  ...agentCodes,
  ...providerCodes,
  ...fleetCodes,
  ...controlCodes,
  ...clientCodes,
  ...simulateCodes,
} as const satisfies Record<string, CodeInfo>

export type ProblemCode = keyof typeof problemCodes

export function codeInfo(code: ProblemCode): CodeInfo {
  return problemCodes[code]
}
