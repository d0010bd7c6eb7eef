// A complete provisioner in its own folder: configuration, certificates, master, local agents.

import { randomUUID, X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect } from 'node:tls'
import { inject } from 'vitest'
import type { MasterConfig } from '../../src/config/master-config.ts'
import type { DemandSource } from '../../src/demand/source.ts'
import { createDevelopmentChain, type DevelopmentChain } from '../../src/pki/development-ca.ts'
import { systemClock } from '../../src/platform/clock.ts'
import type { Clock } from '../../src/platform/ports.ts'
import { builtInProviders } from '../../src/providers/index.ts'
import { composeProvisioner, type Provisioner } from '../../src/provisioner/provisioner.ts'
import { capturingLogger } from './capturing-logger.ts'
import { loadConfig } from './config.ts'

export const localAgent = [process.execPath, inject('cli'), 'agent']

export class Cluster {
  readonly dir = realpathSync(mkdtempSync(join(tmpdir(), 'cluster-')))
  readonly log = capturingLogger()
  /** Of a cluster in a cloud. */
  readonly id = randomUUID()
  port = 0
  #running: Provisioner | undefined

  /** Writes a chain for `master.test` and 127.0.0.1 where the configuration expects it. */
  async certificate(now = Date.now()): Promise<DevelopmentChain> {
    const chain = await createDevelopmentChain({ names: ['master.test'], ips: ['127.0.0.1'], days: 30, now })
    this.serve(chain)
    return chain
  }

  serve({ chain, leaf }: DevelopmentChain): void {
    writeFileSync(join(this.dir, 'chain.crt'), chain)
    writeFileSync(join(this.dir, 'server.key'), leaf.key, { mode: 0o600 })
  }

  /** @param provider lines of the pool's provider block; they replace default lines with the same key */
  async config(...provider: string[]): Promise<MasterConfig> {
    this.port ||= await freePort()
    const usual = ['type: local', 'max_instances: 4', 'boot_timeout: 30s']
    const isGiven = (line: string) => provider.some((own) => own.split(':')[0] === line.split(':')[0])
    const lines = [...usual.filter((line) => !isGiven(line)), ...provider]
    const isLocal = lines.includes('type: local')
    const file = join(this.dir, 'master.yaml')
    writeFileSync(
      file,
      `port: ${this.port}
${isLocal ? '' : `cluster_id: ${this.id}\n`}security: {tls: {cert: chain.crt, key: server.key}}
resource_pools:
  - pool_name: default
    agent_reconnect_wait: 10s
    provider:
${lines.map((line) => `      ${line}\n`).join('')}`,
    )
    const { config, problems } = loadConfig(file)
    if (!config) throw new Error(JSON.stringify(problems))
    return config
  }

  /** @param options `env` is added to the provisioner's usual environment */
  async start(
    config: MasterConfig,
    {
      env,
      ...options
    }: { demand?: DemandSource; clock?: Clock; version?: string; env?: Record<string, string> } = {},
  ): Promise<Provisioner> {
    this.#running = composeProvisioner({
      providers: builtInProviders,
      config,
      version: '0.0.0-test',
      env: { PATH: process.env['PATH'], NODE_NO_WARNINGS: '1', ...env },
      localAgent,
      clock: systemClock,
      logger: this.log,
      ...options,
    })
    await this.#running.start()
    return this.#running
  }

  /** The output of script and agent of a local VM. */
  consoleOf(instance: string): string {
    return this.fileOf(instance, 'console.log')
  }

  /** A file below the root directory of a local VM. */
  fileOf(instance: string, path: string): string {
    return readFileSync(join(this.dir, '.provision/local/default', instance, path), 'utf8')
  }

  /** The leader of a local VM's process group. */
  processOf(instance: string): number {
    return JSON.parse(this.fileOf(instance, 'vm.json')).process.pid
  }

  /** The token that lets a client change things. */
  token(): string {
    return readFileSync(join(this.dir, '.provision/token'), 'utf8').trim()
  }

  /** SHA-256 of the certificate that the master presents to a new client. */
  async presented(): Promise<string | undefined> {
    const socket = connect({ host: '127.0.0.1', port: this.port, rejectUnauthorized: false })
    await once(socket, 'secureConnect')
    const { fingerprint256 } = socket.getPeerX509Certificate()!
    socket.destroy()
    return fingerprint256
  }

  sha256(certificate: string): string {
    return new X509Certificate(certificate).fingerprint256
  }

  /** Log lines that contain the text. */
  said(words: string): string[] {
    return this.log.lines.filter((line) => line.includes(words))
  }

  async dispose(): Promise<void> {
    await this.#running?.stop()
    rmSync(this.dir, { recursive: true, force: true })
  }
}

export async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  await new Promise((resolve) => server.close(resolve))
  return port
}
