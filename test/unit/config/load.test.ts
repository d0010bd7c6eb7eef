// From files to configurations: invalid files, both forms, overrides, and all problems at once.
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { changesBetween } from '../../../src/config/index.ts'
import { reportProblem, reportProblems } from '../../../src/config/report.ts'
import type { Problem } from '../../../src/problems/index.ts'
import { loadConfig, parseConfig } from '../../support/config.ts'
import { aws, local } from './marked.ts'

const codes = (problems: Problem[]) => problems.map(({ code }) => code)

/** A pool that admits every agent: without a provider, the file has to set that. */
const open = 'resource_pools: [{pool_name: default, agents: any}]'

function valid(text: string, env: Record<string, string> = {}) {
  const { config, problems } = parseConfig(text, '/etc/det/master.yaml', { env })
  expect(problems).toEqual([])
  return config!
}

describe('a file', () => {
  let folder = ''
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'config-'))
  })
  afterAll(() => rmSync(folder, { recursive: true }))

  const written = (name: string, content: string | Uint8Array) => {
    const file = join(folder, name)
    writeFileSync(file, content)
    return file
  }
  const only = (file: string) => {
    const { config, problems } = loadConfig(file)
    expect(config).toBeUndefined()
    expect(problems).toHaveLength(1)
    expect(problems[0]!.where!.file).toBe(file)
    return problems[0]!
  }

  it('that is valid gives a configuration with paths relative to its folder', () => {
    const file = written('ok.yaml', `security: {tls: {cert: a/b.crt}}\n${open}`)
    const { config, problems } = loadConfig(file)
    expect(problems).toEqual([])
    expect(config).toMatchObject({
      file,
      security: { tls: { cert: join(folder, 'a/b.crt') } },
      state_dir: join(folder, '.provision'),
    })
  })

  it('that does not exist', () => {
    expect(only(join(folder, 'none.yaml'))).toMatchObject({ code: 'CONFIG_FILE_MISSING' })
  })

  it('that is a directory', () => {
    mkdirSync(join(folder, 'sub'))
    expect(only(join(folder, 'sub')).code).toBe('CONFIG_FILE_IS_DIRECTORY')
  })

  it('that may not be read', () => {
    const file = written('locked.yaml', 'port: 1')
    chmodSync(file, 0)
    const denied = Object.assign(new Error('denied'), { code: 'EACCES' })
    const readFile = () => {
      throw denied
    }
    // root can read everything, so the error comes from a fake reader.
    const { problems } = loadConfig(file, { readFile })
    expect(problems[0]).toMatchObject({ code: 'CONFIG_FILE_UNREADABLE', cause: denied })
    expect(problems[0]!.message).toContain('EACCES')
  })

  it.each([
    ['nothing', ''],
    ['comments', '# nothing here\n\n'],
    ['an empty document', '---\n'],
  ])('that holds only %s', (_name, text) => {
    expect(only(written('empty.yaml', text)).code).toBe('CONFIG_FILE_EMPTY')
  })

  it('that is not UTF-8', () => {
    expect(only(written('latin.yaml', Buffer.from([0x61, 0x3a, 0x20, 0xe4]))).code).toBe(
      'CONFIG_FILE_NOT_TEXT',
    )
    expect(only(written('utf16.yaml', Buffer.from('\uFEFFa: 1', 'utf16le'))).code).toBe(
      'CONFIG_FILE_NOT_TEXT',
    )
  })

  it.each([
    ['- a\n- b', 'a list'],
    ['just words', 'a single value'],
  ])('that holds no keys: %j', (text, what) => {
    const { code, message } = only(written('list.yaml', text))
    expect([code, message]).toEqual(['CONFIG_NOT_A_MAPPING', `the file must be a mapping, but is ${what}`])
  })

  it('that starts with a byte order mark is read, with columns that count it', () => {
    const { config, problems } = loadConfig(written('bom.yaml', `\uFEFFport: 9000\n${open}`))
    expect(config?.port).toBe(9000)
    expect(codes(problems)).toEqual(['YAML_BYTE_ORDER_MARK'])
  })

  it('that is not valid YAML gives only that problem', () => {
    expect(only(written('broken.yaml', 'port: [\nresource_pools: 5')).code).toBe('YAML_SYNTAX')
  })
})

