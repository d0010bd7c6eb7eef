// A complete provisioner whose pool requires join proofs, and agents that dial its master with certificates of all sorts.
import { createHash, createPublicKey, type KeyObject, X509Certificate } from 'node:crypto'
import { appendFileSync, existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { MasterConfig } from '../../src/config/master-config.ts'
import { type CurrentCa, issueTo, openAgentsCa } from '../../src/join/issuer.ts'
import type { DevelopmentChain } from '../../src/pki/development-ca.ts'
import { dialOptions } from '../../src/pki/dial-options.ts'
import { systemClock } from '../../src/platform/clock.ts'
import type { ProvisionError } from '../../src/problems/index.ts'
import { connectAgentSocket } from '../../src/standalone/protocol/dial.ts'
import type { Binding, JoinStore } from '../../src/state/join.ts'
import { type Asked, ask } from './ask.ts'
import { loadConfig } from './config.ts'
import { challengeFor, csrOf } from './csr.ts'
import { Cluster, freePort } from './stand-alone.ts'
import { storeIn } from './state-store.ts'
import { type TestKey, testKey } from './test-keys.ts'

/** Both PEM. */
export interface Pair {
  cert: string
  key: string
}

export interface IssueOptions {
  /** Label of the key; default: one of the id's own. */
  key?: string
  /** Milliseconds from now. */
  from?: number
  until?: number
}

/** The pool `default` requires proofs, and `open` takes any agent. There is a listener beside the master. */
export class JoinedCluster extends Cluster {
  chain!: DevelopmentChain
  listenPort = 0

  async prepare(...provider: string[]): Promise<MasterConfig> {
    this.chain = await this.certificate()
    const { file } = await this.config('min_instances: 1', 'slots: 1', 'join: required', ...provider)
    this.listenPort = await freePort()
    appendFileSync(
      file,
      `  - {pool_name: open, agents: any}\nlisten: {address: 127.0.0.1, port: ${this.listenPort}}\n`,
    )
    const { config, problems } = loadConfig(file)
    if (!config) throw new Error(JSON.stringify(problems))
    return config
  }

  get store(): JoinStore {
    return storeIn(join(this.dir, '.provision')).join
  }

  ca(): Promise<CurrentCa> {
    return openAgentsCa(this.store).current()
  }

  async binding(id: string): Promise<Binding | undefined> {
    return this.store.binding(id)
  }

  /** SHA-256 of the key that the instance made for itself, hex; undefined before it has one. */
  keyOf(id: string): string | undefined {
    const certificate = this.certificateOf(id)
    return certificate && spkiHash(certificate)
  }

  /** PEM of the certificate on the instance. */
  certificateOf(id: string): string | undefined {
    const path = 'usr/local/determined/join/agent.crt'
    const isThere = existsSync(join(this.dir, '.provision/local/default', id, path))
    return isThere ? this.fileOf(id, path) : undefined
  }

  /** What is on the instance, as a thief has it. */
  own(id: string): Pair {
    const file = (name: string) => this.fileOf(id, `usr/local/determined/join/agent.${name}`)
    return { cert: file('crt'), key: file('key') }
  }

  /** By the CA of this cluster, as it would be without any rule. */
  async issued(
    id: string,
    { key = id, from = -60_000, until = 3_600_000 }: IssueOptions = {},
  ): Promise<Pair> {
    const { publicKey, pem } = keyPair(key)
    const now = Date.now()
    const given = { id, publicKey, now: now + from, expiresAt: now + until }
    return { cert: await issueTo(await this.ca(), given), key: pem }
  }

  /** `admitted`, or the status of the refusal. The connection is closed. */
  async dial(id: string, pair?: Pair, { pool = 'default', reconnect = false } = {}): Promise<string> {
    const trust = { name: 'master.test', ca: this.chain.root.certificate }
    const connection = await connectAgentSocket({
      master: { scheme: 'https', host: '127.0.0.1', port: this.port },
      join: { id, version: '0.38.1', resourcePool: pool, reconnect, hostname: 'h' },
      tls: dialOptions({ ...trust, clientCertificate: pair }),
      clock: systemClock,
      onMessage() {},
      onEnd() {},
    }).catch((error: ProvisionError) => error)
    if (!('problems' in connection)) {
      connection.terminate()
      return 'admitted'
    }
    const { code, details } = connection.problems[0]!
    return String(details?.['status'] ?? details?.['code'] ?? code)
  }

  /** What the process that started the instance gave it, which is in no file of it. */
  secretOf(id: string): string {
    const environment = readFileSync(`/proc/${this.processOf(id)}/environ`, 'utf8').split('\0')
    return environment.find((line) => line.startsWith('PROVISION_JOIN_SECRET='))!.replace(/^[^=]*=/, '')
  }

  /** A request for a certificate with a fresh nonce. */
  async join(id: string, key: TestKey, proof: unknown): Promise<Asked> {
    const { nonce } = (await this.ask('GET', challengeFor(key))).value
    const csr = csrOf({ subject: id, key }).toString('base64')
    return this.ask('POST', '/v1/join', undefined, { body: { id, nonce, csr, proof } })
  }

  /** With the certificate and its key. */
  renew(id: string, pair: Pair, key: TestKey): Promise<Asked> {
    const csr = csrOf({ subject: id, key }).toString('base64')
    return this.ask('POST', '/v1/join/renew', pair, { body: { csr } })
  }

  /** Over TLS, to the master or to the listener beside it. */
  ask(method: string, path: string, pair?: Pair, { port = this.port, body }: AskBeside = {}): Promise<Asked> {
    return ask(method, path, { port, ca: this.chain.root.certificate, ...pair }, body)
  }
}

interface AskBeside {
  port?: number
  body?: unknown
}

function keyPair(label: string): { publicKey: KeyObject; pem: string } {
  const { privateKey, pem } = testKey('p256', `joined ${label}`)
  return { publicKey: createPublicKey(privateKey), pem }
}

function spkiHash(certificate: string): string {
  const { publicKey } = new X509Certificate(certificate)
  return createHash('sha256')
    .update(publicKey.export({ type: 'spki', format: 'der' }))
    .digest('hex')
}
