import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  type AgentOptions,
  optionsForEach,
  readAgentOptions,
} from '../../../../src/standalone/agent/options.ts'

let dir: string
let file: string

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'agent-options-'))
  file = join(dir, 'agent.yaml')
})
afterEach(() => rmSync(dir, { recursive: true }))

interface Given {
  argv?: string[]
  env?: Record<string, string>
  yaml?: string
}

function read({ argv = [], env = {}, yaml }: Given) {
  if (yaml !== undefined) writeFileSync(file, yaml)
  const named = yaml === undefined ? {} : { DET_CONFIG_FILE: file }
  // An /etc/determined/agent.yaml on this machine must not affect the tests.
  return readAgentOptions({ argv, env: { ...named, ...env }, defaultFile: join(dir, 'absent') })
}

function good(given: Given): AgentOptions {
  const { options, problems } = read({ ...given, env: { DET_MASTER_HOST: 'master', ...given.env } })
  expect(problems).toEqual([])
  return options!
}

function messages(given: Given): string[] {
  const { options, problems } = read({ ...given, env: { DET_MASTER_HOST: 'master', ...given.env } })
  expect(options).toBeUndefined()
  return problems.map((each) => each.message)
}

describe('the source of an option', () => {
  const yaml = 'resource_pool: from-file\n'

  it('is the default if nothing is set', () => {
    const options = good({ env: { DET_AGENT_ID: 'a' } })
    expect(options).toEqual({
      masterHost: 'master',
      masterPort: 80,
      otherMasters: [],
      agentId: 'a',
      resourcePool: 'default',
      containerMasterHost: 'master',
      containerMasterPort: 80,
      slotType: 'auto',
      visibleGpus: '',
      artificialSlots: 0,
      tls: {
        enabled: false,
        skipVerify: false,
        masterCert: '',
        masterCertName: '',
        clientCert: '',
        clientKey: '',
      },
      reconnectAttempts: 5,
      reconnectBackoff: 5,
      onConnectionLost: [],
      proxies: { http: '', https: '', ftp: '', no: '' },
      logLevel: 'trace',
    })
  })

  it('the file overrides the default', () => {
    expect(good({ yaml }).resourcePool).toBe('from-file')
  })

  it('the variable overrides the file', () => {
    expect(good({ yaml, env: { DET_RESOURCE_POOL: 'from-env' } }).resourcePool).toBe('from-env')
  })

  it('an empty variable does not override the file', () => {
    expect(good({ yaml, env: { DET_RESOURCE_POOL: '' } }).resourcePool).toBe('from-file')
  })

  it('the flag overrides everything', () => {
    const given = { yaml, env: { DET_RESOURCE_POOL: 'from-env' }, argv: ['--resource-pool', 'from-flag'] }
    expect(good(given).resourcePool).toBe('from-flag')
  })

  it('a variable changes one key of a block, and not the others', () => {
    const yaml =
      'security:\n  tls:\n    enabled: true\n    master_cert: /a.crt\n    master_cert_name: file.name\n'
    const env = { DET_SECURITY_TLS_MASTER_CERT_NAME: 'env.name' }
    expect(good({ yaml, env }).tls).toMatchObject({
      enabled: true,
      masterCert: '/a.crt',
      masterCertName: 'env.name',
    })
  })

  it('the file of the flag overrides the file of the variable', () => {
    const other = join(dir, 'other.yaml')
    writeFileSync(other, 'resource_pool: other\n')
    expect(good({ yaml, argv: [`--config-file=${other}`] }).resourcePool).toBe('other')
  })
})