describe('defaults', () => {
  it("are those of Determined's provisioner for a file without the provisioner's own keys", () => {
    expect(valid(`log: {level: info}\n${open}`)).toEqual({
      file: '/etc/det/master.yaml',
      locate: expect.any(Function),
      port: 8080,
      security: {},
      cluster_name: '',
      state_dir: '/etc/det/.provision',
      state: { type: 'folder' },
      demand: { type: 'built-in', placeholder_agent: 'auto' },
      agents_ca: { lifetime: 604_800_000 },
      orphans: { terminate_after: 3_600_000, terminate_unknown: false },
      metrics: { access: 'token' },
      prices: {},
      resource_manager: {
        require_authentication: false,
        default_aux_resource_pool: 'default',
        default_compute_resource_pool: 'default',
      },
      resource_pools: [
        {
          pool_name: 'default',
          description: '',
          max_aux_containers_per_agent: 100,
          agent_reconnect_wait: 25_000,
          agents: 'any',
        },
      ],
    })
  })

  it('include the TLS port as soon as there is a certificate, with or without its key', () => {
    expect(valid(`security: {tls: {cert: c}}\n${open}`).port).toBe(8443)
    expect(valid(`security: {tls: {cert: c, key: k}}\n${open}`).security.tls).toEqual({
      cert: '/etc/det/c',
      key: '/etc/det/k',
    })
    expect(valid(`security: {tls: {cert: ""}}\nport: 0\n${open}`).port).toBe(8080)
  })

  it('fill in a listener and the source of demand', () => {
    const { listen, demand } = valid(
      'listen: {tls: {cert: c, key: k}}\ndemand: {type: determined, user: u, password_file: p}',
    )
    expect(listen).toEqual({
      address: '0.0.0.0',
      port: 8444,
      tls: { cert: '/etc/det/c', key: '/etc/det/k' },
    })
    expect(demand).toEqual({
      type: 'determined',
      user: 'u',
      password_file: '/etc/det/p',
      placeholder_agent: 'auto',
    })
  })
})

describe('the pool of a job without a pool', () => {
  it('is `default`, the configured one, or none', () => {
    const pools = 'resource_pools: [{pool_name: default, agents: any}, {pool_name: a, agents: any}]'
    const manager = (keys: string) => valid(`resource_manager: {${keys}}\n${pools}`).resource_manager
    expect(manager('')).toMatchObject({ default_aux_resource_pool: 'default' })
    expect(manager('default_aux_resource_pool: a, default_cpu_resource_pool: default')).toMatchObject({
      default_aux_resource_pool: 'a',
      default_compute_resource_pool: 'default',
    })
    expect(manager('no_default_resource_pools: true')).toMatchObject({
      default_aux_resource_pool: '',
      default_compute_resource_pool: '',
    })
  })
})

describe('both forms', () => {
  const pushed = 'demand: {type: push}'

  it('give the same pool', () => {
    const keys = 'max_instances: 3\n  tls: {trust: off}'
    const old = valid(`provisioner:\n  provider: local\n  ${keys}`)
    const renamed = valid(`provisioner:\n  type: local\n  ${keys}`)
    const current = valid(
      `resource_pools: [{pool_name: default, provider: {type: local, max_instances: 3, tls: {trust: off}}}]`,
    )
    expect(changesBetween(old, current)).toEqual([])
    expect(changesBetween(renamed, current)).toEqual([])
    const path = 'resource_pools.0.provider.tls'
    expect([old, renamed, current].map(({ locate }) => locate(path))).toMatchObject([
      { line: 4, path },
      { line: 4, path },
      { line: 1, path },
    ])
    expect(current.resource_pools[0]!.provider).toMatchObject({ max_instances: 3, tls: { trust: 'off' } })
  })

  it('accept an old scheduler without provisioner', () => {
    expect(
      valid(`scheduler: {fit: best}\n${pushed}`).resource_pools.map(({ pool_name }) => pool_name),
    ).toEqual(['default'])
  })

  it('treat empty keys as absent', () => {
    expect(valid(`resource_pools:\nprovisioner:\nsecurity:\nport:\n${pushed}`).port).toBe(8080)
    expect(valid(`resource_pools: []\n${pushed}`).resource_pools).toHaveLength(1)
  })
})

