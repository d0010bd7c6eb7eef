// `provision certs`: a development chain that the rest of the program accepts, created once.
import { X509Certificate } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { runCli } from '../../support/run-cli.ts'

let dir: string
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'certs-'))
})
afterEach(() => rmSync(dir, { recursive: true, force: true }))

const certs = (...args: string[]) => runCli(['certs', ...args], { cwd: dir })
const certificate = (name: string) => new X509Certificate(readFileSync(join(dir, 'certs', name)))

describe('provision certs', () => {
  it('creates a chain for the given names and addresses, with keys readable only by their owner', () => {
    const { status, stderr } = certs(
      '--name',
      'master.test',
      '--name',
      '*.pool.test',
      '--ip',
      '10.0.0.5',
      '--days',
      '30',
    )
    expect(status, stderr).toBe(0)
    const leaf = certificate('server.crt')
    expect(leaf.subjectAltName).toBe('DNS:master.test, DNS:*.pool.test, IP Address:10.0.0.5')
    expect(leaf.validToDate.getTime() - Date.now()).toBeLessThan(30 * 86_400_000 + 60_000)
    expect(leaf.verify(certificate('intermediate.crt').publicKey)).toBe(true)
    for (const name of readdirSync(join(dir, 'certs')))
      if (name.endsWith('.key')) expect(statSync(join(dir, 'certs', name)).mode & 0o777, name).toBe(0o600)
    expect(stderr).toContain('certs/chain.crt')
  })

  it('refuses to overwrite, and names the existing files', () => {
    certs('--name', 'master.test')
    const before = readFileSync(join(dir, 'certs/server.key'), 'utf8')
    const { status, stderr } = certs('--name', 'other.test')
    expect(stderr).toMatch(/CERTS_EXIST .*chain\.crt/)
    expect(status).not.toBe(0)
    expect(readFileSync(join(dir, 'certs/server.key'), 'utf8')).toBe(before)
  })

  it('does nothing with --if-missing when they exist', () => {
    certs('--name', 'master.test')
    expect(certs('--name', 'master.test', '--if-missing')).toMatchObject({
      status: 0,
      stderr: '',
      stdout: '',
    })
  })

  it.each([
    ['without a name', [], /USAGE .*name[\s\S]*--name/],
    ['for a name that is none', ['--name', 'bad name'], /bad name/],
    ['for an address that is none', ['--ip', '10.0.0.555'], /10\.0\.0\.555/],
    ['for no days', ['--name', 'a.test', '--days', '0'], /0 days/],
    ['for days in words', ['--name', 'a.test', '--days', 'many'], /many|NaN/],
  ])('makes nothing %s', (_, args, message) => {
    const { status, stderr } = certs(...args)
    expect(stderr).toMatch(message)
    expect(status).toBe(2)
    expect(readdirSync(dir)).toEqual([])
  })

  it('creates what a dry run accepts without a warning except for its age', () => {
    certs('--name', 'master.test', '--days', '365')
    writeFileSync(
      join(dir, 'master.yaml'),
      `security: {tls: {cert: certs/chain.crt, key: certs/server.key}}
resource_pools:
  - pool_name: default
    provider: {type: local, min_instances: 1}
`,
    )
    const { status, stderr, stdout } = runCli(['--dry-run'], { cwd: dir })
    expect(status, stderr).toBe(0)
    expect(stderr).not.toMatch(/warning|error/)
    expect(stdout).toContain('BEGIN CERTIFICATE')
    expect(stdout).not.toContain('PRIVATE KEY')
  })
})
