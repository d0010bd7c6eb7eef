// Every example works as its README describes, with the same commands.
import { execFileSync } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { runCli } from '../../support/run-cli.ts'
import { root } from '../../support/sources.ts'

const dir = mkdtempSync(join(tmpdir(), 'examples-'))
afterAll(() => rmSync(dir, { recursive: true, force: true }))

/** A copy of the example with the certificates created as in its README. */
function prepared(name: string): string {
  const folder = join(dir, name)
  cpSync(join(root, 'examples', name), folder, {
    recursive: true,
    filter: (path) => !/\/certs$|\.provision$/.test(path),
  })
  const [, words = ''] = /provision (certs .*)/.exec(readFileSync(join(folder, 'README.md'), 'utf8')) ?? []
  const { status, stderr } = runCli(words.split(' '), { cwd: folder })
  expect(status, stderr).toBe(0)
  return folder
}

describe.each([
  ['aws', ['gpu', 'aux']],
  ['determined', ['gpu']],
  ['gcp', ['gpu', 'aux']],
  ['local', ['default']],
])('examples/%s', (name, pools) => {
  it('renders without credentials, network or key', () => {
    const cwd = prepared(name)
    rmSync(join(cwd, 'certs/server.key'))
    const { status, stdout, stderr } = runCli(['--dry-run', '--format', 'json'], { cwd, noOutside: true })
    expect(status, stderr).toBe(0)
    const made = JSON.parse(stdout).pools
    expect(made.map((pool: { pool: string }) => pool.pool)).toEqual(pools)
    for (const { userData, tls } of made) {
      execFileSync('bash', ['-n'], { input: userData })
      expect(tls).toMatchObject({ enabled: true, mode: 'embed' })
      expect(userData).toContain(`export DET_SECURITY_TLS_MASTER_CERT_NAME='${tls.certificateName}'`)
    }
  })
})

describe('examples/embed', () => {
  it('gives its VMs their own agent, which trusts the master by its user data', () => {
    const cwd = prepared('embed')
    const { status, stdout, stderr } = runCli(['--dry-run'], { cwd })
    expect(status, stderr).toBe(0)
    execFileSync('bash', ['-n'], { input: stdout })
    expect(stdout).toContain("NAME='master.local.example'")
    expect(stdout.match(/BEGIN CERTIFICATE/g)).toHaveLength(3)
    expect(stdout).not.toContain('DET_')
  })
})
