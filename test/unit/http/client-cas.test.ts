// Which CA signed a client's certificate, on real connections.
import { once } from 'node:events'
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls'
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import { clientCertificateOf, isAdmin } from '../../../src/http/client-cas.ts'
import { type Listener, listen, type ServerTls } from '../../../src/http/listen.ts'
import { sendJson } from '../../../src/http/router.ts'
import { createDevelopmentChain, type DevelopmentChain } from '../../../src/pki/development-ca.ts'
import { agentsCa, agentsCaSpec, clientOf, instanceCertificate } from '../../support/instance-certificates.ts'
import { until } from '../../support/server.ts'
import { silentLogger } from '../../support/silent-logger.ts'
import { testKey } from '../../support/test-keys.ts'
import { day, now } from '../../support/x509.ts'
import { purpose } from '../../support/x509-extensions.ts'
import { authority } from '../../support/x509-profiles.ts'

const adminCa = authority('Admin CA')
const stranger = authority('Stranger')
const three = { admin: adminCa.pem, agents: agentsCa.pem, master: stranger.pem }

let chain: DevelopmentChain
let ahead = 0
const open: Listener[] = []
const sockets: TLSSocket[] = []
beforeAll(async () => {
  chain = await createDevelopmentChain({ names: ['master.test'], ips: [], days: 30, now: Date.now() })
})
afterEach(async () => {
  ahead = 0
  for (const socket of sockets.splice(0)) socket.destroy()
  await Promise.all(open.splice(0).map((listener) => listener.close(0)))
})

async function serve(clientCas: ServerTls['clientCas']): Promise<Listener> {
  const listener = await listen({
    address: '127.0.0.1',
    port: 0,
    tls: { cert: chain.chain, key: chain.leaf.key, clientCas },
    now: () => Date.now() + ahead,
    handlers: [
      (request, response) => {
        const shown = clientCertificateOf(request)
        const signers = [...(shown?.signers ?? [])].sort()
        return sendJson(response, 200, { signers, admin: isAdmin(request), name: shown?.certificate.subject })
      },
    ],
    logger: silentLogger,
  })
  open.push(listener)
  return listener
}

interface Answer {
  signers: string[]
  admin: boolean
  name?: string
}

interface Client {
  socket: TLSSocket
  session: () => Buffer | undefined
  ask(): Promise<Answer>
}

/** One connection, kept open. */
async function client({ port }: Listener, options: ConnectionOptions = {}): Promise<Client> {
  const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false, ...options })
  let session: Buffer | undefined
  socket.on('session', (given) => {
    session = given
  })
  sockets.push(socket)
  await once(socket, 'secureConnect')
  return {
    socket,
    session: () => session,
    async ask() {
      let text = ''
      const more = (chunk: Buffer) => {
        text += chunk.toString()
      }
      socket.on('data', more)
      socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
      await until(() => /\}$/.test(text), 'the answer')
      socket.off('data', more)
      return JSON.parse(text.slice(text.indexOf('\r\n\r\n')))
    },
  }
}

const ask = async (listener: Listener, options: ConnectionOptions) => (await client(listener, options)).ask()
const none = { signers: [], admin: false }

describe('a client certificate', () => {
  it.each([
    ['of the administrators', clientOf(adminCa), { signers: ['admin'], admin: true }],
    ['of an instance', instanceCertificate('i-1'), { signers: ['agents'], admin: false, name: 'CN=i-1' }],
    ['of an agent with one of its owner', clientOf(stranger), { signers: ['master'], admin: false }],
    ['that has expired', clientOf(adminCa, { notAfter: now - 1000 }), none],
    ['that is not valid yet', clientOf(adminCa, { notBefore: now + day }), none],
    ['for servers', clientOf(adminCa, { purposes: [purpose.server] }), none],
    ['of nobody', clientOf(authority('Nobody')), none],
    [
      'of another CA with the same name',
      clientOf(authority('Admin CA', { key: testKey('p256', 'x') })),
      none,
    ],
    ['made by an instance', clientOf({ ...agentsCa, key: testKey('p256', 'instance i-1') }), none],
  ])('%s', async (_, pair, expected) => {
    const listener = await serve(three)
    for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const)
      expect(await ask(listener, { ...pair, maxVersion })).toMatchObject(expected)
  })

  it('is not needed', async () => {
    expect(await ask(await serve(three), {})).toEqual(none)
  })

  describe('below a CA that the client sends', () => {
    const below = authority('Below', { issuer: adminCa })
    const { cert, key } = clientOf(below)
    const shown = { cert: cert + below.pem, key }

    it('is one of the CA above, if the others have no CAs below them', async () => {
      for (const texts of [{ admin: adminCa.pem }, { admin: adminCa.pem, agents: agentsCa.pem }]) {
        const listener = await serve(texts)
        const connection = await client(listener, shown)
        for (let n = 0; n < 2; n++)
          expect(await connection.ask()).toMatchObject({ signers: ['admin'], admin: true })
        expect(await ask(listener, { cert, key })).toEqual(none)
        // Which CA it was is not known any more.
        listener.useClientCas({ admin: stranger.pem })
        expect(await connection.ask()).toEqual(none)
      }
    })

    it('is one of the CA above, if the CA between is listed', async () => {
      const listener = await serve({ ...three, admin: adminCa.pem + below.pem })
      for (const pair of [shown, { cert, key }])
        expect(await ask(listener, pair)).toMatchObject({ signers: ['admin'], admin: true })
    })

    it('is never one of a CA that did not sign, if several can have CAs below them', async () => {
      const { signers } = await ask(await serve(three), shown)
      // Node has lost the CA between, or not.
      expect([[], ['admin']]).toContainEqual(signers)
    })

    it('of an instance is never one of an administrator', async () => {
      const usual = authority('Usual CA')
      const agents = authority('CA for agents', { issuer: usual })
      const { cert, key } = instanceCertificate('i-1', agents)
      const listener = await serve({ admin: adminCa.pem, agents: usual.pem })
      expect(await ask(listener, { cert: cert + agents.pem, key })).toMatchObject({ admin: false })
    })
  })

  it('of an instance is none of a CA, even if it passes for one', async () => {
    const instance = authority('i-1', {
      issuer: agentsCa,
      basic: null,
      usage: null,
      purposes: [purpose.client],
    })
    const { cert, key } = clientOf(instance)
    expect(await ask(await serve(three), { cert: cert + instance.pem, key })).toEqual(none)
  })

  it('with a curve that only OpenSSL knows does not end the process', async () => {
    const key = testKey('secp256k1', 'odd')
    const listener = await serve(three)
    const odd = { ...clientOf(authority('Odd', { key }), { key }), sigalgs: undefined }
    await client(listener, odd).catch(() => {})
    expect(await ask(listener, clientOf(adminCa))).toMatchObject({ admin: true })
  })
})

