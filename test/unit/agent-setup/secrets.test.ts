import { createHash, randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { secretProblems } from '../../../src/agent-setup/secrets.ts'
import { agentSetup, exampleChain, type SetupChanges } from '../../support/agent-setups.ts'

const found = (changes: SetupChanges) => secretProblems(agentSetup(changes))
const inScript = (startupScript: string) => found({ startupScript })

/** Made-up values, so that scanners of this repository do not report them. */
const a = (length: number, characters = 'Ab3dEf6hIj9lMn2pQr5tUv8x') => characters.repeat(12).slice(0, length)
const pem = (what: string) => `-----BEGIN ${what}-----\n${a(64)}\n-----END ${what}-----\n`

const secrets: [string, string][] = [
  ...['PRIVATE KEY', 'RSA PRIVATE KEY', 'EC PRIVATE KEY', 'ENCRYPTED PRIVATE KEY', 'OPENSSH PRIVATE KEY'].map(
    (what): [string, string] => ['a private key', pem(what)],
  ),
  ['a private key', pem('PGP PRIVATE KEY BLOCK')],
  ['a private key', `echo ${Buffer.from(pem('PRIVATE KEY')).toString('base64')} | base64 -d`],
  ['a PuTTY private key', 'PuTTY-User-Key-File-2: ssh-rsa'],
  ['an AWS access key', `aws configure set aws_access_key_id ${'AK'}IA${a(16, 'ABCDEFGH234567')}`],
  ['an AWS access key', `KEY="${'AS'}IA${a(16, 'ABCDEFGH234567')}"`],
  ['an AWS secret key', `export AWS_SECRET_ACCESS_KEY=${a(40)}`],
  ['an AWS secret key', `"aws_session_token": "${a(300)}"`],
  ['a Google API key', `curl https://x?key=${'AI'}za${a(35)}`],
  ['a Google OAuth token', `Authorization: Bearer ${'ya'}29.${a(60)}`],
  ['a Google OAuth client secret', `GOC${'SPX'}-${a(28)}`],
  ['a GitHub token', `git clone https://${'gh'}p_${a(36)}@github.com/x/y`],
  ['a GitHub token', `TOKEN=${'git'}hub_pat_${a(22)}_${a(59)}`],
  ['a GitLab token', `${'gl'}pat-${a(20)}`],
  ['a Slack token', `${'xo'}xb-1234567890-${a(24)}`],
  ['a Slack webhook', `curl https://hooks.${'slack'}.com/services/T0000/B0000/${a(24)}`],
  ['a JSON web token', `${'ey'}J${a(20)}.${'ey'}J${a(40)}.${a(43)}`],
  ['a Docker Hub token', `${'dckr'}_pat_${a(27)}`],
  ['an npm token', `//registry.npmjs.org/:_authToken=${'np'}m_${a(36)}`],
  ['a Hugging Face token', `huggingface-cli login --token ${'h'}f_${a(34)}`],
  ['an API key', `OPENAI_API_KEY=${'s'}k-proj-${a(48)}`],
  ['a Vault token', `VAULT_TOKEN=${'hv'}s.${a(24)}`],
  ['a password in a URL', 'pip install --index-url https://user:hunter2@pypi.example.com/simple x'],
  ['a password of docker login', 'docker login -u me -p hunter2 registry.example.com'],
  ['a password of docker login', "docker login --password='hunter2' registry.example.com"],
]

describe('a secret in a script', () => {
  it.each(secrets)('%s: %s', (what, text) => {
    const problems = inScript(`#!/bin/bash\necho start\n${text}\n`)
    const whats = problems.map(({ details }) => details!['what'])
    expect(whats).toContain(what)
    expect(JSON.stringify(problems)).not.toMatch(/hunter2|Ab3dEf6h|ABCDEFGH/)
  })

  it('is reported with its line', () => {
    const [problem] = inScript(`#!/bin/bash\necho start\n\ndocker login -p hunter2\n`)
    expect(problem).toMatchObject({
      code: 'USER_DATA_SECRET',
      message: 'startup_script, line 4, contains what looks like a secret: a password of docker login',
      details: { key: 'startup_script' },
    })
  })
})

describe('a password that only its place shows', () => {
  it.each([
    'export DB_PASSWORD=hunter2',
    'curl -u robot:hunter2 https://x',
    'mongo --password hunter2',
    'machine x login robot password hunter2',
  ])('is a warning: %s', (text) => {
    const problems = inScript(`#!/bin/bash\n${text}\n`)
    expect(problems).toMatchObject([{ code: 'USER_DATA_PASSWORD', severity: 'warning' }])
    expect(problems[0]!.message).toMatch(/^startup_script, line 2, contains what looks like a secret: /)
    expect(JSON.stringify(problems)).not.toContain('hunter2')
  })

  it.each([
    'echo hunter2 | docker login -u robot --password-stdin',
    "docker login -u robot --password-stdin <<< 'hunter2'",
    'docker login \\\n  -p hunter2',
  ])('is an error for docker login: %s', (text) => {
    const problems = inScript(text)
    expect(problems).toMatchObject([{ code: 'USER_DATA_SECRET', severity: 'error' }])
    expect(JSON.stringify(problems)).not.toContain('hunter2')
  })
})

describe('a secret elsewhere', () => {
  const token = `${'gh'}p_${a(36)}`

  it.each<[string, SetupChanges]>([
    ['container_startup_script', { containerStartupScript: token }],
    ['agent_docker_image', { docker: { image: token } }],
    ['agent_docker_network', { docker: { network: token } }],
    ['agent_docker_runtime', { docker: { runtime: token } }],
    ['log_group', { docker: { logOptions: [`--log-opt=x=${token}`] } }],
    ['pool_name', { poolName: token }],
    ['master_url', { master: { host: token } }],
    ['master_cert_name', { trust: { certificateName: token }, agentConfig: {} }],
    [
      'agent_config_file_contents.hooks.on_connection_lost.1',
      { agentConfig: { hooks: { on_connection_lost: ['x', token] } } },
    ],
    ['agent_config_file_contents', { agentConfig: { [token]: 'x' } }],
    ['agent_runtime', { runtime: 'process', command: ['agent', token] }],
  ])('in %s', (key, changes) => {
    const problems = found(changes)
    expect(problems.map(({ details }) => details!['key'])).toEqual([key])
    expect(JSON.stringify(problems)).not.toContain(token)
  })

  it("in a user's template", () => {
    const [problem] = secretProblems(agentSetup(), { name: 'own.hbs', text: `#!/bin/bash\nT=${token}\n` })
    expect(problem!.message).toContain('agent_setup_template, line 2,')
  })

  it.each(['http_password', 'registry_auth.token', 'api_key', 'aws-secret'])('under the name %s', (name) => {
    const problems = found({ agentConfig: { [name]: 'hunter2' } })
    expect(problems).toHaveLength(1)
    expect(JSON.stringify(problems)).not.toContain('hunter2')
  })

  it('but not if the value is a path', () => {
    expect(found({ agentConfig: { security: { tls: { client_key: '/etc/agent.key' } } } })).toEqual([])
    expect(found({ agentConfig: { api_token: '/run/secrets/token' } })).toEqual([])
  })
})

describe('similar texts that are not secrets', () => {
  const chain = exampleChain()
    .map((certificate) => certificate.pem)
    .join('')
  it.each([
    ['a certificate', chain],
    ['a certificate in base64', Buffer.from(chain).toString('base64')],
    [
      'hashes',
      ['sha1', 'sha256', 'sha512'].map((name) => createHash(name).update(name).digest('hex')).join(' '),
    ],
    ['an image by digest', `docker pull x@sha256:${createHash('sha256').update('x').digest('hex')}`],
    ['a UUID', 'echo 123e4567-e89b-12d3-a456-426614174000'],
    ['a public key', 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI user@host\n-----BEGIN PUBLIC KEY-----'],
    ['a variable', `docker login -u x -p "$PASSWORD"; curl https://u:$TOKEN@example.com https://u:\${T}@x`],
    ['a password from a file', 'cat /run/p | docker login --username x --password-stdin registry'],
    ['a secret fetched', 'export AWS_SECRET_ACCESS_KEY=$(aws secretsmanager get-secret-value --secret-id x)'],
    ['a URL with a port', 'curl http://metadata.google.internal:80/x git@github.com:owner/repository.git'],
    ['words', 'sketch task-force risk-assessment-and-a-very-long-name-indeed-with-many-words'],
  ])('%s is allowed', (_, text) => {
    expect(inScript(text)).toEqual([])
  })

  it('and random base64, hex or base64url of any length, too', () => {
    const encoding = fc.constantFrom<BufferEncoding[]>('base64', 'hex')
    fc.assert(
      fc.property(encoding, fc.integer({ min: 1, max: 5000 }), (name, length) => {
        const text = randomBytes(length).toString(name)
        expect(inScript(text.replace(/.{64}/g, '$&\n'))).toEqual([])
      }),
      { numRuns: 200 },
    )
  })

  it('and a megabyte of it takes no longer than reading it (the timeout of the test is the limit)', () => {
    const runs = [
      'a',
      'a.',
      'eyJ',
      'x-',
      '/',
      '\n',
      ' ',
      'docker login ',
      'https://a:',
      'AKIA',
      'LS0tLS1CRUdJTi',
      '-----BEGIN A ',
    ]
    for (const run of runs) expect(inScript(run.repeat(Math.ceil(1_000_000 / run.length)))).toEqual([])
  })
})
