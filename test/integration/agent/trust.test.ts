// An agent joins only a master that it can trust, and reports why it rejects others.
import { createServer, type Server, type Socket } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { wellKnownCas } from '../../../src/standalone/agent/well-known-cas.ts'
import { startMaster, type TestMaster } from '../../support/master.ts'
import { type AgentHome, agentHome } from '../../support/running-agent.ts'
import { until } from '../../support/server.ts'
import { testKey } from '../../support/test-keys.ts'
import { day, type Issued, now } from '../../support/x509.ts'
import { dns, ip, purpose } from '../../support/x509-extensions.ts'
import { authority, masterName, server } from '../../support/x509-profiles.ts'

const root = authority('Root')
const intermediate = authority('Intermediate', { issuer: root })

let home: AgentHome
let masters: TestMaster[]
let servers: Server[]

beforeEach(() => {
  home = agentHome()
  masters = []
  servers = []
})
afterEach(async () => {
  await home.dispose()
  await Promise.all(masters.map((master) => master.stop()))
  for (const each of servers) each.close()
})

/** A master that presents these certificates. */
async function serve(leaf: Issued, ...above: Issued[]): Promise<number> {
  const key = leaf.key.privateKey.export({ type: 'pkcs8', format: 'pem' }) as string
  const cert = [leaf, ...above].map((each) => each.pem).join('')
  const master = await startMaster({}, { tls: { cert, key } })
  masters.push(master)
  return master.listener.port
}

/** A port whose clients are handled by `meet`. */
function serveRaw(meet: (socket: Socket) => void): Promise<number> {
  const each = createServer((socket) => {
    socket.on('error', () => {})
    meet(socket)
  })
  servers.push(each)
  return new Promise((resolve) =>
    each.listen(0, '127.0.0.1', () => resolve((each.address() as { port: number }).port)),
  )
}

function dial(port: number, change: Record<string, string | number> = {}) {
  return home.run({
    DET_MASTER_PORT: port,
    DET_SECURITY_TLS_ENABLED: 'true',
    DET_SECURITY_TLS_MASTER_CERT: home.file('master.crt', intermediate.pem + root.pem),
    DET_SECURITY_TLS_MASTER_CERT_NAME: masterName,
    ...change,
  })
}

/** The log of an agent that could not join, after it has exited. */
async function refusal(port: number, change: Record<string, string | number> = {}): Promise<unknown> {
  const agent = dial(port, change)
  expect(await agent.exit).toBe(1)
  expect(masters.flatMap(({ events }) => events)).toEqual([])
  const line = agent.lines.find((each) => each.startsWith('error could not join the master'))
  return JSON.parse(line!.slice(line!.indexOf('{')))
}

const past = { notBefore: now - 9 * day, notAfter: now - day }
const future = { notBefore: now + day, notAfter: now + 9 * day }

