// The trust flow on a real terminal, for each certificate case; independent readers check the store.
import { spawn } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { trustStore } from '../../../src/pki/trust-store.ts'
import { withFlock } from '../../../src/platform/flock.ts'
import { answerInfo, Masters } from '../../support/masters.ts'
import { runCliAside } from '../../support/run-cli.ts'
import { joined } from '../../support/shapes/shape.ts'
import { testKey } from '../../support/test-keys.ts'
import { day, type Issued, now } from '../../support/x509.ts'
import { authority, masterName, server } from '../../support/x509-profiles.ts'
import { dialWithPython } from '../tls/clients.ts'
import { cleanEnv, converse, run } from '../tls/run.ts'
import { onTerminal } from './terminal.ts'

const masters = new Masters()
let env: Record<string, string>
let store: string
beforeEach(() => {
  const folder = mkdtempSync(join(tmpdir(), 'trust-'))
  env = { DET_DEBUG_CONFIG_PATH: folder, DET_MASTER_CERT_NAME: masterName }
  store = join(folder, 'certs.json')
})
afterEach(async () => {
  await masters.close()
  rmSync(env['DET_DEBUG_CONFIG_PATH']!, { recursive: true, force: true })
})

const ourInfo = JSON.stringify({ product: 'dynamic-agent-provisioner', version: '0.1.0', cluster_id: 'c' })
const question = 'Trust this certificate from now on? [y/n] '
const root = authority('Root')
const intermediate = authority('Intermediate', { issuer: root })
const leaf = server(intermediate)

async function serve(chain: Issued[], options = {}): Promise<string> {
  const pair = { cert: joined(chain), key: chain[0]!.key.pem }
  return `https://127.0.0.1:${await masters.secure({ ...pair, ...options }, answerInfo(ourInfo))}`
}
const version = (url: string, answers: [string, string][] = []) =>
  onTerminal(['version', '-m', url], env, answers)
const sha256 = ({ pem }: Issued) => new X509Certificate(pem).fingerprint256.replaceAll(':', '').toLowerCase()
const stored = () =>
  converse<{ canonical: boolean; masters: Record<string, string[]> }>(
    'python3',
    [join(import.meta.dirname, 'read-store.py')],
    { file: store },
  )

/** Like a person would on the master. */
async function opensslFingerprint({ pem }: Issued): Promise<string> {
  const file = join(env['DET_DEBUG_CONFIG_PATH']!, 'leaf.crt')
  writeFileSync(file, pem)
  const { stdout } = await run('openssl', ['x509', '-noout', '-fingerprint', '-sha256', '-in', file])
  return stdout.trim().split('=')[1]!
}

describe('the first connection', () => {
  it("asks with openssl's SHA-256, stores the chain after a yes, and does not ask again", async () => {
    const url = await serve([leaf, intermediate, root])
    const { status, screen } = await version(url, [
      [question, 'perhaps\r'],
      [question, 'yes\r'],
    ])
    expect(screen.toUpperCase()).toContain(await opensslFingerprint(leaf))
    expect(screen).toMatch(/signed +by CN=Intermediate\n/)
    expect(screen).toContain(`It is stored in ${store}`)
    expect(screen).toContain('0.1.0')
    expect(status).toBe(0)
    expect(await stored()).toEqual({
      canonical: true,
      masters: { [url]: [leaf, intermediate, root].map(sha256) },
    })
    expect((await version(url)).screen).not.toContain('[y/n]')
  })

  it.each([
    ['a no', 'n\r', 3],
    ['end of input', '\x04', 3],
    ['Ctrl-C', '\x03', 130],
  ])('stores nothing after %s', async (_, typed, expected) => {
    const { status, unanswered } = await version(await serve([leaf, intermediate]), [[question, typed]])
    expect({ status, unanswered }).toEqual({ status: expected, unanswered: [] })
    expect(existsSync(store)).toBe(false)
  })

  it('does not ask when its input is not the terminal', async () => {
    const { status, stderr } = await runCliAside(['version', '-m', await serve([leaf, intermediate])], {
      env,
    })
    expect(stderr).toContain(`--fingerprint sha256:${sha256(leaf)}`)
    expect(stderr).not.toContain('[y/n]')
    expect(status).toBe(3)
  })

  it('does not ask for a master with a certificate of a well-known CA', async () => {
    const ca = join(env['DET_DEBUG_CONFIG_PATH']!, 'root.crt')
    writeFileSync(ca, root.pem)
    const known = { ...env, NODE_EXTRA_CA_CERTS: ca }
    const { status, screen } = await onTerminal(['version', '-m', await serve([leaf, intermediate])], known)
    expect(screen).not.toContain('[y/n]')
    expect(status).toBe(0)
    expect(existsSync(store)).toBe(false)
  })

  it('works with a master that speaks TLS 1.3 only', async () => {
    const url = await serve([leaf, intermediate], { minVersion: 'TLSv1.3' })
    expect((await version(url, [[question, 'y\r']])).status).toBe(0)
  })

  it.each([
    ['a wrong name', () => server(intermediate, { names: [] }), /CLIENT_CERT_NAME/],
    ['an expired certificate', () => server(intermediate, expired), /CLIENT_CERT_UNUSABLE .*expired/],
  ])('is refused without a prompt for %s', async (_, make, problem) => {
    const { status, screen } = await version(await serve([make(), intermediate]))
    expect(screen).toMatch(problem)
    expect(screen).not.toContain('[y/n]')
    expect(status).toBe(3)
  })

  it('is refused without a prompt if the port speaks plain HTTP', async () => {
    const { screen } = await version(`https://127.0.0.1:${await masters.tcp(answerInfo(ourInfo))}`)
    expect(screen).toMatch(/CLIENT_SCHEME .*does not speak TLS/)
  })
})

