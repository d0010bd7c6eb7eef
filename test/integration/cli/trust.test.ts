// `provision trust` in a script: without a terminal, with fingerprints. The terminal is tested in test/tools/cli.
import { X509Certificate } from 'node:crypto'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { presentedFacts } from '../../../src/pki/presented.ts'
import { trustStore } from '../../../src/pki/trust-store.ts'
import { answerInfo, Masters } from '../../support/masters.ts'
import { type CliRun, runCli, runCliAside } from '../../support/run-cli.ts'
import { joined } from '../../support/shapes/shape.ts'
import { testKey } from '../../support/test-keys.ts'
import type { Issued } from '../../support/x509.ts'
import { authority, masterName, server } from '../../support/x509-profiles.ts'

const masters = new Masters()
let env: Record<string, string>
let dir: string
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'trust-cli-'))
  env = { XDG_CONFIG_HOME: dir, DET_MASTER_CERT_NAME: masterName }
})
afterEach(async () => {
  await masters.close()
  rmSync(dir, { recursive: true, force: true })
})

const root = authority('Root')
const leaf = server(root)
const renewed = server(root, { key: testKey('p256', 'renewed') })
const untrusted = server(undefined, { key: testKey('p256', 'stranger') })
const sha256 = ({ pem }: Issued) => presentedFacts(new X509Certificate(pem)).sha256

const store = () => trustStore(join(dir, 'determined/certs.json'))
const serve = async (...chain: Issued[]) =>
  `https://127.0.0.1:${await masters.secure({ cert: joined(chain), key: chain[0]!.key.pem }, answerInfo())}`
const trust = (...args: string[]): Promise<CliRun> => runCliAside(['trust', ...args], { env })

describe('provision trust add', () => {
  it('stores a certificate with the given SHA-256, and then has nothing more to do', async () => {
    const url = await serve(leaf, root)
    const added = await trust('add', url, '--fingerprint', `sha256:${sha256(leaf)}`)
    expect(added.stderr).toMatch(/is now trusted: .*SHA-256 ([0-9a-f]{2}:){31}[0-9a-f]{2}\n$/)
    expect({ status: added.status, stored: store().read() }).toEqual({
      status: 0,
      stored: { [url]: joined([leaf, root]) },
    })
    const again = await trust('add', url)
    expect(again.stderr).toContain('is already trusted by the certificate stored in')
    expect(again.status).toBe(0)
  })

  it('uses the URL of -m or DET_MASTER, and https for one without a scheme', async () => {
    const url = await serve(leaf, root)
    env['DET_MASTER'] = url.replace('https://', '')
    expect((await trust('add', '--fingerprint', sha256(leaf))).status).toBe(0)
    expect(Object.keys(store().read())).toEqual([url])
  })

  it('stores nothing with another SHA-256, also when a trusted CA issued it', async () => {
    const url = await serve(leaf, root)
    const other = await trust('add', url, '--fingerprint', sha256(root))
    expect(other.stderr).toMatch(
      new RegExp(`CLIENT_CERT_FINGERPRINT .*with SHA-256 ${sha256(leaf)}, not ${sha256(root)}`),
    )
    expect([other.status, existsSync(store().file)]).toEqual([3, false])
    await store().set(url, root.pem)
    expect((await trust('add', url, '--fingerprint', sha256(root))).status).toBe(3)
  })

  it('does not replace, and reports who signed the new one', async () => {
    const url = await serve(untrusted)
    await store().set(url, joined([leaf, root]))
    const { status, stderr } = await trust('add', url, '--fingerprint', sha256(untrusted))
    expect(stderr).toMatch(/CLIENT_CERT_CHANGED .*signed by itself; stored is .*\n.*provision trust replace/)
    expect(status).toBe(3)
  })

  it.each([
    ['no URL', ['add'], /the URL of the master is missing/],
    ['plain http', ['add', 'http://127.0.0.1:1'], /is plain http/],
    ['half a SHA-256', ['add', 'https://127.0.0.1:1', '--fingerprint', 'sha256:abc'], /is not a SHA-256/],
    ['a password', ['add', 'https://ada:secret@127.0.0.1:1'], /contains a user name or password/],
  ])('reports what is wrong with %s', (_, args, words) => {
    const { status, stderr } = runCli(['trust', ...args], { env })
    expect(stderr).toMatch(words)
    expect(stderr).not.toContain('secret')
    expect(status).toBe(2)
  })

  it('warns that the store is not used while a variable overrides it', async () => {
    const url = await serve(leaf, root)
    env['DET_MASTER_CERT_FILE'] = 'noverify'
    const { status, stderr } = await trust('add', url, '--fingerprint', sha256(leaf))
    expect(stderr).toContain('TRUST_NOT_CONSULTED DET_MASTER_CERT_FILE is noverify')
    expect(status).toBe(0)
  })
})

