// Pools whose agents join with client certificates: where instances ask for them, what they verify there, what is refused.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createDevelopmentChain } from '../../../src/pki/development-ca.ts'
import { systemClock } from '../../../src/platform/clock.ts'
import { builtInProviders as providers } from '../../../src/providers/index.ts'
import { checkAll } from '../../../src/provisioner/check.ts'
import { checkAgents, checkClientCas } from '../../../src/provisioner/check-rows.ts'
import { dryRunPool, isReady, planAll } from '../../../src/provisioner/prepare.ts'
import { validateAll } from '../../../src/provisioner/validate.ts'
import { loadConfig } from '../../support/config.ts'
import { FakeToken } from '../../support/fake-token.ts'
import { silentLogger } from '../../support/silent-logger.ts'
import { authority } from '../../support/x509-profiles.ts'

let dir: string
let master: string
let listener: string
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'join-'))
  const make = async (name: string, dns: string[], ips: string[]) => {
    const { chain, leaf } = await createDevelopmentChain({ names: dns, ips, days: 365, now: Date.now() })
    writeFileSync(join(dir, `${name}.crt`), chain)
    writeFileSync(join(dir, `${name}.key`), leaf.key)
    return chain
  }
  master = await make('master', ['master.test'], [])
  listener = await make('listener', ['provision.test'], ['10.0.0.9'])
  writeFileSync(join(dir, 'empty.pem'), '\n')
  writeFileSync(join(dir, 'ca.pem'), master)
})
afterAll(() => rmSync(dir, { recursive: true, force: true }))

interface Pool {
  type?: 'aws' | 'gcp' | 'local'
  join?: string
  more?: string
}

const keys = {
  aws: 'type: aws, region: us-west-2, image_id: ami-0123456789abcdef0, instance_type: g5.xlarge, metadata_hop_limit: 1',
  gcp: 'type: gcp, project: p, zone: z-a, boot_disk_source_image: projects/p/global/images/i',
  local: 'type: local',
}

function write(top: string, { type = 'aws', join: joining = 'required', more = '' }: Pool = {}): string {
  const isUrlGiven = type === 'local' || more.includes('master_url')
  const url = isUrlGiven ? '' : ', master_url: "https://master.test:8443"'
  const file = join(dir, 'master.yaml')
  const provider = `{${keys[type]}${url}, join: ${joining}${more}}`
  const tls = top.includes('security:') ? '' : 'security: {tls: {cert: master.crt, key: master.key}}\n'
  writeFileSync(
    file,
    `${tls}cluster_id: c\n${top}\nresource_pools:\n  - pool_name: p\n    provider: ${provider}\n`,
  )
  return file
}

/** The plan of the one pool, and codes with lines of what validate says. */
async function planned(top: string, pool?: Pool) {
  const file = write(top, pool)
  const { config, problems } = loadConfig(file)
  expect(problems.filter(({ severity }) => severity === 'error')).toEqual([])
  const { plans } = await planAll(config!, { now: Date.now(), providers })
  const validation = await validateAll(file, { env: {}, now: Date.now(), providers })
  const found = validation.problems.map(({ code, where }) => `${code} ${where?.line}`)
  const said = validation.problems.map(({ message, remedy }) => `${message}: ${remedy}`).join('\n')
  const [plan] = plans
  return { plan: plan!, config: config!, joined: plan!.setup?.join, found, said, valid: validation.valid }
}

const determined = 'demand: {type: determined, url: "https://master.test:8443", token_file: ca.pem}'
const demanding = 'resource_manager: {require_authentication: true, client_ca: ca.pem}'
const beside = (listen: string) => `${determined}\n${demanding}\nlisten: ${listen}`