describe('administrators', () => {
  it('are never instances, where the CA of the instances is listed as theirs', async () => {
    const listener = await serve({ admin: adminCa.pem + agentsCa.pem, agents: agentsCa.pem })
    expect(await ask(listener, instanceCertificate('i-1'))).toMatchObject({
      signers: ['admin', 'agents'],
      admin: false,
    })
    expect(await ask(listener, clientOf(agentsCa))).toMatchObject({ admin: false })
    expect(await ask(listener, clientOf(adminCa))).toMatchObject({ admin: true })
  })

  it('are never instances, where the CA above theirs is listed, also after it was replaced', async () => {
    const below = authority('Agents CA of the company', { issuer: adminCa })
    const { cert, key } = instanceCertificate('i-1', below)
    const listener = await serve({ admin: adminCa.pem, agents: below.pem })
    const shown = { cert: cert + below.pem, key }
    expect((await ask(listener, shown)).signers).toContain('agents')
    expect(await ask(listener, shown)).toMatchObject({ admin: false })
    expect(listener.useClientCas({ agents: agentsCa.pem })).toBeUndefined()
    expect(await ask(listener, shown)).toMatchObject({ admin: false })
  })
})

describe('the agents’ CA', () => {
  const next = authority('Agents CA', { ...agentsCaSpec, key: testKey('p256', 'next agents CA') })

  it('can be replaced while the listener serves, with an overlap', async () => {
    const listener = await serve({ admin: adminCa.pem, agents: agentsCa.pem })
    const [old, fresh] = [instanceCertificate('i-1'), instanceCertificate('i-2', next)]
    expect(await ask(listener, fresh)).toEqual(none)
    expect(listener.useClientCas({ agents: agentsCa.pem + next.pem })).toBeUndefined()
    for (const pair of [old, fresh]) expect(await ask(listener, pair)).toMatchObject({ signers: ['agents'] })
    expect(listener.useClientCas({ agents: next.pem })).toBeUndefined()
    expect(await ask(listener, old)).toEqual(none)
    expect(await ask(listener, fresh)).toMatchObject({ signers: ['agents'] })
    expect(await ask(listener, clientOf(adminCa))).toMatchObject({ admin: true })
  })

  it('counts as it is now on connections that are open, too', async () => {
    const listener = await serve({ admin: adminCa.pem, agents: agentsCa.pem })
    const instance = await client(listener, instanceCertificate('i-1'))
    expect(await instance.ask()).toMatchObject({ signers: ['agents'] })
    listener.useClientCas({ agents: next.pem })
    expect(await instance.ask()).toEqual(none)
  })

  it('is kept when a renewed server certificate is used', async () => {
    const listener = await serve({ agents: agentsCa.pem })
    listener.useClientCas({ agents: next.pem })
    listener.useCertificate({ cert: chain.chain, key: chain.leaf.key })
    expect(await ask(listener, instanceCertificate('i-2', next))).toMatchObject({ signers: ['agents'] })
  })

  it('is not replaced by a text without a certificate', async () => {
    const listener = await serve({ agents: agentsCa.pem })
    expect(listener.useClientCas({ agents: '# none\n' })).toMatchObject({ code: 'CLIENT_CA_EMPTY' })
    expect(await ask(listener, instanceCertificate('i-1'))).toMatchObject({ signers: ['agents'] })
  })

  it('changes nothing at a listener that asks for no certificate', async () => {
    const listener = await serve(undefined)
    expect(listener.useClientCas({ agents: agentsCa.pem })).toBeUndefined()
    expect(await ask(listener, instanceCertificate('i-1'))).toEqual(none)
  })
})

it('a listener needs a certificate in each list of CAs', async () => {
  await expect(serve({ admin: '' })).rejects.toMatchObject({ code: 'CLIENT_CA_EMPTY' })
})

it('a certificate counts until it expires, also on an open connection', async () => {
  const connection = await client(await serve(three), clientOf(adminCa, { notAfter: now + day }))
  expect(await connection.ask()).toMatchObject({ admin: true })
  ahead = 2 * day
  expect(await connection.ask()).toEqual(none)
})

describe('a session', () => {
  it.each(['TLSv1.2', 'TLSv1.3'] as const)('of %s is not resumed', async (maxVersion) => {
    const listener = await serve(three)
    const first = await client(listener, { ...clientOf(adminCa), maxVersion })
    expect(await first.ask()).toMatchObject({ admin: true })
    const session = first.session()
    const second = await client(listener, { maxVersion, session })
    expect(second.socket.isSessionReused()).toBe(false)
    expect(await second.ask()).toEqual(none)
  })
})