describe('provision trust replace', () => {
  it('stores an unknown certificate with the given SHA-256 in place of the old one', async () => {
    const url = await serve(untrusted)
    await store().set(url, joined([leaf, root]))
    expect((await trust('replace', url)).status).toBe(3)
    expect((await trust('replace', url, '--fingerprint', sha256(untrusted))).status).toBe(0)
    expect(store().read()).toEqual({ [url]: untrusted.pem })
  })

  it('needs no SHA-256 for a new certificate of a stored CA', async () => {
    const url = await serve(renewed, root)
    await store().set(url, joined([leaf, root]))
    const { status, stderr } = await trust('replace', url)
    expect(stderr).toContain('is now trusted with its new certificate')
    expect({ status, stored: store().read() }).toEqual({
      status: 0,
      stored: { [url]: joined([renewed, root]) },
    })
  })

  it('has nothing to replace for a master that was never trusted', async () => {
    const { status, stderr } = await trust('replace', await serve(leaf, root))
    expect(stderr).toMatch(/TRUST_UNKNOWN .*\n.*provision trust add/)
    expect(status).toBe(1)
  })
})

describe('provision trust list and remove', () => {
  it('show the stored masters, whichever program added them, and remove one', async () => {
    await store().set('https://a:443', joined([leaf, root]))
    await store().set('https://b:443/cluster', leaf.pem)
    await store().set('https://c:443', 'not PEM')
    const list = runCli(['trust'], { env }).stdout.trimEnd().split('\n')
    expect(list.map((line) => line.split(/ {2,}/).slice(0, 4))).toEqual([
      ['MASTER', 'SUBJECT', 'UNTIL', 'ROOT'],
      ['https://a:443', expect.stringContaining('CN='), expect.stringMatching(/^\d{4}-/), 'yes'],
      ['https://b:443/cluster', expect.stringContaining('CN='), expect.stringMatching(/^\d{4}-/), 'no'],
      ['https://c:443', 'cannot be read', '-', '-'],
    ])
    expect((await trust('remove', 'https://b/cluster/')).status).toBe(0)
    expect((await trust('remove', 'https://b/cluster/')).stderr).toContain('TRUST_UNKNOWN')
    const { file, masters: left } = JSON.parse(runCli(['trust', 'list', '--format', 'json'], { env }).stdout)
    expect(file).toBe(store().file)
    expect(left.map(({ url }: { url: string }) => url)).toEqual(['https://a:443', 'https://c:443'])
  })

  it('report an empty store, and an invalid file', async () => {
    const none = runCli(['trust'], { env })
    expect(none.stderr).toContain('no trusted masters in')
    await store().set('https://a:443', leaf.pem)
    writeFileSync(store().file, '{')
    const broken = runCli(['trust', 'list'], { env })
    expect(broken.stderr).toContain('TRUST_STORE_UNREADABLE')
    expect([none.status, broken.status]).toEqual([0, 3])
  })
})
