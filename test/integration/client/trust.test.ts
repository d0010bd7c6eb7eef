// Connecting to a master for the first time, and again: which ones the user is asked about, what is stored, and what is
// rejected.
import { X509Certificate } from 'node:crypto'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createClient } from '../../../src/http/client.ts'
import { targetByUrl } from '../../../src/http/target.ts'
import type { UntrustedServer } from '../../../src/http/untrusted-server.ts'
import { presentedFacts } from '../../../src/pki/presented.ts'
import { trustStore, trustStoreFile } from '../../../src/pki/trust-store.ts'
import { type Problem, ProvisionError } from '../../../src/problems/index.ts'
import { answerInfo, Masters } from '../../support/masters.ts'
import { joined } from '../../support/shapes/shape.ts'
import { testKey } from '../../support/test-keys.ts'
import { day, type Issued, now } from '../../support/x509.ts'
import { authority, masterName, server } from '../../support/x509-profiles.ts'

const masters = new Masters()
let env: Record<string, string>
beforeEach(() => {
  env = {
    DET_DEBUG_CONFIG_PATH: mkdtempSync(join(tmpdir(), 'trust-')),
    DET_MASTER_CERT_NAME: masterName,
  }
})
afterEach(async () => {
  await masters.close()
  rmSync(env['DET_DEBUG_CONFIG_PATH']!, { recursive: true, force: true })
})

const sha256 = ({ pem }: Issued) => presentedFacts(new X509Certificate(pem)).sha256
const serve = (chain: Issued[], options = {}, answer = answerInfo()) =>
  masters.secure({ cert: joined(chain), key: chain[0]!.key.pem, ...options }, answer)
const store = () => trustStore(trustStoreFile(env))
const urlOf = (port: number) => `https://127.0.0.1:${port}`

/** Answers every question the same way, and records the questions. */
function visitor(port: number, answer: boolean) {
  const asked: UntrustedServer[] = []
  const client = createClient({
    target: targetByUrl(urlOf(port), { env }),
    version: '0',
    timeoutMs: 2000,
    trustPrompt: async (untrusted) => {
      asked.push(untrusted)
      return answer
    },
  })
  return { asked, meet: () => client.about() }
}

async function refusal(meeting: Promise<unknown>): Promise<Problem> {
  const error = await meeting.then(
    () => undefined,
    (error: unknown) => error,
  )
  expect(error).toBeInstanceOf(ProvisionError)
  return (error as ProvisionError).problems[0]!
}

const root = authority('Root')
const intermediate = authority('Intermediate', { issuer: root })
const leaf = server(intermediate)
const renewed = server(intermediate, { key: testKey('p256', 'renewed') })

describe('a master without a trusted CA', () => {
  it('is asked about once, and trusted from then on', async () => {
    const port = await serve([leaf, intermediate, root])
    const first = visitor(port, true)
    expect(await first.meet()).toMatchObject({ version: '0.38.1' })
    expect(first.asked).toMatchObject([
      { url: urlOf(port), presented: [{ sha256: sha256(leaf) }, {}, {}], hasRoot: true },
    ])
    const again = visitor(port, false)
    await again.meet()
    expect(again.asked).toEqual([])
    expect(store().read()).toEqual({ [urlOf(port)]: joined([leaf, intermediate, root]) })
  })

  it('is rejected after a no, and nothing is stored', async () => {
    const port = await serve([leaf, intermediate])
    const { meet, asked } = visitor(port, false)
    expect((await refusal(meet())).code).toBe('CLIENT_CERT_UNTRUSTED')
    expect(asked).toHaveLength(1)
    expect(existsSync(store().file)).toBe(false)
  })

  it('is rejected without a terminal, with its SHA-256 and the command that trusts it', async () => {
    const port = await serve([leaf, intermediate])
    const target = targetByUrl(urlOf(port), { env })
    const { code, message, remedy } = await refusal(createClient({ target, version: '0' }).about())
    expect(code).toBe('CLIENT_CERT_UNTRUSTED')
    expect(message).toContain(`SHA-256 ${sha256(leaf)}`)
    expect(message).toContain('signed by CN=Intermediate')
    expect(remedy).toContain(`provision trust add ${urlOf(port)} --fingerprint sha256:${sha256(leaf)}`)
  })

  it.each([
    ['without its root', [leaf, intermediate], false],
    ['without even its intermediate', [leaf], false],
    ['as a lone self-signed certificate', [server()], true],
  ])('works %s', async (_, chain, hasRoot) => {
    const { meet, asked } = visitor(await serve(chain), true)
    await meet()
    expect(asked[0]).toMatchObject({ hasRoot })
  })

  it.each(['TLSv1.2', 'TLSv1.3'])('works when it speaks %s only', async (version) => {
    const port = await serve([leaf, intermediate], { minVersion: version, maxVersion: version })
    const { meet, asked } = visitor(port, true)
    await meet()
    expect(asked).toHaveLength(1)
  })

  it('cannot control the terminal with its names', async () => {
    const hostile = server(intermediate, { subject: 'good\x1b[2J\u009b2J\u202e\u200b\r\nmaster' })
    const { meet, asked } = visitor(await serve([hostile, intermediate]), true)
    await meet()
    expect(asked[0]?.presented[0].subject).toMatch(/^CN=good[^\p{C}]+master$/u)
  })

  it('is not asked about while DET_MASTER_CERT_FILE decides', async () => {
    const port = await serve([leaf, intermediate])
    env['DET_MASTER_CERT_FILE'] = join(import.meta.dirname, '../../support/example-chain.pem')
    const { meet, asked } = visitor(port, true)
    const { code, remedy } = await refusal(meet())
    expect({ code, asked }).toEqual({ code: 'CLIENT_CERT_UNTRUSTED', asked: [] })
    expect(remedy).toMatch(/example-chain\.pem.*unset DET_MASTER_CERT_FILE/)
  })
})

