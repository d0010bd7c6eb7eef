// Messages about the certificates that a master presented.
import { expect, test } from 'vitest'
import { explain } from '../../../src/pki/preflight-explain.ts'
import { compareLeaf, endsInRoot, topOf } from '../../../src/pki/presented.ts'
import type { CertificateFacts, CertificateRole, TrustPlan } from '../../../src/pki/trust-plan.ts'

function facts(subject: string, issuer: string, more: Partial<CertificateFacts> = {}): CertificateFacts {
  return {
    role: 'leaf',
    subject: `CN=${subject}`,
    issuer: `CN=${issuer}`,
    sans: [],
    notBefore: '2026-01-01T00:00:00.000Z',
    notAfter: '2027-01-01T00:00:00.000Z',
    sha256: `${subject}-${issuer}`,
    pem: '',
    ...more,
  }
}
function plan(...chain: CertificateFacts[]): TrustPlan {
  return { mode: 'embed', modeReason: '', certificateName: 'm.example', certificateNameReason: '', chain }
}

const own = facts('m', 'ca', { sans: ['DNS:m.example', 'DNS:n.example'], sha256: 'own' })

test.each<[string, Partial<CertificateFacts>, string]>([
  ['the same', { sha256: 'own' }, 'same'],
  [
    'issued earlier for one of the names',
    { sans: ['DNS:n.example'], subject: 'CN=x', notBefore: '2025-01-01' },
    'older',
  ],
  ['issued later for the same subject', { sans: [], notBefore: '2026-02-01' }, 'newer'],
  ['issued at the same time', { sans: ['DNS:m.example'] }, 'different'],
  [
    'for others, issued earlier',
    { subject: 'CN=x', sans: ['DNS:x.example'], notBefore: '2025-01-01' },
    'different',
  ],
])('a presented certificate that is %s', (_, more, expected) => {
  const leaf = facts('m', 'ca', { sha256: 'presented', ...more })
  expect(compareLeaf(leaf, plan(own, facts('ca', 'ca', { role: 'root' })))).toBe(expected)
})

test('returns unknown if there is nothing to compare', () => {
  const ca = facts('ca', 'ca', { role: 'root' })
  expect(compareLeaf(own, plan())).toBe('unknown')
  expect(compareLeaf(own, plan(ca))).toBe('unknown')
  expect(compareLeaf(undefined, plan(own))).toBe('unknown')
  const alone = facts('m', 'm', { role: 'root', sans: ['DNS:m.example'], sha256: 'alone' })
  expect(compareLeaf(alone, plan(alone))).toBe('same')
})

test('the chain from the server certificate ends at the last known issuer', () => {
  const [leaf, intermediate, other] = [facts('m', 'ca'), facts('ca', 'root'), facts('b', 'c')]
  const root = facts('root', 'root')
  expect(topOf([leaf, other, intermediate])).toBe(intermediate)
  expect(topOf([leaf, intermediate, root])).toBe(root)
  expect(topOf([leaf, other])).toBe(leaf)
  expect(topOf([facts('a', 'b'), facts('b', 'a')])?.subject).toBe('CN=b')
  expect(topOf([])).toBeUndefined()
  expect([endsInRoot([leaf, root]), endsInRoot([leaf, intermediate])]).toEqual([true, false])
})

test('each expired certificate is named once, with its origin', () => {
  const old = (subject: string, role: CertificateRole) =>
    facts(subject, 'root', { role, notAfter: '2026-06-01T00:00:00.000Z' })
  const finding = {
    code: 'PREFLIGHT_EXPIRED',
    outcome: { phase: 'handshake', timedOut: false, presented: [] },
    at: '10.0.0.5:8443',
    name: 'm.example',
    plan: plan(old('ca', 'intermediate'), old('root', 'root')),
    presented: [old('m', 'leaf'), old('ca', 'intermediate')],
    timeoutMs: 5000,
    now: Date.parse('2026-11-23T12:00:00Z'),
  } as const
  const date = '2026-06-01T00:00:00.000Z'
  expect(
    explain({ ...finding, presented: [...finding.presented], outcome: { ...finding.outcome, presented: [] } })
      .message,
  ).toBe(
    `10.0.0.5:8443 presents CN=m (no names; valid until ${date}; SHA-256 m-root); ` +
      `it expired on ${date}; CN=ca expired on ${date}; CN=root, which agents would receive, expired on ${date}`,
  )
})