const expired = { notBefore: now - 20 * day, notAfter: now - day }

describe('a chain without its root', () => {
  it('is enough here, with a warning that it is not for Python before 3.13, which is true', async () => {
    const url = await serve([leaf, intermediate])
    const { status, screen } = await version(url, [[question, 'y\r']])
    expect(status).toBe(0)
    expect(screen).toMatch(/TRUST_ROOT_MISSING .*Python before 3\.13 will still reject it/)
    const job = { id: 'x', port: Number(new URL(url).port), certificateName: masterName }
    const anchorsPem = trustStore(store).read()[url]!
    const verdicts = await dialWithPython([{ ...job, anchorsPem }])
    expect([verdicts.python['x'], verdicts.pythonStrict['x']]).toEqual(['untrusted', 'ok'])
    const whole = await dialWithPython([{ ...job, anchorsPem: anchorsPem + root.pem }])
    expect(whole.python['x']).toBe('ok')
  })
})

describe('a certificate that changed', () => {
  const other = authority('Other CA')
  const changed = server(other, { key: testKey('p256', 'changed') })

  it('is refused by every command, with both hashes, until it is replaced', async () => {
    const url = await serve([changed, other])
    await trustStore(store).set(url, joined([leaf, intermediate, root]))
    const { status, screen } = await version(url)
    expect(screen).toMatch(new RegExp(`CLIENT_CERT_CHANGED [^]*${sha256(changed)}[^]*${sha256(leaf)}`))
    expect(screen).toContain('signed by CN=Other CA')
    expect([status, screen.includes('[y/n]')]).toEqual([3, false])
    const add = await onTerminal(['trust', 'add', url], env)
    expect([add.status, add.screen.includes('[y/n]')]).toEqual([3, false])

    const no = await onTerminal(['trust', 'replace', url], env, [['with this one? [y/n] ', 'n\r']])
    expect(no.status).toBe(3)
    expect((await stored()).masters[url]).toContain(sha256(leaf))
    const yes = await onTerminal(['trust', 'replace', url], env, [['with this one? [y/n] ', 'y\r']])
    expect(yes.screen).toContain('Stored certificate:')
    expect(yes.status).toBe(0)
    expect(await stored()).toEqual({ canonical: true, masters: { [url]: [changed, other].map(sha256) } })
    expect((await version(url)).status).toBe(0)
  })
})

describe('the lock', () => {
  /** Only these programs, like on a machine without util-linux. */
  async function pathOf(...programs: string[]): Promise<string> {
    const folder = join(env['DET_DEBUG_CONFIG_PATH']!, 'bin')
    mkdirSync(folder)
    for (const program of programs) {
      const { stdout } = await run('sh', ['-c', `command -v ${program}`])
      symlinkSync(stdout.trim(), join(folder, program))
    }
    return folder
  }

  it.each([
    ['by flock', ['sh', 'flock']],
    ['by Perl', ['sh', 'perl']],
  ])('of another program is waited for %s, and its changes are kept', async (_, programs) => {
    const url = await serve([leaf, intermediate, root])
    await trustStore(store).set('https://before:443', '-')
    const python = spawn('python3', [join(import.meta.dirname, 'hold-lock.py'), store], { env: cleanEnv })
    await once(python.stdout, 'data')
    const withPath = { ...env, PATH: await pathOf(...programs) }
    const adding = runCliAside(['trust', 'add', url, '--fingerprint', sha256(leaf)], { env: withPath })
    const early = await Promise.race([adding, new Promise((resolve) => setTimeout(resolve, 1500, 'waits'))])
    expect(early).toBe('waits')
    python.stdin.end()
    expect((await adding).status).toBe(0)
    const urls = Object.keys(JSON.parse(readFileSync(store, 'utf8')))
    expect(urls.sort()).toEqual(['https://added-by-python:443', 'https://before:443', url].sort())
  })

  it('held for too long is an error', async () => {
    await trustStore(store).set('https://before:443', '-')
    const python = spawn('python3', [join(import.meta.dirname, 'hold-lock.py'), store], { env: cleanEnv })
    await once(python.stdout, 'data')
    await expect(withFlock(`${store}.lock`, () => 'done', 300)).rejects.toMatchObject({ code: 'ETIMEDOUT' })
    python.stdin.end()
    await once(python, 'close')
    expect(await withFlock(`${store}.lock`, () => 'done', 5000)).toBe('done')
  })
})
