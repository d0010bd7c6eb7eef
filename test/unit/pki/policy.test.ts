// Whether launches are allowed after a preflight, for each mode.
import { describe, expect, test } from 'vitest'
import { applyPreflight, type PreflightResult, type Verdict, verdictOf } from '../../../src/pki/preflight.ts'
import type { PreflightCode } from '../../../src/pki/preflight-dial.ts'
import { explain } from '../../../src/pki/preflight-explain.ts'
import type { TrustMode, TrustPlan } from '../../../src/pki/trust-plan.ts'
import { problem } from '../../../src/problems/index.ts'

function plan(mode: TrustMode): TrustPlan {
  return { mode, modeReason: '', certificateName: 'm.example', certificateNameReason: '', chain: [] }
}

function result(verdict: Verdict, code: PreflightCode): PreflightResult {
  return {
    verdict,
    problem:
      verdict === 'ok'
        ? undefined
        : problem(code, 'nothing listens on 10.0.0.5:8443', { remedy: 'Start it.' }),
    warnings: [],
    dialled: { host: '10.0.0.5', port: 8443 },
    phase: 'connect',
    presented: [],
  }
}

describe('launching', () => {
  const refused = result('unverified', 'PREFLIGHT_REFUSED')
  const wrong = result('wrong', 'PREFLIGHT_UNKNOWN_CA')
  const ok = result('ok', 'PREFLIGHT_FAILED')

  test('is allowed after the verdict ok in every mode', () => {
    for (const mode of ['required', 'tls', 'off'] as const)
      expect(applyPreflight(mode, ok)).toEqual({ launch: 'yes' })
  })

  test('is denied after the verdict wrong, except with mode off', () => {
    for (const mode of ['required', 'tls'] as const)
      expect(applyPreflight(mode, wrong)).toEqual({ launch: 'no', problem: wrong.problem })
    expect(applyPreflight('off', wrong)).toEqual({ launch: 'yes' })
  })

  test('after the verdict unverified, one probe is allowed with tls, none with required', () => {
    expect(applyPreflight('required', refused)).toEqual({ launch: 'no', problem: refused.problem })
    expect(applyPreflight('off', refused)).toEqual({ launch: 'yes' })
    const permission = applyPreflight('tls', refused)
    expect(permission).toMatchObject({
      launch: 'probe',
      problem: { code: 'PREFLIGHT_UNVERIFIED', severity: 'warning', details: { code: 'PREFLIGHT_REFUSED' } },
    })
    expect(permission.problem!.message).toBe(
      'not verified (PREFLIGHT_REFUSED): nothing listens on 10.0.0.5:8443',
    )
    expect(permission.problem!.remedy).toBe(
      'If the one instance that is launched now does not join: Start it.',
    )
  })
})

test.each<[PreflightCode, TrustMode, boolean, Verdict]>([
  ['PREFLIGHT_DNS_NOT_FOUND', 'embed', false, 'unverified'],
  ['PREFLIGHT_UNREACHABLE', 'embed', false, 'unverified'],
  ['PREFLIGHT_NO_ROUTE', 'off', false, 'unverified'],
  ['PREFLIGHT_UNKNOWN_CA', 'embed', false, 'wrong'],
  ['PREFLIGHT_UNKNOWN_CA', 'system', false, 'unverified'],
  ['PREFLIGHT_EXPIRED', 'system', false, 'wrong'],
  ['PREFLIGHT_WRONG_NAME', 'system', false, 'wrong'],
  ['PREFLIGHT_NOT_TLS', 'skip_verify', false, 'wrong'],
  ['PREFLIGHT_TLS_PORT', 'off', false, 'wrong'],
  ['PREFLIGHT_CLIENT_CERT_REQUIRED', 'embed', false, 'wrong'],
  ['PREFLIGHT_CLIENT_CERT_REQUIRED', 'embed', true, 'unverified'],
  ['PREFLIGHT_HANDSHAKE_REFUSED', 'embed', true, 'unverified'],
  ['PREFLIGHT_EXPIRED', 'embed', true, 'wrong'],
])('%s under %s, client certificate %s: %s', (code, mode, agentsHaveClientCertificate, expected) => {
  expect(verdictOf(code, { plan: plan(mode), agentsHaveClientCertificate })).toBe(expected)
})

test('the message of a timeout names the address and the time', () => {
  const outcome = { phase: 'connect', timedOut: true, presented: [] } as const
  const finding = {
    outcome: { ...outcome, presented: [] },
    at: '10.0.0.5:8443',
    name: 'm',
    plan: plan('embed'),
  }
  const rest = { presented: [], timeoutMs: 2500, now: 0 }
  expect(explain({ ...finding, ...rest, code: 'PREFLIGHT_UNREACHABLE' })).toEqual({
    message: 'no connection to 10.0.0.5:8443 within 2.5 s',
  })
})