describe('options', () => {
  it('default to the port of the scheme', () => {
    expect(good({ env: { DET_SECURITY_TLS_ENABLED: 'true' } }).masterPort).toBe(443)
    expect(good({}).masterPort).toBe(80)
  })

  it.each(['1', 't', 'T', 'true', 'TRUE', 'True'])("are true for Go's value %s", (word) => {
    expect(good({ env: { DET_SECURITY_TLS_ENABLED: word } }).tls.enabled).toBe(true)
  })

  it('are true for a flag without value, and false for =false', () => {
    expect(good({ argv: ['--security-tls-enabled'] }).tls.enabled).toBe(true)
    expect(
      good({ argv: ['--security-tls-enabled=false'], env: { DET_SECURITY_TLS_ENABLED: '1' } }).tls.enabled,
    ).toBe(false)
  })

  it('accept values that start with a dash or contain an equals sign', () => {
    expect(good({ argv: ['--agent-id=a=b'] }).agentId).toBe('a=b')
    expect(good({ argv: ['--agent-id', '-a'] }).agentId).toBe('-a')
  })

  it('use the GPUs that a batch system assigned, AMD before NVIDIA, unless GPUs are named', () => {
    const env = { ROCR_VISIBLE_DEVICES: '0', CUDA_VISIBLE_DEVICES: '1,2' }
    expect(good({ env }).visibleGpus).toBe('0')
    expect(good({ env: { CUDA_VISIBLE_DEVICES: '1,2' } }).visibleGpus).toBe('1,2')
    expect(good({ env, yaml: 'visible_gpus: 3\n' }).visibleGpus).toBe('3')
  })

  it('accept an IPv6 master with or without brackets', () => {
    expect(good({ env: { DET_MASTER_HOST: '[::1]' } }).masterHost).toBe('::1')
    expect(good({ env: { DET_MASTER_HOST: '::1' } }).masterHost).toBe('::1')
  })

  it('read settings that only the file can contain', () => {
    const yaml =
      'hooks:\n  on_connection_lost: [shutdown, now]\nsecurity:\n  tls:\n    client_cert: /c\n    client_key: /k\n'
    expect(good({ yaml })).toMatchObject({
      onConnectionLost: ['shutdown', 'now'],
      tls: { clientCert: '/c', clientKey: '/k' },
    })
  })

  it('may be an empty file, or empty keys', () => {
    expect(good({ yaml: '' }).slotType).toBe('auto')
    expect(good({ yaml: 'hooks:\nslot_type:\nsecurity:\n  tls:\n' }).slotType).toBe('auto')
  })

  it('report settings that this agent does not use, and continue', () => {
    const { options, problems } = read({ env: { DET_MASTER_HOST: 'm', DET_API_ENABLED: 'true' } })
    expect(options).toBeDefined()
    expect(problems).toMatchObject([{ code: 'AGENT_OPTION_UNUSED', severity: 'warning' }])
  })
})

describe('an agent does not start', () => {
  it('with an unknown key, and suggests a similar one', () => {
    const { problems } = read({ yaml: 'master_host: m\nsecurity:\n  tls:\n    master_certname: x\n' })
    expect(problems).toMatchObject([
      {
        code: 'AGENT_OPTION_INVALID',
        remedy: 'Did you mean `security.tls.master_cert_name`?',
        where: { file, line: 4, column: 5 },
      },
    ])
  })

  it.each<[string, Given, string | RegExp]>([
    ['no master', { env: { DET_MASTER_HOST: '' } }, '`master_host` is missing'],
    ['an unknown flag', { argv: ['--master-hots', 'x'] }, '`--master-hots` is not an option of the agent'],
    ['an argument that is not an option', { argv: ['run'] }, '`run` is not an option of the agent'],
    ['a flag without its value', { argv: ['--agent-id'] }, '`--agent-id` has no value'],
    [
      'a port that is not a number',
      { env: { DET_MASTER_PORT: '84x' } },
      'DET_MASTER_PORT must be an integer, not "84x"',
    ],
    [
      'a port above 65535',
      { argv: ['--master-port=70000'] },
      '`master_port` must be a port from 1 to 65535, not 70000',
    ],
    [
      'a boolean that is neither true nor false',
      { env: { DET_DEBUG: 'yes' } },
      'DET_DEBUG must be true or false, not "yes"',
    ],
    ['an unknown slot type', { env: { DET_SLOT_TYPE: 'tpu' } }, /`slot_type` must be one of gpu, cuda/],
    [
      'another runtime',
      { yaml: 'container_runtime: singularity\n' },
      /`container_runtime` must be one of docker/,
    ],
    [
      'negative attempts',
      { argv: ['--agent-reconnect-attempts=-1'] },
      '`agent_reconnect_attempts` must not be negative, but is -1',
    ],
    [
      'a certificate and no verification, from two sources',
      { yaml: 'security: {tls: {master_cert: /x}}\n', env: { DET_SECURITY_TLS_SKIP_VERIFY: '1' } },
      '`security.tls.master_cert` and `security.tls.skip_verify` cannot be combined',
    ],
    ['a file that is a list', { yaml: '- a\n' }, /does not contain a mapping of options/],
    [
      'a file that does not exist',
      { env: { DET_CONFIG_FILE: '/nonexistent/agent.yaml' } },
      /cannot be read: ENOENT/,
    ],
  ])('with %s', (_, given, message) => {
    expect(messages(given)).toEqual([typeof message === 'string' ? message : expect.stringMatching(message)])
  })

  it('with broken YAML, and reports the position', () => {
    const { options, problems } = read({ yaml: 'master_host: "m\n' })
    expect(options).toBeUndefined()
    expect(problems[0]!.where).toMatchObject({ file })
  })

  it('and reports all errors at once', () => {
    const found = messages({
      yaml: 'mastr_host: x\nslot_type: tpu\n',
      env: { DET_MASTER_PORT: 'x' },
      argv: ['--agent-idd=1'],
    })
    expect(found).toHaveLength(4)
  })
})

