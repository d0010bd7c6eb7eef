// An STS that checks signatures: it rebuilds the signature of what arrived, and answers with the identity of the credentials.
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import { authorizationOf, type Credentials } from './sigv4.ts'

export interface Arrived {
  method: string
  url: string
  /** Names as sent. */
  rawHeaders: string[]
  body: string
}

export interface FakeSts {
  url: string
  port: number
  arrived: Arrived[]
  /** Instead of an answer to GetCallerIdentity with an instance's token. */
  answer?: (request: IncomingMessage, response: ServerResponse) => void
  close(): Promise<void>
}

export interface Identity extends Credentials {
  arn: string
  account: string
}

export interface FakeStsInput {
  region: string
  identities: Identity[]
  tls?: { cert: string; key: string }
}

export function identityXml(arn: string, account: string): string {
  return `<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
  <GetCallerIdentityResult>
    <Arn>${arn}</Arn>
    <UserId>AROAEXAMPLE:session</UserId>
    <Account>${account}</Account>
  </GetCallerIdentityResult>
  <ResponseMetadata><RequestId>01234567-89ab-cdef-0123-456789abcdef</RequestId></ResponseMetadata>
</GetCallerIdentityResponse>`
}

export function errorXml(code: string): string {
  return `<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type><Code>${code}</Code><Message>no</Message></Error><RequestId>1</RequestId></ErrorResponse>`
}

/** Also answers the provisioner's own GetCallerIdentity, a POST of the SDK, with account 123456789012. */
export async function fakeSts({ region, identities, tls }: FakeStsInput): Promise<FakeSts> {
  const arrived: Arrived[] = []
  const listener: RequestListener = async (request, response) => {
    const { method = '', url = '', rawHeaders } = request
    const body = await text(request)
    if (method === 'POST' && body.includes('Action=GetCallerIdentity')) {
      response.end(identityXml('arn:aws:iam::123456789012:user/provisioner', '123456789012'))
      return
    }
    arrived.push({ method, url, rawHeaders, body })
    if (self.answer) return self.answer(request, response)
    const known = identities.find((one) => matches(one, request, body))
    response.writeHead(known ? 200 : 403, { 'content-type': 'text/xml' })
    response.end(known ? identityXml(known.arn, known.account) : errorXml('SignatureDoesNotMatch'))
  }

  function matches(identity: Identity, { headers, method = '', url = '' }: IncomingMessage, body: string) {
    const target = new URL(url, 'http://sts')
    const names = /SignedHeaders=([^,]*)/.exec(headers.authorization ?? '')?.[1]?.split(';') ?? []
    const four = ['host', 'x-amz-date', 'x-amz-security-token', 'x-provision-nonce']
    const more = names
      .filter((name) => !four.includes(name))
      .map((name) => [name, String(headers[name] ?? '')])
    const wanted = authorizationOf({
      ...identity,
      region,
      host: headers.host ?? '',
      date: String(headers['x-amz-date']),
      nonce: String(headers['x-provision-nonce']),
      token: String(headers['x-amz-security-token']),
      method,
      path: target.pathname,
      query: target.search.slice(1),
      body,
      more: Object.fromEntries(more),
    })
    return headers.authorization === wanted && headers['x-amz-security-token'] === identity.token
  }

  const server = tls ? createTlsServer(tls, listener) : createServer(listener)
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const self: FakeSts = {
    url: `http${tls ? 's' : ''}://127.0.0.1:${port}`,
    port,
    arrived,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        // Also those whose TLS handshake failed.
        for (const socket of sockets) socket.destroy()
      }),
  }
  return self
}
