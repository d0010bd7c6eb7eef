// The development CA with the strictest verifiers: OpenSSL with -x509_strict, Python with VERIFY_X509_STRICT.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  createDevelopmentChain,
  type DevelopmentFiles,
  writeDevelopmentChain,
} from '../../../src/pki/development-ca.ts'

let directory: string
let files: DevelopmentFiles

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'development-ca-'))
  const names = ['master.example.com', '*.pool.example.com']
  const chain = await createDevelopmentChain({ names, ips: ['127.0.0.1', '::1'], days: 30, now: Date.now() })
  files = writeDevelopmentChain(directory, chain)
})
afterAll(() => {
  rmSync(directory, { recursive: true, force: true })
})

function openssl(...args: string[]): string {
  return execFileSync('openssl', args, { encoding: 'utf8', stdio: 'pipe' })
}

function verify(...args: string[]): string {
  const anchors = ['-CAfile', files.rootCertificate, '-untrusted', files.intermediateCertificate]
  return openssl(
    'verify',
    '-x509_strict',
    '-no-CApath',
    '-purpose',
    'sslserver',
    ...anchors,
    ...args,
    files.serverCertificate,
  )
}

test.each([
  ['a name', '-verify_hostname', 'master.example.com'],
  ['a name under the wildcard', '-verify_hostname', 'a.pool.example.com'],
  ['an IPv4 address', '-verify_ip', '127.0.0.1'],
  ['an IPv6 address', '-verify_ip', '::1'],
])('OpenSSL, strict, accepts %s', (_, option, value) => {
  expect(verify(option!, value!)).toBe(`${files.serverCertificate}: OK\n`)
})

test('OpenSSL, strict, refuses another name', () => {
  expect(() => verify('-verify_hostname', 'other.example.com')).toThrow(/hostname mismatch/i)
})

test('constraints and usages are marked critical', () => {
  const text = (file: string) => openssl('x509', '-in', file, '-noout', '-ext', 'basicConstraints,keyUsage')
  expect(text(files.rootCertificate)).toMatch(
    /Constraints: critical\s+CA:TRUE, pathlen:1\s.*Usage: critical\s+Certificate Sign, CRL Sign\s*$/s,
  )
  expect(text(files.intermediateCertificate)).toMatch(
    /Constraints: critical\s+CA:TRUE, pathlen:0\s.*Usage: critical\s+Certificate Sign, CRL Sign\s*$/s,
  )
  expect(text(files.serverCertificate)).toMatch(
    /Constraints: critical\s+CA:FALSE\s.*Usage: critical\s+Digital Signature\s*$/s,
  )
})

const handshake = `
import ssl, sys
chain, key, anchors, name = sys.argv[1:]
server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
server.load_cert_chain(chain, key)
client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
client.verify_flags |= ssl.VERIFY_X509_STRICT
client.load_verify_locations(cadata=open(anchors, encoding='ascii').read())
up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
c = client.wrap_bio(down, up, server_hostname=name)
s = server.wrap_bio(up, down, server_side=True)
for _ in range(10):
    done = 0
    for side in (c, s):
        try:
            side.do_handshake()
            done += 1
        except ssl.SSLWantReadError:
            pass
    if done == 2:
        break
print(c.version())
`

test.each(['master.example.com', 'a.pool.example.com', '127.0.0.1', '::1'])(
  'Python, strict, completes a handshake as %s with the chain as its only anchors',
  (name) => {
    for (const anchors of [files.chain, files.rootCertificate])
      expect(
        execFileSync('python3', ['-c', handshake, files.chain, files.serverKey, anchors, name], {
          encoding: 'utf8',
        }),
      ).toBe('TLSv1.3\n')
  },
)

test('Python, strict, refuses another name', () => {
  const args = ['-c', handshake, files.chain, files.serverKey, files.chain, 'other.example.com']
  expect(() => execFileSync('python3', args, { stdio: 'pipe' })).toThrow(/Hostname mismatch/)
})