describe('several masters', () => {
  const list = 'master-a:8443, [fd00::5]:9443,10.0.0.7'
  const env = { DET_MASTER_ADDRESSES: list, DET_MASTER_PORT: '81' }
  const masters = [
    { host: 'master-a', port: 8443 },
    { host: 'fd00::5', port: 9443 },
    { host: '10.0.0.7', port: 81 },
  ]

  it.each<[string, Given]>([
    ['a variable', { env }],
    ['a flag', { argv: ['--master-addresses', list], env: { DET_MASTER_PORT: '81' } }],
    ['the file', { yaml: `master_addresses: "${list}"\nmaster_port: 81\n` }],
  ])('are named by %s, and replace the only one', (_, given) => {
    const { masterHost, masterPort, otherMasters } = good(given)
    expect([{ host: masterHost, port: masterPort }, ...otherMasters]).toEqual(masters)
  })

  it('need no other host', () => {
    expect(read({ env: { DET_MASTER_ADDRESSES: 'm:1,n:2' } }).problems).toEqual([])
  })

  it('are each dialled with the same settings, of which tasks get the address that was dialled', () => {
    const each = optionsForEach(good({ env }))
    expect(each.map(({ masterHost: host, masterPort: port }) => ({ host, port }))).toEqual(masters)
    expect(each.map(({ containerMasterHost: host, containerMasterPort: port }) => ({ host, port }))).toEqual(
      masters,
    )
    const rest = ({
      masterHost,
      masterPort,
      otherMasters,
      containerMasterHost,
      containerMasterPort,
      ...more
    }: AgentOptions) => more
    expect(new Set(each.map((one) => JSON.stringify(rest(one)))).size).toBe(1)
  })

  it('do not change the address that tasks have by a setting of their own', () => {
    const given = { ...env, DET_CONTAINER_MASTER_HOST: 'inside', DET_CONTAINER_MASTER_PORT: '82' }
    for (const one of optionsForEach(good({ env: given })))
      expect([one.containerMasterHost, one.containerMasterPort]).toEqual(['inside', 82])
  })

  it.each(['https://m:8443', 'm:0', 'm:65536', 'fd00::5', 'm:1;n:2', 'a@m:1'])('are no %s', (wrong) => {
    expect(messages({ env: { DET_MASTER_ADDRESSES: `a:1,${wrong}` } })).toEqual([
      `\`master_addresses\` must be host:port with commas between, not ${JSON.stringify(wrong)}`,
    ])
  })
})
