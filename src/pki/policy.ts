// What a preflight's verdict means for launching.

import type { PreflightMode } from '../config/provider-config.ts'
import { type Problem, problem } from '../problems/problem.ts'
import type { PreflightResult } from './preflight.ts'

export interface LaunchPermission {
  /** `probe`: one VM only, more once it has joined. */
  launch: 'yes' | 'probe' | 'no'
  problem?: Problem
}

/** `required` wants proof, `tls` only the absence of a refutation, `off` nothing. */
export function applyPreflight(mode: PreflightMode, result: PreflightResult): LaunchPermission {
  if (mode === 'off' || result.verdict === 'ok' || !result.problem) return { launch: 'yes' }
  if (mode === 'required' || result.verdict === 'wrong') return { launch: 'no', problem: result.problem }
  const { code, message, remedy } = result.problem
  const warning = problem('PREFLIGHT_UNVERIFIED', `not proved from here (${code}): ${message}`, {
    remedy: `If the one VM that is launched now does not join: ${remedy}`,
    details: { code },
  })
  return { launch: 'probe', problem: warning }
}
