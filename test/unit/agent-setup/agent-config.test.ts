// The user's agent configuration, merged with the settings of the trust plan, and checked like the agent checks it.
import { describe, expect, test } from 'vitest'
import {
  checkAgentOptions,
  type MergeOptions,
  mergeAgentConfig,
} from '../../../src/agent-setup/agent-config.ts'
import { agentPaths } from '../../../src/agent-setup/setup.ts'
import type { TrustMode, TrustPlan } from '../../../src/pki/trust-plan.ts'

function plan(mode: TrustMode, certificateName?: string): TrustPlan {
  return {
    mode,
    modeReason: 'set by a test',
    certificateName,
    certificateNameReason: 'the first name',
    chain: [],
  }
}
const embed = plan('embed', 'master.example.com')

function codes(user: Record<string, unknown>, trust: TrustPlan, options?: MergeOptions): string[] {
  return mergeAgentConfig(user, trust, options).problems.map((p) => p.code)
}
function messages(user: Record<string, unknown>, trust: TrustPlan = embed): string[] {
  return mergeAgentConfig(user, trust).problems.map((p) => p.message)
}
const withTls = (tls: Record<string, unknown>) => ({ security: { tls } })

describe('the settings of the plan', () => {
  test.each<[TrustPlan, Record<string, unknown>]>([
    [
      embed,
      {
        enabled: true,
        master_cert: '/usr/local/determined/master.crt',
        master_cert_name: 'master.example.com',
      },
    ],
    [plan('embed'), { enabled: true, master_cert: '/usr/local/determined/master.crt' }],
    [plan('system', 'm.example.com'), { enabled: true, master_cert_name: 'm.example.com' }],
    [plan('skip_verify'), { enabled: true, skip_verify: true }],
    [plan('off'), { enabled: false }],
  ])('%j', (trust, tls) => {
    expect(mergeAgentConfig({}, trust)).toEqual({ config: { security: { tls } }, problems: [] })
  })

  test("are added to the user's settings, which are kept", () => {
    const user = {
      http_proxy: 'http://proxy:3128',
      hooks: { on_connection_lost: ['shutdown', 'now'] },
      security: { tls: { client_cert: '/c.pem', client_key: '/k.pem' } },
      visible_gpus: 0,
    }
    const before = structuredClone(user)
    expect(mergeAgentConfig(user, embed)).toEqual({
      config: {
        http_proxy: 'http://proxy:3128',
        hooks: { on_connection_lost: ['shutdown', 'now'] },
        security: {
          tls: {
            client_cert: '/c.pem',
            client_key: '/k.pem',
            enabled: true,
            master_cert: agentPaths.certificate,
            master_cert_name: 'master.example.com',
          },
        },
        visible_gpus: 0,
      },
      clientCertificate: { cert: '/c.pem', key: '/k.pem' },
      problems: [],
    })
    expect(user).toEqual(before)
  })

  test('apply when the user left the parent blocks empty', () => {
    for (const user of [{ security: null }, { security: { tls: null } }])
      expect(mergeAgentConfig(user, plan('off'))).toEqual({
        config: withTls({ enabled: false }),
        problems: [],
      })
  })
})

describe('conflicts', () => {
  test.each<[TrustPlan, Record<string, unknown>, string]>([
    [embed, { enabled: false }, 'security.tls.enabled: false'],
    [embed, { skip_verify: true }, 'security.tls.skip_verify: true'],
    [embed, { master_cert: '/my.pem' }, 'security.tls.master_cert: /my.pem'],
    [embed, { master_cert_name: 'other.example.com' }, 'security.tls.master_cert_name: other.example.com'],
    [plan('embed'), { master_cert_name: 'other.example.com' }, 'the dialled host'],
    [plan('system'), { enabled: false }, 'security.tls.enabled: false'],
    [plan('system'), { skip_verify: true }, 'security.tls.skip_verify: true'],
    [plan('skip_verify'), { skip_verify: false }, 'security.tls.skip_verify: false'],
    [plan('skip_verify'), { master_cert: '/my.pem' }, 'agents do not accept both'],
    [plan('off'), { enabled: true }, 'security.tls.enabled: true'],
  ])('%j against %j', (trust, tls, text) => {
    const { problems } = mergeAgentConfig(withTls(tls), trust)
    expect(problems).toMatchObject([{ code: 'AGENT_CONFIG_CONFLICT', severity: 'error' }])
    expect(problems[0]!.message).toContain(text)
    expect(problems[0]!.message).toMatch(/set by a test|the first name/)
  })

  test.each<[TrustPlan, Record<string, unknown>]>([
    [embed, { enabled: true, skip_verify: false, master_cert: '', master_cert_name: 'MASTER.example.com' }],
    [embed, { master_cert: agentPaths.certificate }],
    [plan('skip_verify'), { skip_verify: true, enabled: true }],
    [plan('off'), { enabled: false }],
  ])('%j agrees with %j', (trust, tls) => {
    expect(codes(withTls(tls), trust)).toEqual([])
  })

  test('under system a certificate file of the agents is kept and reported as unverified', () => {
    const merged = mergeAgentConfig(withTls({ master_cert: '/opt/ca.pem' }), plan('system'))
    expect(merged.config).toEqual(withTls({ master_cert: '/opt/ca.pem', enabled: true }))
    expect(merged.problems).toMatchObject([{ code: 'AGENT_CONFIG_UNVERIFIED', severity: 'warning' }])
    expect(merged.problems[0]!.message).toContain('/opt/ca.pem')
  })
})

