import { expect, it } from 'vitest'
import type { Terminal } from '../../../src/cli/terminal.ts'
import { decide } from '../../../src/cli/trust-decision.ts'
import type { UntrustedServer } from '../../../src/http/untrusted-server.ts'

const leaf = {
  subject: 'CN=master',
  issuer: 'CN=ca',
  sans: ['DNS:master'],
  notBefore: '2026-01-01T00:00:00.000Z',
  notAfter: '2027-01-01T00:00:00.000Z',
  sha256: 'ab'.repeat(32),
}
const untrusted: UntrustedServer = {
  url: 'https://master:8443',
  presented: [leaf],
  pem: '',
  hasRoot: true,
  signer: 'by CN=ca',
}

function answering(answer: string): Terminal {
  const nothing = () => {}
  return {
    out: nothing,
    say: nothing,
    write: nothing,
    style: (_, text) => text,
    interactive: true,
    columns: () => 80,
    rows: () => 24,
    ask: async () => answer,
  }
}

it.each([
  ['of a new master', untrusted, 'CLIENT_CERT_UNTRUSTED'],
  ['in place of the stored one', { ...untrusted, stored: [leaf] }, 'CLIENT_CERT_CHANGED'],
])('a no to the certificate %s is not answered by showing it again', async (_, asked, code) => {
  await expect(decide(asked, undefined, answering('n'))).rejects.toThrow(
    `${code}: https://master:8443 is not trusted; nothing was changed`,
  )
  await expect(decide(asked, undefined, answering('y'))).resolves.toBeUndefined()
})
