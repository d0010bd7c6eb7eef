// OpenSSL as an independent judge: it makes the requests of instances, and verifies what they get.
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { aliveId, type JoinEndpoint, joinEndpoint } from '../../support/join-service.ts'
import { server } from '../../support/x509-profiles.ts'

const run = promisify(execFile)
let folder: string
let end: JoinEndpoint
const at = (name: string) => join(folder, name)
const openssl = async (...args: string[]) => (await run('openssl', args, { cwd: folder })).stdout

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'join-openssl-'))
  end = await joinEndpoint()
  await openssl('ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', 'agent.key')
})
afterAll(async () => {
  await end.close()
  rmSync(folder, { recursive: true })
})

async function joined(...request: string[]): Promise<number> {
  await openssl('req', '-new', '-key', 'agent.key', '-outform', 'DER', '-out', 'agent.csr', ...request)
  const csr = readFileSync(at('agent.csr')).toString('base64')
  await openssl('pkey', '-in', 'agent.key', '-pubout', '-outform', 'DER', '-out', 'agent.pub')
  const digest = await openssl('dgst', '-sha256', '-r', 'agent.pub')
  const { nonce } = (await end.get(`/v1/join/challenge?key=${digest.slice(0, 64)}`)).value
  const answer = await end.join({ csr, nonce, proof: { kind: 'word', of: aliveId, nonce } })
  if (answer.status === 200) {
    writeFileSync(at('agent.crt'), answer.value.certificate)
    writeFileSync(at('ca.pem'), answer.value.ca)
  }
  return answer.status
}

describe('a certificate for a request of openssl', () => {
  it.each([
    ['of one name', ['-sha256', '-subj', `/CN=${aliveId}`]],
    [
      'with wishes that are ignored',
      [
        '-sha256',
        '-subj',
        `/CN=${aliveId}`,
        '-addext',
        'basicConstraints=CA:TRUE',
        '-addext',
        'subjectAltName=DNS:master.example.com',
      ],
    ],
  ])('%s is that of a client, and of nothing else', async (_, request) => {
    expect(await joined(...request)).toBe(200)
    expect(
      await openssl('verify', '-x509_strict', '-purpose', 'sslclient', '-CAfile', 'ca.pem', 'agent.crt'),
    ).toBe('agent.crt: OK\n')
    for (const purpose of ['sslserver', 'smimesign', 'crlsign'])
      await expect(openssl('verify', '-purpose', purpose, '-CAfile', 'ca.pem', 'agent.crt')).rejects.toThrow(
        /unsupported certificate purpose|unsuitable certificate purpose/,
      )
    const text = await openssl('x509', '-in', 'agent.crt', '-noout', '-text')
    expect(text).toMatch(/Subject: CN ?= ?i-0123456789abcdef0\n/)
    expect(text).toMatch(/Subject Alternative Name: \n +URI:provision:instance:i-0123456789abcdef0\n/)
    expect(text).toMatch(/Key Usage: critical\n +Digital Signature\n/)
    expect(text).toMatch(/CA:FALSE/)
    expect(text).not.toContain('master.example.com')
    const own = await openssl('ec', '-in', 'agent.key', '-pubout')
    expect(await openssl('x509', '-in', 'agent.crt', '-noout', '-pubkey')).toBe(own)
  })

  it.each([
    ['of another name', ['-sha256', '-subj', '/CN=i-2']],
    ['of more than a name', ['-sha256', '-subj', `/O=x/CN=${aliveId}`]],
    ['signed with SHA-384', ['-sha384', '-subj', `/CN=${aliveId}`]],
  ])('%s is refused', async (_, request) => {
    expect(await joined(...request)).toBe(403)
  })

  it('authenticates its client to a server of OpenSSL that demands one of this CA, and no other does', async () => {
    await joined('-sha256', '-subj', `/CN=${aliveId}`)
    const other = server()
    writeFileSync(at('server.crt'), other.pem)
    writeFileSync(at('server.key'), other.key.pem)
    const demanding = spawn(
      'openssl',
      [
        's_server',
        '-accept',
        '127.0.0.1:0',
        '-cert',
        'server.crt',
        '-key',
        'server.key',
        '-CAfile',
        'ca.pem',
        '-Verify',
        '2',
        '-verify_return_error',
        '-www',
      ],
      { cwd: folder, stdio: ['ignore', 'pipe', 'ignore'] },
    )
    let out = ''
    demanding.stdout.on('data', (part) => (out += part))
    while (!/ACCEPT .*:(\d+)/.test(out)) await once(demanding.stdout, 'data')
    const [, port] = /ACCEPT .*:(\d+)/.exec(out)!
    const get = (...pair: string[]) =>
      run(
        'curl',
        [
          '--silent',
          '--show-error',
          '--cacert',
          'server.crt',
          '--resolve',
          `master.example.com:${port}:127.0.0.1`,
          ...pair,
          `https://master.example.com:${port}/`,
        ],
        { cwd: folder },
      )
    try {
      expect((await get('--cert', 'agent.crt', '--key', 'agent.key')).stdout).toContain('Client certificate')
      await expect(get()).rejects.toThrow()
      await expect(get('--cert', 'server.crt', '--key', 'server.key')).rejects.toThrow()
    } finally {
      demanding.kill()
    }
  })
})
