// Every problem of TLS names the line of its key in the configuration, wherever it is reported.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createDevelopmentChain } from '../../../src/pki/development-ca.ts'
import { ProvisionError } from '../../../src/problems/index.ts'
import { builtInProviders } from '../../../src/providers/index.ts'
import { planAll } from '../../../src/provisioner/prepare.ts'
import { composeProvisioner } from '../../../src/provisioner/provisioner.ts'
import { parseConfig } from '../../support/config.ts'
import { FakeClock } from '../../support/fake-clock.ts'
import { silentLogger } from '../../support/silent-logger.ts'

let dir: string
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'tls-lines-'))
  const made = await createDevelopmentChain({ names: ['master.test'], ips: [], days: 30, now: Date.now() })
  writeFileSync(join(dir, 'chain.crt'), made.chain)
  writeFileSync(join(dir, 'server.key'), made.leaf.key, { mode: 0o600 })
  writeFileSync(join(dir, 'text'), 'no certificate')
  writeFileSync(join(dir, 'empty'), '')
})
afterAll(() => rmSync(dir, { recursive: true }))

interface Keys {
  cert?: string
  key?: string
  /** Further keys of the file. */
  top?: string
  /** Further keys of the provider. */
  provider?: string
}

function configOf({ cert = 'chain.crt', key = 'server.key', top = '', provider = '' }: Keys) {
  const text = `port: 0
security:
  tls:
    cert: ${cert}
    key: ${key}
${top}
resource_pools:
  - pool_name: default
    provider:
      type: local
      master_url: https://127.0.0.1:8443
      ${provider}
`
  const { config, problems } = parseConfig(text, join(dir, 'master.yaml'))
  if (!config) throw new Error(JSON.stringify(problems))
  return config
}

type Case = [setting: string, keys: Keys, line: number]

describe('a plan', () => {
  it.each<Case>([
    ['a missing certificate', { cert: 'missing' }, 4],
    ['a certificate that is none', { cert: 'text' }, 4],
    ['a missing CA of a proxy', { provider: 'tls: {ca_file: missing}' }, 12],
    ['a CA of a proxy that is none', { provider: 'tls: {ca_file: text}' }, 12],
    ['a name that the certificate lacks', { provider: 'master_cert_name: other.test' }, 12],
    ['TLS that is off', { provider: 'tls: {trust: off}' }, 12],
  ])('of %s', async (_, keys, line) => {
    const { plans, problems } = await planAll(configOf(keys), {
      now: Date.now(),
      providers: builtInProviders,
      localAgent: ['true'],
    })
    const all = [...problems, ...plans.flatMap((plan) => plan.problems)]
    const tls = all.filter(({ code }) => code.startsWith('TLS_'))
    expect(tls.length).toBeGreaterThan(0)
    expect(tls.map(({ where }) => (where?.setting ?? where)?.line)).toEqual(tls.map(() => line))
  })
})

describe('a start', () => {
  it.each<Case>([
    ['a missing certificate', { cert: 'missing' }, 4],
    ['a missing key', { key: 'missing' }, 5],
    ['a key that is none', { key: 'text' }, 5],
    ['the certificate as its key', { key: 'chain.crt' }, 5],
    [
      'a certificate of the listener that is none',
      { top: 'demand: {type: push}\nlisten: {tls: {cert: text, key: server.key}}' },
      7,
    ],
    [
      'a missing key of the listener',
      { top: 'demand: {type: push}\nlisten: {tls: {cert: chain.crt, key: missing}}' },
      7,
    ],
    ['missing CAs of clients', { top: 'demand: {type: push}\nlisten: {client_ca: missing}' }, 7],
    ['missing CAs of agents', { top: 'resource_manager: {client_ca: missing}' }, 6],
    ['an empty list of CAs of clients', { top: 'demand: {type: push}\nlisten: {client_ca: empty}' }, 7],
    ['an empty list of CAs of agents', { top: 'resource_manager: {client_ca: empty}' }, 6],
    ['a text instead of CAs', { top: 'resource_manager: {client_ca: text}' }, 6],
  ])('with %s', async (_, keys, line) => {
    const provisioner = composeProvisioner({
      config: configOf(keys),
      providers: builtInProviders,
      version: '0.0.0-test',
      env: {},
      localAgent: ['true'],
      clock: new FakeClock(Date.now()),
      logger: silentLogger,
    })
    const error = await provisioner.start().catch((thrown: unknown) => thrown)
    const problems = error instanceof ProvisionError ? error.problems : []
    const tls = problems.filter(({ code }) => /^(TLS_|CLIENT_CA_EMPTY$)/.test(code))
    expect(tls.length).toBeGreaterThan(0)
    expect(tls.map(({ where }) => (where?.setting ?? where)?.line)).toEqual(tls.map(() => line))
  })
})
