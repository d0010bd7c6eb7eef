// A join endpoint in a process of its own, what its instances can prove, and what attackers have.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { Agent, request } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { JoinLimits } from '../../../src/join/index.ts'
import { challengeFor, csrOf } from '../csr.ts'
import { type FakeSts, fakeSts, type Identity } from '../join-proofs/fake-sts.ts'
import {
  certificateOf,
  claimsOf,
  googleKey,
  type TokenSpec,
  tokenOf,
} from '../join-proofs/identity-tokens.ts'
import {
  documentFacts,
  regionCertificate,
  type SignatureSpec,
  signedDocument,
} from '../join-proofs/signed-documents.ts'
import { basicDate, type SigningInput, stsProof } from '../join-proofs/sigv4.ts'
import { rawTlsClient } from '../server.ts'
import { type TestKey, testKey } from '../test-keys.ts'
import { dns } from '../x509-extensions.ts'
import { server as serverCertificate } from '../x509-profiles.ts'
import { type EndpointReport, type EndpointSettings, ids, joinUrl, places } from './settings.ts'

export interface Reply {
  status: number
  text: string
  /** Names and values of all headers but the date. */
  head: string
}

export interface SendOptions {
  headers?: Record<string, string>
  /** PEM of a client certificate, and its key. */
  pair?: { cert: string; key: string }
  /** Of loopback. */
  from?: string
}

export interface SentJoin extends SendOptions {
  id?: string
  key?: TestKey
  nonce?: string
  csr?: string
  /** Of the nonce. */
  proof: object | undefined | ((nonce: string) => unknown)
}

const instanceArn = (id: string, account: string = places.aws.account) =>
  `arn:aws:sts::${account}:assumed-role/aws:ec2-instance/${id}`

function identity(name: string, arn: string, account: string = places.aws.account): Identity {
  const accessKey = `ASIA${name.toUpperCase().padEnd(16, '0')}`
  return { accessKey, secret: `secret of ${name}`, token: `IQoJb3JpZ2lu${name}==`, arn, account }
}

/** An account of the attacker, with an instance of the same id as far as STS is asked. */
const foreign = (tag: string, id: string) =>
  identity(`foreign${tag}`, instanceArn(id, '999999999999'), '999999999999')
const role = (tag: string, id: string) =>
  identity(`role${tag}`, `arn:aws:sts::${places.aws.account}:assumed-role/ec2-instance/${id}`)
const user = (tag: string, id: string) =>
  identity(`user${tag}`, `arn:aws:iam::${places.aws.account}:user/aws:ec2-instance/${id}`)

/** Whose signatures the STS knows. */
export const identities = {
  instance: identity('instance', instanceArn(ids.aws)),
  other: identity('other', instanceArn(ids.awsOther)),
  fresh: identity('fresh', instanceArn(ids.awsFresh)),
  gone: identity('gone', instanceArn(ids.gone)),
  elsewhere: identity('elsewhere', instanceArn(ids.elsewhere)),
  foreign: foreign('a', ids.aws),
  role: role('a', ids.aws),
  user: user('a', ids.aws),
  foreignFresh: foreign('b', ids.awsFresh),
  roleFresh: role('b', ids.awsFresh),
  userFresh: user('b', ids.awsFresh),
  unknown: identity('unknown', instanceArn(ids.nobody)),
}

export type Hostile = Awaited<ReturnType<typeof hostileWorld>>