describe('a problem that trusting would not solve is reported at once, and never asked about', () => {
  it.each([
    [
      'another name',
      () => server(intermediate),
      'other.example',
      'CLIENT_CERT_NAME',
      /not valid for other\.example/,
    ],
    ['an old date', () => server(intermediate, past), masterName, 'CLIENT_CERT_UNUSABLE', /expired/],
    [
      'a date to come',
      () => server(intermediate, future),
      masterName,
      'CLIENT_CERT_UNUSABLE',
      /not yet valid/,
    ],
    [
      'no name at all',
      () => server(intermediate, { names: null }),
      masterName,
      'CLIENT_CERT_NAME',
      /no names/,
    ],
    [
      'another purpose',
      () => server(intermediate, forClients),
      masterName,
      'CLIENT_CERT_UNUSABLE',
      /purpose/,
    ],
  ])('%s', async (_, make, name, code, words) => {
    env['DET_MASTER_CERT_NAME'] = name
    const { meet, asked } = visitor(await serve([make(), intermediate]), true)
    const problem = await refusal(meet())
    expect(problem.message).toMatch(words)
    expect({ code: problem.code, asked }).toEqual({ code, asked: [] })
  })

  it('a master with no cipher in common', async () => {
    const old = { ciphers: 'ECDHE-ECDSA-AES256-SHA384', maxVersion: 'TLSv1.2' }
    const { meet, asked } = visitor(await serve([leaf, intermediate], old), true)
    const { code, message } = await refusal(meet())
    expect({ code, asked }).toEqual({ code: 'CLIENT_TLS_REFUSED', asked: [] })
    expect(message).toMatch(/the TLS library reports: .*handshake failure$/)
  })

  it('a port that speaks plain HTTP', async () => {
    const { meet, asked } = visitor(await masters.tcp(answerInfo()), true)
    expect((await refusal(meet())).code).toBe('CLIENT_SCHEME')
    expect(asked).toEqual([])
  })
})

const past = { notBefore: now - 20 * day, notAfter: now - day }
const future = { notBefore: now + day, notAfter: now + 20 * day }
const forClients = { purposes: ['1.3.6.1.5.5.7.3.2'] }

describe('a master that was trusted and presents another certificate', () => {
  const remember = (port: number, chain: Issued[]) => store().set(urlOf(port), joined(chain))

  it('is accepted at once when a stored CA issued it', async () => {
    const port = await serve([renewed, intermediate])
    await remember(port, [leaf, intermediate])
    const { meet, asked } = visitor(port, true)
    await meet()
    expect(asked).toEqual([])
  })

  it('is rejected with both hashes and its signer, and without a question', async () => {
    const other = authority('Other CA')
    const changed = server(other)
    const port = await serve([changed, other])
    await remember(port, [leaf, intermediate, root])
    const { meet, asked } = visitor(port, true)
    const { code, message, remedy } = await refusal(meet())
    expect({ code, asked }).toEqual({ code: 'CLIENT_CERT_CHANGED', asked: [] })
    expect(message).toMatch(
      new RegExp(`now .*${sha256(changed)}.* signed by CN=Other CA; stored is .*${sha256(leaf)}`),
    )
    expect(remedy).toContain(`provision trust replace ${urlOf(port)} --fingerprint sha256:${sha256(changed)}`)
    expect(store().read()[urlOf(port)]).toBe(joined([leaf, intermediate, root]))
  })

  it('is reported to come from a CA that has only the name of the stored one', async () => {
    const namesake = authority('Intermediate', { issuer: root, key: testKey('p256', 'namesake') })
    const port = await serve([server(namesake), namesake])
    await remember(port, [leaf, intermediate])
    const { code, message } = await refusal(visitor(port, true).meet())
    expect(code).toBe('CLIENT_CERT_CHANGED')
    expect(message).toMatch(/CN=Intermediate, which has the name of a CA that was stored, but another key/)
  })

  it('is reported to be self-signed', async () => {
    const port = await serve([server(undefined, { key: testKey('p256', 'new') })])
    await remember(port, [server()])
    expect((await refusal(visitor(port, true).meet())).message).toContain('signed by itself')
  })

  it('is rejected while the stored certificate cannot be read', async () => {
    const port = await serve([leaf, intermediate])
    await store().set(urlOf(port), 'no certificate')
    const { code, message } = await refusal(visitor(port, true).meet())
    expect(code).toBe('CLIENT_CERT_CHANGED')
    expect(message).toContain('stored is an unreadable certificate')
    expect(readFileSync(store().file, 'utf8')).toContain('no certificate')
  })
})
