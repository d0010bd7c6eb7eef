// The endpoint at which instances get their client certificates, as its protocol says, with the CA and the judgement of openssl.
import { execFileSync } from 'node:child_process'
import { createHash, createPublicKey, randomBytes, X509Certificate } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TLSSocket } from 'node:tls'
import { day, type Issued, now } from './x509.ts'
import { purpose } from './x509-extensions.ts'
import { authority, server } from './x509-profiles.ts'

export interface JoinRequest {
  path: 'challenge' | 'join' | 'renew'
  /** Of the answer. */
  status: number
  /** Of `join`: the whole body. */
  body?: { id: string; nonce: string; csr: string; url?: string; proof: Record<string, string> }
  /** Of the request, as openssl shows it after it has verified the signature. */
  subject?: string
  /** PEM of the public key in the request. */
  publicKey?: string
  /** SHA-256 of the client certificate of the connection. */
  peer?: string
}

/** An answer in place of the right one: a status, or a certificate of another key. */
export type Fault = number | 'foreign' | 'no nonce'

export class JoinEndpoint {
  readonly requests: JoinRequest[] = []
  /** Answers to `join` and `renew` that precede all others, in order; the last one stays with `stays`. */
  faults: Fault[] = []
  stays = false
  challengeFaults: Fault[] = []
  lifetimeDays = 7
  readonly ca: Issued
  readonly #dir = mkdtempSync(join(tmpdir(), 'join-endpoint-'))
  /** The digest of the key that each is for. */
  readonly #nonces = new Map<string, string>()
  readonly #server