export async function hostileWorld(limits: Partial<JoinLimits> = { refusalAfter: 0 }) {
  const stateDir = mkdtempSync(join(tmpdir(), 'hostile-'))
  const now = Date.now()
  const server = serverCertificate(undefined, { names: [dns('provision.test')] })
  const sts: FakeSts = await fakeSts({ region: places.aws.region, identities: Object.values(identities) })
  const regionFile = join(stateDir, 'region.pem')
  writeFileSync(regionFile, regionCertificate.pem)
  const secrets = {
    [ids.local]: 'S'.repeat(43),
    [ids.localOther]: 'T'.repeat(43),
    [ids.localFresh]: 'U'.repeat(43),
  }
  const aws = { pool: 'aws', zone: places.aws.zone }
  const gcp = { pool: 'gcp', zone: places.gcp.zone }
  const settings: EndpointSettings = {
    ...{
      stateDir,
      url: joinUrl,
      now,
      cert: server.pem,
      key: server.key.pem,
      stsUrl: sts.url,
      regionFile,
      secrets,
    },
    googleCertificate: certificateOf(googleKey),
    privateIp: documentFacts.privateIp,
    instances: [
      { id: ids.aws, ...aws },
      { id: ids.awsOther, ...aws },
      { id: ids.awsDocument, ...aws },
      { id: ids.awsFresh, ...aws },
      { id: ids.gcpFresh, ...gcp },
      { id: ids.localFresh, pool: 'local' },
      { id: ids.gone, ...aws, isAlive: false },
      { id: ids.elsewhere, pool: 'cpu' },
      { id: ids.gcp, ...gcp },
      { id: ids.gcpOther, ...gcp },
      { id: ids.local, pool: 'local' },
      { id: ids.localOther, pool: 'local' },
    ],
    limits,
  }
  const child = spawn(
    process.execPath,
    ['--expose-gc', '--no-warnings', fileURLToPath(new URL('process.ts', import.meta.url))],
    {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: {
        PATH: process.env['PATH'],
        HOSTILE: JSON.stringify(settings),
        ...{
          AWS_ENDPOINT_URL_STS: sts.url,
          AWS_ENDPOINT_URL_EC2: sts.url,
          AWS_EC2_METADATA_DISABLED: 'true',
        },
        ...{ AWS_ACCESS_KEY_ID: 'key', AWS_SECRET_ACCESS_KEY: 'secret' },
      },
    },
  )
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const port = Number((await lines.next()).value)
  /** By the address of the sender. */
  const agents = new Map<string, Agent>()
  function agentOf(from: string): Agent {
    const found = agents.get(from) ?? new Agent({ keepAlive: true, maxSockets: 50 })
    agents.set(from, found)
    return found
  }

  function send(
    method: string,
    path: string,
    body?: unknown,
    { headers, pair, from = '127.0.0.1' }: SendOptions = {},
  ) {
    return new Promise<Reply>((resolve, reject) => {
      const agent = pair ? (false as const) : agentOf(from)
      const to = { host: '127.0.0.1', port, servername: 'provision.test', ca: server.pem, agent }
      const own = { ...pair, localAddress: from, ...(headers && { headers }) }
      const sent = request({ ...to, method, path, ...own }, (response) => {
        const chunks: Buffer[] = []
        response.on('data', (chunk: Buffer) => chunks.push(chunk))
        response.on('end', () => {
          const text = Buffer.concat(chunks).toString()
          const head = Object.entries(response.headers).filter(
            ([name]) => !/^(date|connection|keep-alive)$/.test(name),
          )
          resolve({ status: response.statusCode ?? 0, text, head: JSON.stringify(head) })
        })
      })
      sent.on('error', reject)
      sent.end(
        typeof body === 'string' || Buffer.isBuffer(body) || body === undefined ? body : JSON.stringify(body),
      )
    })
  }

  async function nonce(key: TestKey, options: SendOptions = {}): Promise<string> {
    const { status, text } = await send('GET', challengeFor(key), undefined, options)
    if (status !== 200) throw new Error(`${status} ${text}`)
    return JSON.parse(text).nonce
  }

  return {
    ...{ port, secrets, sts, send, nonce },
    /** The whole answer to these bytes, until the endpoint closes the connection. */
    raw: (bytes: string, pair = {}) =>
      rawTlsClient(port, { servername: 'provision.test', ...pair }, bytes).end,
    async join({ id = ids.aws, key = testKey('p256', 'attacker'), ...sent }: SentJoin): Promise<Reply> {
      const used = sent.nonce ?? (await nonce(key, sent))
      const csr = sent.csr ?? csrOf({ subject: id, key }).toString('base64')
      const proof = typeof sent.proof === 'function' ? sent.proof(used) : sent.proof
      return send('POST', '/v1/join', { id, nonce: used, csr, proof }, sent)
    },
    renew(pair: { cert: string; key: string }, key: TestKey, id: string): Promise<Reply> {
      return send('POST', '/v1/join/renew', { csr: csrOf({ subject: id, key }).toString('base64') }, { pair })
    },
    /** Why the last request was refused, which the sender does not get. */
    async lastCode(): Promise<string> {
      child.stdin.write('last\n')
      return JSON.parse((await lines.next()).value ?? '""')
    },
    async report(): Promise<EndpointReport> {
      child.stdin.write('\n')
      return JSON.parse((await lines.next()).value ?? '{}')
    },
    async close() {
      for (const agent of agents.values()) agent.destroy()
      child.stdin.end()
      await once(child, 'exit')
      await sts.close()
      rmSync(stateDir, { recursive: true })
    },
  }
}

// Proofs as they arrive, right in all that is not said.

export function stsProofOf(
  nonce: string,
  whose: keyof typeof identities = 'instance',
  more: Partial<SigningInput> = {},
) {
  const host = `sts.${places.aws.region}.amazonaws.com`
  const given = { region: places.aws.region, host, nonce, date: basicDate(Date.now()) }
  return stsProof({ ...identities[whose], ...given, ...more })
}

export const documentTime = (from: number) => `${new Date(Date.now() + from).toISOString().slice(0, 19)}Z`

export function documentProofOf(facts: object = {}, spec: SignatureSpec = {}) {
  const all = { ...documentFacts, instanceId: ids.awsDocument, pendingTime: documentTime(-60_000), ...facts }
  const content = Buffer.from(JSON.stringify(all))
  const signature = signedDocument(content, spec).toString('base64')
  return { kind: 'aws-identity-document', document: content.toString('base64'), signature }
}

export function tokenProofOf(
  nonce: string,
  engine: Record<string, unknown> = {},
  more: Record<string, unknown> = {},
  spec: TokenSpec = {},
) {
  const claims = claimsOf(
    { aud: `${joinUrl}/v1/join/${nonce}`, ...more },
    { instance_name: ids.gcp, ...engine },
  )
  return { kind: 'gcp-identity-token', token: tokenOf(claims, spec) }
}

export const secretProofOf = (secret: string) => ({ kind: 'local-secret', secret })