describe('with the built-in master', () => {
  it('instances ask where agents dial, and trust the same certificate', async () => {
    const { joined, found } = await planned('')
    expect(joined).toEqual({
      url: 'https://master.test:8443',
      name: 'master.test',
      proofs: ['aws-sts'],
      renewSeconds: 86_400,
    })
    expect(found).toEqual([])
  })

  it.each([
    ['gcp', 'https://master.test:8443', 'gcp-identity-token'],
    ['local', 'https://127.0.0.1:8443', 'local-secret'],
  ] as const)('%s has an address and a proof of its own', async (type, url, proof) => {
    expect((await planned('', { type })).joined).toMatchObject({ url, name: 'master.test', proofs: [proof] })
  })

  it('with several masters they ask at each, and verify there what agents verify', async () => {
    const image = 'agent_docker_image: provision-agent'
    const at = async (...urls: string[]) =>
      planned('', { more: `, ${image}, master_url: ${JSON.stringify(urls)}` })
    const each = await at('https://master.test:8443', 'https://other.test:9443')
    expect(each.joined).toMatchObject({
      url: 'https://master.test:8443',
      name: 'master.test',
      others: [{ url: 'https://other.test:9443', name: 'other.test' }],
    })
    expect(each.found).toEqual([])
    expect(dryRunPool(each.plan as Parameters<typeof dryRunPool>[0])).toMatchObject({
      tls: { masterUrls: ['https://master.test:8443', 'https://other.test:9443'], certificateName: null },
      join: { others: [{ url: 'https://other.test:9443', name: 'other.test' }] },
    })
    expect(checkAgents('pool p', each.plan)[0]!.note).toContain(
      'client certificates from https://master.test:8443 or https://other.test:9443 by aws-sts',
    )
    const addresses = await at('https://10.0.0.5:8443', 'https://10.0.0.6:8443')
    expect(addresses.joined).toMatchObject({
      name: 'master.test',
      others: [{ url: 'https://10.0.0.6:8443', name: 'master.test' }],
    })
  })

  it('a join.url that is one of several masters is verified as that one, and is the only one', async () => {
    const urls = '["https://10.0.0.5:8443", "https://master.test:9443"]'
    const { joined } = await planned('', {
      join: '{proof: required, url: "https://master.test:9443"}',
      more: `, agent_docker_image: provision-agent, master_url: ${urls}`,
    })
    expect(joined).toMatchObject({ url: 'https://master.test:9443', name: 'master.test' })
    expect(joined!.others).toBeUndefined()
  })

  it('other proofs are in the order of the file, and short certificates are renewed earlier', async () => {
    const proofs = '{proof: required, proofs: [aws-identity-document, aws-sts]}'
    expect((await planned('agents_ca: {lifetime: 12h}', { join: proofs })).joined).toMatchObject({
      proofs: ['aws-identity-document', 'aws-sts'],
      renewSeconds: 14_400,
    })
  })

  it('an address of the listener is verified by its chain', async () => {
    const listen = 'listen: {port: 8444, tls: {cert: listener.crt, key: listener.key}}'
    const at = (url: string) => planned(listen, { join: `{proof: required, url: "${url}"}` })
    expect((await at('https://10.0.0.9:8444/')).joined).toMatchObject({
      url: 'https://10.0.0.9:8444',
      name: 'provision.test',
      chain: listener,
    })
    // The master under another address.
    const other = (await at('https://10.0.0.5:8443')).joined!
    expect(other).toMatchObject({ url: 'https://10.0.0.5:8443', name: 'master.test' })
    expect(other.chain).toBeUndefined()
  })

  it('agent.yaml names the files, and the pool needs no certificate of its own', async () => {
    const { plan, found } = await planned(demanding)
    expect(found).toEqual([])
    expect(plan.hasClientCertificate).toBe(true)
    expect(plan.setup!.agentConfig).toMatchObject({
      security: {
        tls: {
          client_cert: '/usr/local/determined/join/agent.crt',
          client_key: '/usr/local/determined/join/agent.key',
        },
      },
    })
  })

  it('a certificate of the user beside it is a conflict', async () => {
    const own = '{security: {tls: {client_cert: /c.pem, client_key: /k.pem}}}'
    const { found, plan } = await planned('', { more: `, agent_config_file_contents: ${own}` })
    expect(found).toEqual(['AGENT_CONFIG_CONFLICT 6', 'AGENT_CONFIG_CONFLICT 6'])
    expect(plan.setup).toBeUndefined()
  })
})

