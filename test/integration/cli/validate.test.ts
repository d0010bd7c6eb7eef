// `provision validate` and `provision schema` as a user runs them.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runCli } from '../../support/run-cli.ts'

let dir: string
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'validate-'))
  writeFileSync(
    join(dir, 'good.yaml'),
    'resource_pools:\n  - pool_name: default\n    provider: {type: local}\n',
  )
  writeFileSync(
    join(dir, 'bad.yaml'),
    `resource_pools:
  - pool_name: default
    provider:
      type: local
      min_instances: 7
      max_instances: 2
      max_idle_agent_period: 20
      agent_docker_imgae: x
`,
  )
})
afterAll(() => rmSync(dir, { recursive: true, force: true }))
const validate = (...args: string[]) => runCli(['validate', ...args], { cwd: dir, noOutside: true })

describe('provision validate', () => {
  it('prints the pools of a valid file', () => {
    expect(validate('-c', 'good.yaml')).toMatchObject({ status: 0, stdout: '' })
    expect(validate('-c', 'good.yaml').stderr).toContain('good.yaml is valid: default (local)')
  })

  it('reports all problems at once, each with its location, its lines and a remedy', () => {
    const { status, stderr } = validate('-c', 'bad.yaml')
    expect(stderr).toMatch(/bad\.yaml:5:\d+ \w+ .*min_instances/)
    expect(stderr).toMatch(/bad\.yaml:7:\d+ \w+ .*/)
    expect(stderr).toMatch(/bad\.yaml:8:7 \w+ [\s\S]*agent_docker_image/)
    expect(stderr).toContain('3 errors')
    // The fourth is a warning of its agents, which are judged beside the errors.
    expect(stderr.match(/remedy:/g)).toHaveLength(4)
    expect(stderr).toContain('warning TLS_PLAIN_HTTP')
    expect(status).toBe(3)
  })

  it('warns if the instances of a cloud could be forgotten', () => {
    const aws = `provisioner: {provider: aws, region: us-west-2, image: {id: ami-2}, master_url: 'https://m.test:8443', instance_type: g5.xlarge}\n`
    writeFileSync(join(dir, 'cloud.yaml'), aws)
    const { status, stderr } = validate('-c', 'cloud.yaml')
    expect(stderr).toContain('CLUSTER_ID_MISSING cluster_id is not set')
    expect(stderr).toMatch(/Add this line to \S+cloud\.yaml: cluster_id: [0-9a-f-]{36}/)
    expect(status, stderr).toBe(0)
    writeFileSync(join(dir, 'cloud.yaml'), `cluster_id: research\n${aws}`)
    expect(validate('-c', 'cloud.yaml').stderr).not.toContain('CLUSTER_ID')
  })

  it('lists what it did not check, and makes warnings errors if asked', () => {
    const { status, stderr } = validate('-c', 'cloud.yaml')
    expect(stderr).toMatch(/^not checked +AWS: credentials/m)
    expect(stderr).toContain('cloud.yaml is valid: default (aws), as far as it was checked')
    expect(status).toBe(0)
    const strict = validate('-c', 'cloud.yaml', '--strict')
    expect(strict.status).toBe(3)
    expect(strict.stderr).not.toContain('is valid')
    const { valid, checked, notChecked } = JSON.parse(validate('-c', 'cloud.yaml', '--format', 'json').stdout)
    expect(valid).toBe(true)
    expect(checked).toContain('cloud.yaml')
    expect(notChecked).toContainEqual({ what: expect.stringContaining('AWS: '), why: 'provision check' })
  })

  it('prints the same as JSON', () => {
    const { problems, valid } = JSON.parse(validate('-c', 'bad.yaml', '--format', 'json').stdout)
    expect(valid).toBe(false)
    expect(problems.filter(({ severity }: { severity: string }) => severity === 'error')).toHaveLength(3)
    expect(problems[0]).toMatchObject({
      severity: 'error',
      where: { file: 'bad.yaml', line: expect.any(Number) },
    })
  })
})

describe('provision schema', () => {
  it('prints a JSON Schema', () => {
    const { status, stdout } = runCli(['schema'], { noOutside: true })
    expect(status).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({ $schema: expect.stringContaining('json-schema.org') })
  })
})

describe('provision', () => {
  it('suggests the intended command', () => {
    const { status, stderr } = runCli(['vaildate'])
    expect(stderr).toMatch(/validate/)
    expect(status).toBe(2)
  })

  it.each([['--help'], ['certs', '--help'], ['help', 'validate']])('prints its help: %s %s', (...args) => {
    const { status, stdout } = runCli(args.filter(Boolean))
    expect(stdout).toMatch(/Usage: provision/)
    expect(status).toBe(0)
  })

  it.each([
    [['--bogus'], 'provision'],
    [['status', '--bogus'], 'provision status'],
    [['trust', 'add', '--bogus'], 'provision trust add'],
  ])('names the command whose help lists the flags: %j', (args, command) => {
    const { status, stderr } = runCli(args)
    expect(stderr).toContain(`(see \`${command} --help\`)`)
    expect(status).toBe(2)
  })

  it.each([['--help'], ['run', '-h']])('lists the options of the agent: %s', (...args) => {
    const { status, stdout } = runCli(['agent', ...args])
    expect(stdout).toMatch(/^ {2}--master-host <text> +DET_MASTER_HOST$/m)
    expect(stdout).toMatch(/^ {2}--security-tls-enabled\[=true\|false\] +DET_SECURITY_TLS_ENABLED$/m)
    expect(status).toBe(0)
  })

  it('prints its version', () => {
    expect(runCli(['--version']).stdout).toMatch(/^\d+\.\d+\.\d+\n$/)
  })
})
