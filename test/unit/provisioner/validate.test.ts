// Everything that can be judged without a network, all of it at once, and what was not.
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { reportProblem } from '../../../src/config/report.ts'
import { createDevelopmentChain, type DevelopmentChain } from '../../../src/pki/development-ca.ts'
import regions from '../../../src/providers/aws/regions.json' with { type: 'json' }
import { builtInProviders as providers } from '../../../src/providers/index.ts'
import { validateConfig } from '../../../src/provisioner/library.ts'
import { validateAll } from '../../../src/provisioner/validate.ts'
import { regionsOfSdk } from '../../support/aws-regions.ts'

let dir: string
let chain: DevelopmentChain
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'validate-'))
  chain = await newChain()
  write('chain.crt', chain.chain)
  write('server.key', chain.leaf.key)
})
afterEach(() => rmSync(dir, { recursive: true, force: true }))

const newChain = () => createDevelopmentChain({ names: ['master.test'], ips: [], days: 365, now: Date.now() })

function write(name: string, text: string): string {
  const file = join(dir, name)
  writeFileSync(file, text)
  return file
}

const tls = 'security: {tls: {cert: chain.crt, key: server.key}}\ncluster_id: c\n'
const common = 'type: aws, region: us-west-2, instance_type: g5.xlarge, metadata_hop_limit: 1'
const image = 'image_id: ami-0123456789abcdef0'
const pool = (name: string, keys: string, url = 'https://master.test:8443') =>
  `  - {pool_name: ${name}, provider: {${common}, master_url: "${url}"${keys && `, ${keys}`}}}\n`
const pools = (...each: string[]) => `resource_pools:\n${each.join('')}`

async function validate(text: string, options: { strict?: boolean; now?: number } = {}) {
  const file = write('master.yaml', text)
  const result = await validateAll(file, { env: {}, now: Date.now(), providers, ...options })
  const codes = result.problems.map(({ code }) => code)
  return { ...result, codes, unchecked: result.notChecked.map(({ what }) => what).join('\n') }
}