describe('beside a Determined master', () => {
  it('instances ask at the address of listen', async () => {
    const { joined, found } = await planned(
      beside('{address: 10.0.0.9, tls: {cert: listener.crt, key: listener.key}}'),
    )
    expect(joined).toMatchObject({ url: 'https://10.0.0.9:8444', name: 'provision.test', chain: listener })
    expect(found).toEqual([])
    const same = (await planned(beside('{address: master.test, port: 9000}'))).joined!
    expect(same).toEqual({
      url: 'https://master.test:9000',
      name: 'master.test',
      proofs: ['aws-sts'],
      renewSeconds: 86_400,
    })
  })

  it.each([
    ['{}'],
    ['{address: 0.0.0.0}'],
    ['{address: "::", port: 9000}'],
    ['{address: 127.0.0.1}'],
    ['{address: localhost}'],
  ])('an address that instances cannot dial is refused, with the line to write: %s', async (listen) => {
    const { found, said, plan } = await planned(beside(listen))
    expect(found).toEqual(['JOIN_URL_MISSING 8'])
    const port = listen.includes('9000') ? 9000 : 8444
    expect(said).toContain(`join: {proof: required, url: "https://HOST:${port}"}`)
    expect(isReady(plan)).toBe(false)
  })

  it('instances on this machine can dial it', async () => {
    const more = ', allow_command_agents: true'
    const at = async (listen: string) => (await planned(beside(listen), { type: 'local', more })).joined?.url
    expect(await at('{}')).toBe('https://127.0.0.1:8444')
    expect(await at('{address: 127.0.0.1}')).toBe('https://127.0.0.1:8444')
  })

  it('without listen nobody could answer', async () => {
    const top = `${determined}\n${demanding}`
    for (const joining of ['required', '{proof: required, url: "https://10.0.0.9:8444"}'])
      expect((await planned(top, { join: joining })).found).toEqual(['CONFIG_NEEDS_KEY 7'])
  })

  it('warns of a master that accepts everybody', async () => {
    const { found, valid } = await planned(`${determined}\nlisten: {address: 10.0.0.9}`)
    expect(found).toEqual(['JOIN_NOT_DEMANDED 7'])
    expect(valid).toBe(true)
    // What another program demands is not known.
    expect((await planned('demand: {type: push}\nlisten: {address: 10.0.0.9}')).found).toEqual([])
  })
})