describe('the environment', () => {
  const text = `port: 1000\nsecurity: {tls: {cert: c, key: k}}\n${open}`
  it('overrides the file for port, certificate and key', () => {
    const config = valid(text, {
      DET_PORT: '9443',
      DET_SECURITY_TLS_CERT: '/x/c.pem',
      DET_SECURITY_TLS_KEY: 'k.pem',
    })
    expect(config.port).toBe(9443)
    expect(config.security.tls).toEqual({ cert: '/x/c.pem', key: resolve('k.pem') })
  })

  it('has no effect if it is empty, and no other variables are read', () => {
    const env = { DET_PORT: '', DET_SECURITY_TLS_CERT: '', DET_CLUSTER_ID: 'x' }
    expect(changesBetween(valid(text, env), valid(text))).toEqual([])
    expect(valid(text, { DET_PORT: '0' }).port).toBe(1000)
  })

  it.each(['x', '-1', '70000', '80 ', '1e3'])('is refused with DET_PORT=%j', (port) => {
    const { config, problems } = parseConfig(text, 'master.yaml', { env: { DET_PORT: port } })
    expect(config).toBeUndefined()
    expect(problems.map(({ code, where }) => [code, where?.file])).toEqual([
      ['CONFIG_ENVIRONMENT', 'DET_PORT'],
    ])
  })
})

describe('all problems at once', () => {
  it('are in the order of the file, and a wrong type hides no other rule', () => {
    const text = aws(`max_instances: lots
min_instances: 3
log_stream: s
max_idle_agent_period: 20
spot: {max_price: "1"}
spot_max_price: "2"
volume: {type: io1}
nope: 1`)
    expect(codes(parseConfig(text, 'm.yaml').problems)).toEqual([
      'CONFIG_WRONG_TYPE',
      'CONFIG_NEEDS_KEY',
      'CONFIG_BAD_DURATION',
      'CONFIG_CONFLICT',
      'CONFIG_NEEDS_KEY',
      'CONFIG_UNKNOWN_KEY',
    ])
  })

  it('include the rules for all types when the type is unknown', () => {
    const text = 'resource_pools: [{pool_name: p, provider: {type: awz, max_instances: 0, image_id: x}}]'
    expect(codes(parseConfig(text, 'm.yaml').problems)).toEqual([
      'PROVIDER_TYPE_UNKNOWN',
      'CONFIG_OUT_OF_RANGE',
    ])
  })

  it('still give a configuration if all are warnings', () => {
    const { config, problems } = parseConfig(local('agent_fluent_image: f'), 'm.yaml')
    expect(config).toBeDefined()
    expect(problems.map(({ severity }) => severity)).toEqual(['warning'])
  })

  it('are printed as location, code, message, lines and remedy', () => {
    const { problems } = parseConfig(local('max_instancs: 5'), 'master.yaml')
    expect(
      reportProblem(problems[0]!),
    ).toBe(`master.yaml:5:7 CONFIG_UNKNOWN_KEY "max_instancs" is not a key of a provider of type local
  4 |       type: local
> 5 |       max_instancs: 5
    |       ^^^^^^^^^^^^
  remedy: Did you mean "max_instances"?`)
    expect(reportProblems(problems)).toBe(`${reportProblem(problems[0]!)}\n`)
    expect(reportProblems([])).toBe('')
  })

  it('name the pools of a second provider with their own lines', () => {
    const { problems } = parseConfig(
      `resource_pools:\n${['a', 'b'].map((n) => `  - pool_name: ${n}\n    provider: {type: local, slots: -1}\n`).join('')}`,
      'm.yaml',
    )
    expect(problems.map(({ where }) => [where?.line, where?.path])).toEqual([
      [3, 'resource_pools.0.provider.slots'],
      [5, 'resource_pools.1.provider.slots'],
    ])
  })
})