describe('validate', () => {
  it('finds nothing wrong in a right file, and lists what it checked and what not', async () => {
    const { valid, codes, checked, unchecked } = await validate(tls + pools(pool('gpu', image)))
    expect(codes).toEqual([])
    expect(valid).toBe(true)
    expect(checked).toEqual([
      join(dir, 'master.yaml'),
      `certificate ${join(dir, 'chain.crt')}`,
      `key ${join(dir, 'server.key')}`,
      'pool gpu: trust, agent configuration, user data, launch request',
    ])
    expect(unchecked).toContain('AWS: credentials')
    expect(unchecked).toContain('whether agents reach the master')
  })

  it('names the line of the setting beside the place in the file that it names', async () => {
    write('chain.crt', chain.leaf.certificate)
    write('text.crt', 'hello')
    const listen = 'listen: {tls: {cert: text.crt, key: server.key}}\n'
    const keys = `${image}, master_cert_name: "master.test:8443"`
    const { problems } = await validate(tls + listen + pools(pool('gpu', keys)))
    const file = join(dir, 'master.yaml')
    const settings = Object.fromEntries(problems.map(({ code, where }) => [code, where?.setting ?? where]))
    expect(settings).toMatchObject({
      TLS_ISSUER_MISSING: { file, path: 'security.tls.cert', line: 1 },
      TLS_FILE_NOT_PEM: { file, path: 'listen.tls.cert', line: 3 },
      TLS_NAME_MISMATCH: { file, path: 'resource_pools.0.provider.master_cert_name', line: 5 },
    })
    expect(problems.map((found) => reportProblem(found)).join('\n')).toContain(
      `named by listen.tls.cert in ${file}:3:`,
    )
  })

  it('reports a missing root beside a missing image, and a missing image beside a missing root', async () => {
    write('chain.crt', chain.leaf.certificate)
    const { codes, config } = await validate(tls + pools(pool('gpu', '')))
    expect(codes).toEqual(['IMAGE_MISSING', 'TLS_ISSUER_MISSING'])
    expect(config).toBeUndefined()
  })

  it('reports what is wrong in every pool, also beside a pool that cannot be read', async () => {
    const { codes, unchecked } = await validate(
      tls +
        pools(
          pool('a', 'agent_config_file_contents: {label: x}'),
          pool('b', `${image}, agent_config_file_contents: {label: x}`),
          pool('c', image, 'http://master.test:8443'),
          pool('d', `${image}`, 'ftp://master.test'),
        ),
    )
    expect(codes).toEqual([
      'IMAGE_MISSING',
      'MASTER_URL_INVALID',
      'AGENT_CONFIG_INVALID',
      'AGENT_CONFIG_INVALID',
      'TLS_CERT_WITHOUT_HTTPS',
    ])
    expect(unchecked).toMatch(/pool a: launch request\npool d/)
  })

  it('judges the agents, the request and the names beside a certificate with an error', async () => {
    const tags = Array.from({ length: 50 }, (_, n) => `{key: k${n}, value: v}`).join(', ')
    const keys = `${image}, agent_config_file_contents: {label: x}, custom_tags: [${tags}], master_cert_name: other.test`
    const late = Date.now() + 10 * 365 * 86_400_000
    const { codes, valid } = await validate(tls + pools(pool('gpu', keys)), { now: late })
    expect(valid).toBe(false)
    expect(codes).toContain('TLS_EXPIRED')
    expect(codes).toContain('TLS_NAME_MISMATCH')
    expect(codes).toContain('AGENT_CONFIG_INVALID')
    expect(codes.filter((code) => code.startsWith('REQUEST'))).toHaveLength(1)
    const missing = await validate(`security: {tls: {cert: none.crt}}\n${pools(pool('gpu', keys))}`)
    expect(missing.codes).toContain('TLS_FILE_MISSING')
    expect(missing.codes).toContain('AGENT_CONFIG_INVALID')
    expect(missing.unchecked).not.toContain('pool gpu: trust')
  })

  it('reports a missing root together with a wrong name', async () => {
    write('chain.crt', chain.leaf.certificate)
    const { codes } = await validate(tls + pools(pool('gpu', `${image}, master_cert_name: other.test`)))
    expect(codes).toEqual(['TLS_ISSUER_MISSING', 'TLS_NAME_MISMATCH'])
  })

  it('reports a problem that several pools share once', async () => {
    write('chain.crt', chain.leaf.certificate)
    const { codes } = await validate(tls + pools(pool('a', image), pool('b', image)))
    expect(codes).toEqual(['TLS_ISSUER_MISSING'])
  })

  it('gives the line of a setting that is wrong', async () => {
    const { problems } = await validate(`security:\n  tls:\n    cert: none.crt\n${pools(pool('gpu', image))}`)
    expect(problems[0]!.where).toMatchObject({ line: 3, column: 11, path: 'security.tls.cert' })
    const old = await validate(
      `${tls}provisioner: {${common.replace('type', 'provider')}, ${image}, tls: {trust: off}, master_url: "https://master.test:8443"}\n`,
    )
    expect(old.problems[0]).toMatchObject({ code: 'TLS_TRUST_CONFLICT', where: { line: 3 } })
  })

  it('gives the line of a text that user data may not contain, and of an option that agents reject', async () => {
    const { problems } = await validate(`${tls}resource_pools:
  - pool_name: gpu
    provider:
      ${common.replaceAll(', ', '\n      ')}
      image_id: ami-0123456789abcdef0
      master_url: https://master.test:8443
      agent_config_file_contents:
        http_proxy: http://proxy.test:3128
        http_pasword: none
        hooks:
          on_connection_lost: [docker, login, --password, hunter2-the-secret]
      startup_script: |
        docker login --username bob --password hunter2-the-secret
`)
    expect(problems.map(({ code, where }) => [code, where?.line])).toEqual([
      ['AGENT_CONFIG_INVALID', 14],
      ['USER_DATA_SECRET', 17],
    ])
  })

  it('reads the key, and lists one that this user may not read', async () => {
    const other = await newChain()
    write('server.key', other.leaf.key)
    expect((await validate(tls + pools(pool('gpu', image)))).codes).toEqual(['TLS_KEY_MISMATCH'])
    write('server.key', chain.root.key)
    const { codes, problems } = await validate(tls + pools(pool('gpu', image)))
    expect(codes).toEqual(['TLS_KEY_MISMATCH'])
    expect(problems[0]!.message).toMatch(
      /does not belong to CN=master.test.*: it is the key of CN=Development root CA/,
    )
    if (process.getuid?.() === 0) return
    chmodSync(join(dir, 'server.key'), 0)
    const { valid, unchecked } = await validate(tls + pools(pool('gpu', image)))
    expect(valid).toBe(true)
    expect(unchecked).toContain('server.key')
  })

  it('does not need a key that another process uses, and needs the files of the login', async () => {
    const demand = 'demand: {type: determined, token_file: token}\n'
    const text = `security: {tls: {cert: chain.crt, key: none.key}}\ncluster_id: c\n${demand}${pools(pool('gpu', image))}`
    const { codes, unchecked } = await validate(text)
    expect(codes).toEqual(['DETERMINED_LOGIN_FILE'])
    expect(unchecked).toContain('none.key')
  })

  it('reports a pool name that is too long once', async () => {
    const { codes } = await validate(tls + pools(pool('g'.repeat(300), image)))
    expect(codes).toEqual(['CONFIG_OUT_OF_RANGE'])
  })

  it('judges no trust where an error may hide that TLS is on', async () => {
    const { codes, unchecked } = await validate(
      `${tls.replace('security', 'securty')}${pools(pool('gpu', image))}`,
    )
    expect(codes).toEqual(['CONFIG_UNKNOWN_KEY'])
    expect(unchecked).toContain('the certificate')
  })

  it('is a function of the library', async () => {
    const file = write('master.yaml', tls + pools(pool('gpu', image)))
    expect(await validateConfig(file)).toMatchObject({ valid: true, problems: [], config: { file } })
    expect(await validateConfig(join(dir, 'none.yaml'))).toMatchObject({
      valid: false,
      problems: [{ code: 'CONFIG_FILE_MISSING' }],
      checked: [],
    })
  })

  it('warns of ids of another form than those of the cloud, and makes warnings errors if asked', async () => {
    const text = tls + pools(pool('gpu', 'image_id: ami-12, subnet_ids: [subnet-z]'))
    const { codes, valid } = await validate(text)
    expect(codes).toEqual(['CONFIG_UNUSUAL_ID', 'CONFIG_UNUSUAL_ID'])
    expect(valid).toBe(true)
    const { valid: strictly, problems } = await validate(text, { strict: true })
    expect(strictly).toBe(false)
    expect(problems.map(({ severity }) => severity)).toEqual(['error', 'error'])
  })

  it.each([
    ['project: p', 'CONFIG_UNUSUAL_ID'],
    ['project: my-project, zone: us-centrl1-a', 'CONFIG_UNKNOWN_LOCATION'],
    ['project: my-project, zone: us-central1-ai1a', undefined],
    ['project: my-project, zone: u-germany-northeast1-a', undefined],
    ['project: "example.com:my-project", zone: northamerica-northeast1-c', undefined],
    ['project: "123456789012", zones: [me-west1-a, me-west1-b]', undefined],
  ])('judges the names of Google: %s', async (keys, code) => {
    const provider = `type: gcp, boot_disk_source_image: projects/p/global/images/i, instance_type: {machine_type: g2-standard-8}, master_url: "https://master.test:8443"`
    const { codes } = await validate(
      `${tls}${pools(`  - {pool_name: p, provider: {${provider}, ${keys}}}\n`)}`,
    )
    expect(codes).toEqual(code ? [code] : [])
  })
})

describe('the list of AWS regions', () => {
  it('is that of the SDK (node scripts/aws-regions.ts)', () => {
    expect(regions).toEqual(regionsOfSdk())
  })

  it.each(Object.values(regions).flat())('accepts %s', async (region) => {
    const text = pools(pool('gpu', image, 'http://master.test:8080').replace('us-west-2', region))
    const { codes } = await validate(`cluster_id: c\n${text}`)
    expect(codes).toEqual(['TLS_PLAIN_HTTP'])
  })
})