describe('what is refused', () => {
  it('a master that demands certificates which the pool does not get', async () => {
    const { found, said } = await planned(demanding, { join: 'off' })
    expect(found).toEqual(['CLIENT_CERT_REQUIRED 6'])
    expect(said).toContain('`join: required`')
  })

  it('instances that cannot make a proof', async () => {
    const { found, said } = await planned(demanding, { type: 'gcp' })
    expect(found).toContain('JOIN_PROOF_UNAVAILABLE 6')
    expect(said).toContain('service_account: {email:')
    const more = ', service_account: {email: a@p.iam.gserviceaccount.com, scopes: [x]}'
    expect((await planned(demanding, { type: 'gcp', more })).found.join()).not.toContain('JOIN_')
  })

  it.each([
    ['without its key', 'ca.pem', 'none.key', /none\.key cannot be read: ENOENT/],
    [
      'with the key of another',
      'ca.pem',
      'master.key',
      /the key is not that of the first certificate|is not that of a CA/,
    ],
    ['that is no CA', 'master.crt', 'master.key', /is not that of a CA/],
  ])('a CA of instances in files %s', async (_, certificate, key, why) => {
    const file = write(`${demanding}\nagents_ca: {certificate_file: ${certificate}, key_file: ${key}}`)
    const { problems } = await validateAll(file, { env: {}, now: Date.now(), providers })
    const [found] = problems.filter(({ code }) => code === 'AGENTS_CA_UNUSABLE')
    expect(found).toMatchObject({ message: expect.stringMatching(why), where: { path: 'agents_ca' } })
    const logger = silentLogger
    const checked = await checkAll({ file, env: {}, clock: systemClock, logger, providers })
    expect(checked.find(({ what }) => what === 'agents_ca')).toMatchObject({
      result: 'failed',
      problem: { code: 'AGENTS_CA_UNUSABLE' },
    })
  })

  it('a CA of instances with its key in a token that cannot be used', async () => {
    const own = authority('In a token')
    const token = new FakeToken(own.key)
    try {
      writeFileSync(join(dir, 'token.pem'), own.pem)
      const { module, pinFile } = token.key
      const named = (label: string, library = module) =>
        write(
          `${demanding}\nagents_ca: {certificate_file: token.pem, pkcs11: {module: ${library}, token: provision, label: ${label}, pin_file: ${pinFile}}}`,
        )
      const validated = async (file: string) =>
        (await validateAll(file, { env: {}, now: Date.now(), providers })).problems.find(
          ({ code }) => code === 'AGENTS_CA_TOKEN',
        )
      const checked = async (file: string) => {
        const { env } = token.key
        const rows = await checkAll({ file, env, clock: systemClock, logger: silentLogger, providers })
        return rows.find(({ what }) => what === 'agents_ca')
      }
      // Files only: no token is asked.
      expect(await validated(named('none'))).toBeUndefined()
      expect(token.calls()).toEqual([])
      expect(await validated(named('agents-ca', join(dir, 'none.so')))).toMatchObject({
        message: expect.stringMatching(/module not found: .*none\.so/),
        where: { path: 'agents_ca' },
      })
      expect(await checked(named('none'))).toMatchObject({
        result: 'failed',
        problem: { code: 'AGENTS_CA_TOKEN', message: expect.stringContaining('no private key "none"') },
      })
      expect(await checked(named('agents-ca'))).toBeUndefined()
    } finally {
      token.close()
    }
  })

  it('a master without TLS', async () => {
    const file = write('security: {}', { more: '' }).replace('master.yaml', 'plain.yaml')
    writeFileSync(
      file,
      `cluster_id: c\nresource_pools:\n  - pool_name: p\n    provider: {${keys.aws}, master_url: "http://m", join: required}\n`,
    )
    const { problems } = await validateAll(file, { env: {}, now: Date.now(), providers })
    expect(problems.map(({ code }) => code)).toContain('JOIN_NEEDS_TLS')
  })

  it.each([
    ['an empty file', 'empty.pem', 'CLIENT_CA_EMPTY'],
    ['no file', 'none.pem', 'TLS_FILE_MISSING'],
  ])('%s of client CAs', async (_, file, code) => {
    const { found, config } = await planned(
      `resource_manager: {require_authentication: true, client_ca: ${file}}`,
    )
    expect(found).toEqual([`${code} 3`])
    expect(checkClientCas(config).map(({ result, problem }) => [result, problem?.code])).toEqual([
      ['failed', code],
    ])
    const of = await planned(`listen: {address: 10.0.0.9, client_ca: ${file}}`)
    expect(of.found).toEqual([`${code} 3`])
  })

  it('nothing of a file with certificates', async () => {
    const { config } = await planned(demanding)
    expect(checkClientCas(config)).toMatchObject([{ what: 'resource_manager.client_ca', result: 'passed' }])
  })
})

describe('what is shown', () => {
  it('by check', async () => {
    const { plan } = await planned('')
    const [trust] = checkAgents('pool p', plan)
    expect(trust!.note).toMatch(/; client certificates from https:\/\/master\.test:8443 by aws-sts$/)
    const missing = await planned(beside('{}'))
    expect(checkAgents('pool p', missing.plan)[0]!.problem!.code).toBe('JOIN_URL_MISSING')
  })

  it('by a dry run', async () => {
    const { plan } = await planned('')
    expect(isReady(plan) && dryRunPool(plan).join).toEqual({
      proof: 'required',
      url: 'https://master.test:8443',
      name: 'master.test',
      others: [],
      hasOwnChain: false,
      proofs: ['aws-sts'],
    })
    const off = (await planned('', { join: 'off' })).plan
    expect(isReady(off) && dryRunPool(off).join).toBeNull()
  })
})