  constructor(leaf: Issued, chain: Issued[] = []) {
    this.ca = authority('Agents')
    writeFileSync(this.#file('ca.key'), this.ca.key.pem)
    writeFileSync(this.#file('ca.crt'), this.ca.pem)
    this.#server = createServer(
      {
        cert: [leaf, ...chain].map(({ pem }) => pem).join(''),
        key: leaf.key.pem,
        ca: this.ca.pem,
        requestCert: true,
        rejectUnauthorized: false,
      },
      (request, response) => void this.#answer(request, response),
    )
    this.#server.on('tlsClientError', () => {})
  }

  async listen(port = 0): Promise<number> {
    await new Promise<void>((resolve) => this.#server.listen(port, '127.0.0.1', resolve))
    return (this.#server.address() as AddressInfo).port
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  async close(): Promise<void> {
    await this.stop()
    rmSync(this.#dir, { recursive: true, force: true })
  }

  to(path: JoinRequest['path']): JoinRequest[] {
    return this.requests.filter((request) => request.path === path)
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let text = ''
    for await (const chunk of request) text += chunk
    const route = `${request.method} ${request.url}`
    const [, key] = /^GET \/v1\/join\/challenge\?key=([0-9a-f]{64})$/.exec(route) ?? []
    if (key) return this.#challenge(key, response)
    const path = route === 'POST /v1/join' ? 'join' : route === 'POST /v1/join/renew' ? 'renew' : undefined
    const wants = request.headers.accept === 'application/x-pem-file'
    if (!path || !wants || request.headers['content-type'] !== 'application/json')
      return void response.writeHead(404).end()
    const body = JSON.parse(text)
    const peer = (request.socket as TLSSocket).getPeerX509Certificate()
    const mayRenew = path === 'join' || (peer?.verify(new X509Certificate(this.ca.pem).publicKey) ?? false)
    const fault = this.stays ? this.faults[0] : this.faults.shift()
    const csr = this.#judge(body.csr)
    const isFresh = path === 'renew' || this.#nonces.get(body.nonce) === digestOf(csr.publicKey)
    this.#nonces.delete(body.nonce)
    const status = typeof fault === 'number' ? fault : mayRenew && isFresh ? 200 : 403
    this.requests.push({
      path,
      status,
      ...csr,
      ...(path === 'join' && { body }),
      ...(peer && { peer: peer.fingerprint256 }),
    })
    if (status !== 200)
      return void response
        .writeHead(status, { 'content-type': 'application/json', 'retry-after': '1' })
        .end('{"code":"JOIN_REFUSED","message":"refused"}\n')
    const pem = fault === 'foreign' ? server(this.ca, { purposes: [purpose.client] }).pem : this.#issue()
    response.writeHead(200, { 'content-type': 'application/x-pem-file' }).end(pem)
  }

  #challenge(key: string, response: ServerResponse): void {
    const fault = this.challengeFaults.shift()
    const nonce = randomBytes(40).toString('base64url')
    const status = typeof fault === 'number' ? fault : 200
    this.requests.push({ path: 'challenge', status })
    if (status === 200) this.#nonces.set(nonce, key)
    const expiresAt = new Date(Date.now() + 60_000).toISOString()
    response
      .writeHead(status, { 'content-type': 'application/json' })
      .end(fault === 'no nonce' ? '<html>Welcome</html>' : `${JSON.stringify({ nonce, expiresAt })}\n`)
  }

  /** Throws when openssl does not accept the request and its signature. */
  #judge(csr: string): { subject: string; publicKey: string } {
    writeFileSync(this.#file('csr'), Buffer.from(csr, 'base64'))
    const about = ['req', '-inform', 'DER', '-in', this.#file('csr'), '-verify', '-noout']
    const show = (...what: string[]) =>
      execFileSync('openssl', [...about, ...what], { stdio: ['ignore', 'pipe', 'ignore'] }).toString()
    return { subject: show('-subject').trim(), publicKey: show('-pubkey') }
  }

  /** Of the request that was judged last. */
  #issue(): string {
    const files = ['-in', this.#file('csr'), '-CA', this.#file('ca.crt'), '-CAkey', this.#file('ca.key')]
    const args = [
      'x509',
      '-req',
      '-inform',
      'DER',
      ...files,
      '-set_serial',
      `0x${randomBytes(8).toString('hex')}`,
    ]
    const days = ['-days', String(this.lifetimeDays), '-sha256']
    return execFileSync('openssl', [...args, ...days], { stdio: ['ignore', 'pipe', 'ignore'] }).toString()
  }

  #file(name: string): string {
    return join(this.#dir, name)
  }
}

/** SHA-256 of a public key in PEM, hex. */
function digestOf(publicKey: string): string {
  const spki = createPublicKey(publicKey).export({ type: 'spki', format: 'der' })
  return createHash('sha256').update(spki).digest('hex')
}

/** A certificate of the endpoint's CA for a key on the instance that expired yesterday, or is valid for a day. */
export function issuedFor(ca: Issued, keyFile: string, expired: boolean): string {
  const dir = mkdtempSync(join(tmpdir(), 'issued-'))
  try {
    const csr = join(dir, 'csr')
    execFileSync('openssl', ['req', '-new', '-key', keyFile, '-subj', '/CN=i-1', '-out', csr])
    writeFileSync(join(dir, 'ca.key'), ca.key.pem)
    writeFileSync(join(dir, 'ca.crt'), ca.pem)
    const stamp = (ms: number) => new Date(ms).toISOString().replace(/[-:T]/g, '').replace(/\.\d+/, '')
    writeFileSync(join(dir, 'index'), '')
    writeFileSync(
      join(dir, 'conf'),
      `[ca]\ndefault_ca=c\n[c]\ndatabase=${dir}/index\nrand_serial=yes\nnew_certs_dir=${dir}\ndefault_md=sha256\npolicy=p\n[p]\ncommonName=supplied\n`,
    )
    const [from, to] = expired ? [now - 2 * day, now - day] : [now - day, now + day]
    const files = [
      '-cert',
      join(dir, 'ca.crt'),
      '-keyfile',
      join(dir, 'ca.key'),
      '-in',
      csr,
      '-out',
      join(dir, 'crt'),
    ]
    const dates = ['-startdate', stamp(from), '-enddate', stamp(to)]
    execFileSync('openssl', ['ca', '-batch', '-notext', '-config', join(dir, 'conf'), ...files, ...dates], {
      stdio: 'ignore',
    })
    return readFileSync(join(dir, 'crt'), 'utf8')
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
}

/** The public key of a PEM certificate, in PEM. */
export function publicKeyOf(certificate: string): string {
  return new X509Certificate(certificate).publicKey.export({ type: 'spki', format: 'pem' }).toString()
}