describe('an agent does not join a master', () => {
  it('whose CA it was not given', async () => {
    const other = authority('Root of others')
    expect(await refusal(await serve(server(other), other))).toEqual({
      kind: 'UNKNOWN_CA',
      reason: expect.stringContaining(`not signed by a CA this agent trusts (${home.dir}/master.crt)`),
      presents: expect.stringMatching(
        /^CN=master \(DNS:master.example.com\), issued by CN=Root of others, valid from /,
      ),
    })
  })

  it('whose CA only has the name of the right one', async () => {
    const other = authority('Root', { key: testKey('p256', 'another root') })
    const answer = await refusal(await serve(server(other)))
    expect(answer).toMatchObject({ reason: expect.stringContaining('not signed by a CA this agent trusts') })
  })

  it('with a different self-signed certificate', async () => {
    expect(await refusal(await serve(server()))).toMatchObject({ kind: 'OTHER_SELF_SIGNED' })
  })

  it('of a private CA when it was given no certificate', async () => {
    const answer = await refusal(await serve(server(root)), { DET_SECURITY_TLS_MASTER_CERT: '' })
    expect(answer).toMatchObject({
      reason: expect.stringMatching(/CA this agent trusts \(the well-known CAs\)/),
    })
  })

  it('that does not send its intermediate', async () => {
    const port = await serve(server(intermediate))
    const onlyRoot = home.file('root.crt', root.pem)
    expect(await refusal(port, { DET_SECURITY_TLS_MASTER_CERT: onlyRoot })).toMatchObject({
      kind: 'UNKNOWN_CA',
      reason: expect.stringContaining('or the master does not send its intermediate CA'),
      presents: expect.stringContaining('issued by CN=Intermediate'),
    })
  })

  it('with another name', async () => {
    expect(await refusal(await serve(server(root, { names: [dns('other.example.com')] })))).toEqual({
      kind: 'WRONG_NAME',
      reason: `the certificate is for DNS:other.example.com, not for ${masterName}`,
      presents: expect.stringContaining('(DNS:other.example.com)'),
    })
  })

  it('whose certificate is not for the dialled address, when no name was given', async () => {
    const port = await serve(server(root))
    expect(await refusal(port, { DET_SECURITY_TLS_MASTER_CERT_NAME: '' })).toMatchObject({
      kind: 'WRONG_NAME',
      reason: expect.stringContaining('not for 127.0.0.1'),
    })
  })

  it('whose certificate has expired, or one above it', async () => {
    expect(await refusal(await serve(server(root, past)))).toMatchObject({
      kind: 'EXPIRED',
      reason: 'a certificate it presents has expired',
      presents: expect.stringContaining(
        `to ${new Date(Math.floor(past.notAfter / 1000) * 1000).toISOString()}`,
      ),
    })
    const expired = authority('Expired', { issuer: root, ...past })
    expect(await refusal(await serve(server(expired), expired))).toMatchObject({ kind: 'EXPIRED' })
  })

  it('whose certificate is not valid yet', async () => {
    expect(await refusal(await serve(server(root, future)))).toMatchObject({ kind: 'NOT_YET_VALID' })
  })

  it('whose certificate is for clients', async () => {
    const leaf = server(root, { purposes: [purpose.client] })
    expect(await refusal(await serve(leaf))).toMatchObject({ kind: 'BAD_PURPOSE' })
  })

  it('whose certificate is signed with SHA-1', async () => {
    expect(await refusal(await serve(server(root, { digest: 'sha1' })))).toMatchObject({ kind: 'TOO_WEAK' })
  })

  it('that speaks plain text on a TLS port', async () => {
    const port = await serveRaw((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'))
    expect(await refusal(port)).toMatchObject({
      kind: 'NOT_TLS',
      reason: 'the port does not speak TLS, but security.tls.enabled is on',
    })
  })

  it('that speaks TLS on a plain text port', async () => {
    const port = await serve(server(root))
    const off = { DET_SECURITY_TLS_ENABLED: '', DET_SECURITY_TLS_MASTER_CERT: '' }
    expect(await refusal(port, off)).toMatchObject({ reason: expect.stringContaining('may require TLS') })
  })

  it('that closes the connection in the handshake', async () => {
    expect(await refusal(await serveRaw((socket) => socket.destroy()))).toMatchObject({
      kind: 'CLOSED_IN_HANDSHAKE',
    })
  })

  it('that does not exist', async () => {
    const port = await serveRaw(() => {})
    servers[0]!.close()
    expect(await refusal(port)).toEqual({ kind: 'REFUSED', reason: 'connection refused' })
  })

  it('whose name has no address', async () => {
    const answer = await refusal(1, { DET_MASTER_HOST: 'no-such-host.invalid' })
    expect(answer).toMatchObject({ reason: expect.stringContaining('no-such-host.invalid') })
  })

  it.each([
    ['holds none', 'nothing here\n', /master\.crt contains no certificates/],
    [
      'holds broken ones',
      '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n',
      /contains no certificates/,
    ],
  ])('with a certificate file that %s', async (_, text, message) => {
    const file = home.file('empty-master.crt', text)
    expect(await refusal(1, { DET_SECURITY_TLS_MASTER_CERT: file })).toMatchObject({
      reason: expect.stringMatching(message),
    })
  })

  it('with a certificate file that does not exist', async () => {
    expect(await refusal(1, { DET_SECURITY_TLS_MASTER_CERT: '/nonexistent/master.crt' })).toMatchObject({
      reason: expect.stringMatching(/master certificate cannot be read: ENOENT/),
    })
  })
})

describe('an agent without a certificate uses SSL_CERT_FILE, like a Go program', () => {
  const without = { DET_SECURITY_TLS_MASTER_CERT: '' }
  const joinsWith = async (port: number, change: Record<string, string>) => {
    const agent = dial(port, { ...without, ...change })
    await until(() => agent.said().includes('joined the master'), 'the agent to join')
  }

  it('joins a master whose root is in that file, among others', async () => {
    const port = await serve(server(intermediate), intermediate)
    const list = home.file('list.crt', `# a list\n${authority('Another').pem.trimEnd()}\n${root.pem}`)
    await joinsWith(port, { SSL_CERT_FILE: list, SSL_CERT_DIR: '/nonexistent' })
  })

  it('joins one whose root is in a directory of SSL_CERT_DIR', async () => {
    const port = await serve(server(root))
    home.file('own-root.pem', root.pem)
    await joinsWith(port, { SSL_CERT_FILE: '/nonexistent', SSL_CERT_DIR: `/nonexistent:${home.dir}` })
  })

  it('uses the contents of the file at the time of the dial', async () => {
    const port = await serve(server(root))
    const list = home.file('list.crt', authority('Another').pem)
    const env = { ...without, SSL_CERT_FILE: list, SSL_CERT_DIR: '/nonexistent' }
    expect(await refusal(port, env)).toMatchObject({
      kind: 'UNKNOWN_CA',
      reason: expect.stringContaining(`not signed by a CA this agent trusts (${list})`),
    })
    home.file('list.crt', root.pem)
    await joinsWith(port, env)
  })

  it.each([
    ['is missing', undefined],
    ['is empty', ''],
    ['holds none that can be read', '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n'],
  ])('trusts nobody where the file %s, and never the list of Node', async (_, text) => {
    const list = text === undefined ? `${home.dir}/missing` : home.file('list.crt', text)
    const env = { ...without, SSL_CERT_FILE: list, SSL_CERT_DIR: '/nonexistent' }
    expect(wellKnownCas(env)).toEqual([])
    expect(await refusal(await serve(server(root)), env)).toMatchObject({ kind: 'UNKNOWN_CA' })
  })

  it('uses only the certificate it was given, if there is one', async () => {
    const port = await serve(server(root))
    const list = home.file('list.crt', root.pem)
    const other = home.file('other.crt', authority('Another').pem)
    const env = { SSL_CERT_FILE: list, DET_SECURITY_TLS_MASTER_CERT: other }
    expect(await refusal(port, env)).toMatchObject({ kind: 'UNKNOWN_CA' })
  })
})

describe('an agent joins a master', () => {
  it.each([
    ['under its DNS name', masterName, [dns(masterName)]],
    ['under its address, when it was told no name', '', [ip('127.0.0.1')]],
    ['under a wildcard', 'a.pool.example.com', [dns('*.pool.example.com')]],
  ])('%s', async (_, name, names) => {
    const port = await serve(server(intermediate, { names }), intermediate)
    const agent = dial(port, { DET_SECURITY_TLS_MASTER_CERT_NAME: name })
    await until(() => agent.said().includes('joined the master'), 'the agent to join')
  })

  it('below a CA with a key that crashes Node when it is read', async () => {
    const odd = authority('Odd', { issuer: root, key: testKey('brainpool') })
    const agent = dial(await serve(server(odd), odd))
    await until(() => agent.said().includes('joined the master'), 'the agent to join')
  })

  it('beside invalid certificates of the file, which it reports', async () => {
    const port = await serve(server(root))
    const broken = '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n'
    const file = home.file('mixed.crt', broken + root.pem)
    const agent = dial(port, { DET_SECURITY_TLS_MASTER_CERT: file })
    await until(() => agent.said().includes('joined the master'), 'the agent to join')
    expect(agent.said()).toMatch(/warn a certificate in the file is ignored .*"number":1,"line":1/)
  })

  it('with the certificates in its file at the time of the dial', async () => {
    const port = await serve(server(root))
    const file = home.file('renewed.crt', authority('Before').pem)
    const agent = dial(port, { DET_SECURITY_TLS_MASTER_CERT: file })
    expect(await agent.exit).toBe(1)
    home.file('renewed.crt', root.pem)
    const again = dial(port, { DET_SECURITY_TLS_MASTER_CERT: file })
    await until(() => again.said().includes('joined the master'), 'the agent to join')
  })
})