describe('settings that the agent would reject', () => {
  test.each<[string, Record<string, unknown>, string]>([
    ['an unknown option', { image_root: '/x' }, '`image_root` is not an option of the agent'],
    [
      'an unknown nested option',
      withTls({ master_certificate: '/x' }),
      '`security.tls.master_certificate` is not an option',
    ],
    ['a string for a boolean', { debug: 'yes' }, '`debug` must be true or false, not a string'],
    ['a string for a number', { bind_port: '9090' }, '`bind_port` must be an integer, not a string'],
    ['a port that is not an integer', { bind_port: 90.5 }, '`bind_port` must be an integer'],
    ['a string as list', { http_proxy: ['a'] }, '`http_proxy` must be a string, not a list'],
    [
      'a list of numbers',
      { hooks: { on_connection_lost: [1] } },
      '`hooks.on_connection_lost` must be a list of strings',
    ],
    ['a string for a block', { security: 'on' }, '`security` must be a block of options, not a string'],
    ['an obsolete runtime', { container_runtime: 'podman' }, '`container_runtime` must be one of docker'],
    ['an unknown log level', { log: { level: 'loud' } }, '`log.level` must be one of panic, fatal'],
    [
      "the agent's API without a key",
      { tls: true, api_enabled: true, tls_cert: '/c' },
      "`tls_key` is missing for the agent's own API",
    ],
    [
      'a client certificate without its key',
      withTls({ client_cert: '/c' }),
      '`security.tls.client_cert` without `client_key`',
    ],
    [
      'a client key without its certificate',
      withTls({ client_key: '/k' }),
      '`security.tls.client_key` without `client_cert`',
    ],
  ])('%s', (_, user, text) => {
    const { problems } = mergeAgentConfig(user, plan('skip_verify'))
    expect(problems).toMatchObject([{ code: 'AGENT_CONFIG_INVALID', severity: 'error' }])
    expect(problems[0]!.message).toContain(text)
  })

  test('a misspelt option gets a suggestion', () => {
    const { problems } = mergeAgentConfig(
      { htp_proxy: 'x', security: { tls: { skipVerify: true } } },
      plan('skip_verify'),
    )
    expect(problems.map((p) => p.remedy)).toEqual([
      'Did you mean `http_proxy`?',
      'Did you mean `security.tls.skip_verify`?',
    ])
  })

  test('a property name of every object is not an option either', () => {
    expect(codes(JSON.parse('{"constructor": 1, "__proto__": {"debug": true}}'), embed)).toEqual([
      'AGENT_CONFIG_INVALID',
      'AGENT_CONFIG_INVALID',
    ])
  })

  test('values are not printed: a proxy URL can contain a password', () => {
    expect(messages({ http_proxy: { url: 'http://me:secret@proxy' } }).join()).not.toContain('secret')
    expect(messages({ slot_type: 'secret' }).join()).not.toContain('secret')
  })

  test("an anchor file together with skip_verify, in the agent's own words", () => {
    expect(checkAgentOptions(withTls({ master_cert: '/m', skip_verify: true }))).toMatchObject([
      { path: 'security.tls.skip_verify', message: expect.stringContaining('cannot be combined') },
    ])
  })

  test('reports all faults at once', () => {
    const user = { image_root: 'x', debug: 1, security: { tls: { enabled: false, skip_verify: true } } }
    expect(codes(user, embed)).toEqual([
      'AGENT_CONFIG_CONFLICT',
      'AGENT_CONFIG_CONFLICT',
      'AGENT_CONFIG_INVALID',
      'AGENT_CONFIG_INVALID',
    ])
  })
})

test.each([
  ['master_host', 'x', 'master_url'],
  ['master_port', 8443, 'master_url'],
  ['agent_id', 'x', 'id of the instance'],
  ['resource_pool', 'x', 'pool_name'],
  ['slot_type', 'cpu', 'slots'],
  ['agent_reconnect_attempts', 3, 'agent_reconnect_attempts of the pool'],
  ['agent_reconnect_backoff', 3, 'agent_reconnect_backoff of the pool'],
  ['fluent', { image: 'x' }, '0.24.1'],
])('%s is silently overridden on the agent, so it is reported here', (key, value, text) => {
  const { problems } = mergeAgentConfig({ [key]: value }, embed)
  expect(problems).toMatchObject([{ code: 'AGENT_CONFIG_NO_EFFECT', severity: 'warning' }])
  expect(problems[0]!.message).toContain(text)
})

describe('a master that requires client certificates', () => {
  const options = { requireAuthentication: true }
  test('rejects a configuration without one', () => {
    expect(codes({}, embed, options)).toEqual(['CLIENT_CERT_REQUIRED'])
    expect(codes(withTls({ client_cert: '/c', client_key: '/k' }), embed, options)).toEqual([])
  })
  test('is not checked over plain text', () => {
    expect(codes({}, plan('off'), options)).toEqual([])
  })
})

test('a problem has the location of the setting', () => {
  const locate = (setting?: string) => ({ file: 'master.yaml', path: `contents.${setting}` })
  const user = { debug: 1, master_host: 'x', ...withTls({ enabled: false }) }
  const { problems } = mergeAgentConfig(user, embed, { locate })
  expect(problems.map(({ where }) => where?.path)).toEqual([
    'contents.undefined',
    'contents.debug',
    'contents.master_host',
  ])
})

test('the agent accepts a merged configuration without errors', () => {
  const user = {
    log: { level: 'debug', color: false },
    artificial_slots: 2,
    no_proxy: 'a,b',
    container_runtime: 'docker',
  }
  for (const trust of [embed, plan('system'), plan('skip_verify', 'm.example'), plan('off')]) {
    const { config, problems } = mergeAgentConfig(user, trust)
    expect(problems).toEqual([])
    expect(checkAgentOptions(config)).toEqual([])
  }
})
