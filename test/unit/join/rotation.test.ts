// The agents' CA: created once, replaced in three steps without an instance that nobody knows, or taken from files of the user.
import { X509Certificate } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { CaFiles } from '../../../src/join/issuer.ts'
import { ensureCa, expiryOf, idOf, instanceIn, issueTo, openAgentsCa } from '../../../src/join/issuer.ts'
import {
  activateNext,
  allowReissue,
  createCa,
  finishRotation,
  nextStep,
  startRotation,
  writeBundle,
} from '../../../src/join/rotation.ts'
import type { JoinStore } from '../../../src/state/join.ts'
import { aliveId, day, type JoinEndpoint, joinEndpoint } from '../../support/join-service.ts'
import { storeIn } from '../../support/state-store.ts'
import { testKey } from '../../support/test-keys.ts'
import { pemOf } from '../../support/x509.ts'
import { authority, server } from '../../support/x509-profiles.ts'

const now = Date.now()
const codeOf = (work: Promise<unknown>) =>
  work.then(
    () => 'done',
    (error) => error.code,
  )

describe('a rotation', () => {
  let end: JoinEndpoint
  let store: JoinStore
  beforeEach(async () => {
    end = await joinEndpoint()
    store = end.options.store
  })
  afterEach(() => end.close())

  const roles = async () => (await store.readCa())!.authorities.map(({ role }) => role)
  const issuerOf = async (pem: string) => {
    const { trusted } = await end.options.ca.current()
    return trusted.findIndex((ca) => new X509Certificate(pem).checkIssued(ca))
  }
  const handedOut = (bundle: string) => bundle.match(/BEGIN CERTIFICATE/g)?.length

  it('hands out both, issues by the new one, and drops the old one when no instance has a certificate of it', async () => {
    const old = (await end.join()).value
    expect(handedOut(old.ca)).toBe(1)

    await startRotation(store, now)
    expect(await roles()).toEqual(['issuing', 'next'])
    const second = (await end.renew(old.certificate)).value
    expect([await issuerOf(second.certificate), handedOut(second.ca)]).toEqual([0, 2])

    await activateNext(store)
    expect(await roles()).toEqual(['previous', 'issuing'])
    expect((await store.readCa())!.authorities[0]).not.toHaveProperty('key')
    await expect(finishRotation(store, now)).rejects.toThrow(
      /AGENTS_CA_IN_USE: certificates of 1 instances.*i-0123/,
    )
    expect(await roles()).toEqual(['previous', 'issuing'])
    // The old certificate is good for a renewal, which is by the new CA.
    const third = (await end.renew(second.certificate)).value
    expect([await issuerOf(third.certificate), handedOut(third.ca)]).toEqual([1, 2])
    // Who has got it is known when it is shown: the answer may have been lost, and then the old one is needed still.
    expect(await codeOf(finishRotation(store, now))).toBe('AGENTS_CA_IN_USE')
    const again = await end.renew(second.certificate)
    expect(again.status).toBe(200)
    expect(await codeOf(finishRotation(store, now))).toBe('AGENTS_CA_IN_USE')
    expect((await end.join()).status).toBe(200)
    expect(await codeOf(finishRotation(store, now))).toBe('AGENTS_CA_IN_USE')
    expect((await end.renew(third.certificate)).status).toBe(200)

    await finishRotation(store, now)
    expect(await roles()).toEqual(['issuing'])
    expect((await end.renew(second.certificate)).status).toBe(403)
    const last = await end.renew(third.certificate)
    expect([last.status, handedOut(last.value.ca)]).toEqual([200, 1])
  })

  it('may drop the old CA when its certificates have expired', async () => {
    await end.join()
    await startRotation(store, now)
    await activateNext(store)
    expect(await codeOf(finishRotation(store, Date.now() + 6.9 * day))).toBe('AGENTS_CA_IN_USE')
    expect(await codeOf(finishRotation(store, Date.now() + 7.1 * day))).toBe('done')
  })

  it('waits for the old certificate of an instance that has not shown the new one, until it has expired', async () => {
    const old = (await end.join()).value
    await startRotation(store, now)
    await activateNext(store)
    expect((await end.renew(old.certificate)).status).toBe(200)
    expect((await store.binding(aliveId))!.earlier).toMatchObject({ expiresAt: Date.parse(old.expiresAt) })
    const almost = Date.parse(old.expiresAt) - 1
    expect(await codeOf(finishRotation(store, almost))).toBe('AGENTS_CA_IN_USE')
    expect(await codeOf(finishRotation(store, almost + 1))).toBe('done')
  })

  it('refuses steps out of order, and names the next one', async () => {
    expect([await codeOf(activateNext(store)), await codeOf(finishRotation(store, now))]).toEqual([
      'AGENTS_CA_ROTATION',
      'AGENTS_CA_ROTATION',
    ])
    await startRotation(store, now)
    const again = await startRotation(store, now).catch((error) => error)
    expect(again.problems[0].remedy).toContain('rotate --activate')
    expect(await codeOf(finishRotation(store, now))).toBe('AGENTS_CA_ROTATION')
    await activateNext(store)
    expect(await codeOf(activateNext(store))).toBe('AGENTS_CA_ROTATION')
    expect(await codeOf(startRotation(store, now))).toBe('AGENTS_CA_ROTATION')
    expect(nextStep(await roles())).toBe('rotate --finish')
    await finishRotation(store, now)
    expect(nextStep(await roles())).toBe('rotate')
  })

  it('that starts twice at once starts once', async () => {
    const started = await Promise.all(Array.from({ length: 5 }, () => codeOf(startRotation(store, now))))
    expect(started.filter((code) => code === 'done')).toHaveLength(1)
    expect(await roles()).toEqual(['issuing', 'next'])
  })

  it.each(['bind', 'replaceBinding'] as const)(
    'between the %s of a join and its certificate leaves no certificate that the old CA has issued unseen',
    async (call) => {
      if (call === 'replaceBinding') await end.join()
      await startRotation(store, now)
      const works = store[call] as (...args: unknown[]) => Promise<unknown>
      let rotated = 0
      Object.assign(store, {
        [call]: async (...args: unknown[]) => {
          const done = await works(...args)
          if (rotated++ === 0) await activateNext(store)
          return done
        },
      })
      const { certificate } = (await end.join()).value
      expect(await issuerOf(certificate)).toBe(1)
      expect((await store.binding(aliveId))!.issuer).toBe(idOf((await end.options.ca.current()).trusted[1]!))
      // That of its first join is by the old CA.
      if (call === 'replaceBinding') {
        expect(await codeOf(finishRotation(store, now))).toBe('AGENTS_CA_IN_USE')
        expect((await end.renew(certificate)).status).toBe(200)
      }
      expect(await codeOf(finishRotation(store, now))).toBe('done')
      expect((await end.renew(certificate)).status).toBe(200)
    },
  )

  it('keeps nonces and bindings', async () => {
    const nonce = await end.nonce()
    await startRotation(store, now)
    await activateNext(store)
    await finishRotation(store, now)
    expect((await end.join({ nonce })).status).toBe(200)
  })
})

describe('the CA', () => {
  let stateDir: string
  let store: JoinStore
  beforeEach(() => {
    stateDir = mkdtempSync(join(tmpdir(), 'agents-ca-'))
    store = storeIn(stateDir).join
  })
  afterEach(() => rmSync(stateDir, { recursive: true }))

  it('is missing until it is created, once', async () => {
    expect(await codeOf(openAgentsCa(store).current())).toBe('AGENTS_CA_MISSING')
    expect(await codeOf(startRotation(store, now))).toBe('AGENTS_CA_MISSING')
    await createCa(store, now)
    const { issuing } = await openAgentsCa(store).current()
    expect(await codeOf(createCa(store, now))).toBe('AGENTS_CA_EXISTS')
    expect(await ensureCa(store, now)).toBe('found')
    expect((await openAgentsCa(store).current()).issuing.id).toBe(issuing.id)
  })

  it('is one for all who create it at once', async () => {
    const made = await Promise.all(Array.from({ length: 8 }, () => ensureCa(storeIn(stateDir).join, now)))
    expect(made.filter((outcome) => outcome === 'created')).toHaveLength(1)
  })

  it('is valid for ten years, for nothing but instances, and its bundle has no key', async () => {
    await createCa(store, now)
    const { bundle, issuing } = await openAgentsCa(store).current()
    const ca = new X509Certificate(issuing.certificate)
    expect([ca.ca, ca.validToDate.getTime() - now > 3649 * day]).toEqual([true, true])
    const file = writeBundle(stateDir, bundle)
    expect(file).toBe(join(stateDir, 'agents-ca.pem'))
    expect([statSync(file).mode & 0o777, readFileSync(file, 'utf8')]).toEqual([0o644, issuing.certificate])
    expect(bundle).not.toContain('PRIVATE')
  })

  it('issues nothing that outlives it, and nothing after its end', async () => {
    await createCa(store, now)
    const ca = await openAgentsCa(store).current()
    expect(expiryOf(ca, day, ca.issuing.notAfter - 5_000)).toBe(ca.issuing.notAfter)
    expect(() => expiryOf(ca, day, ca.issuing.notAfter)).toThrow(/AGENTS_CA_UNUSABLE: it has expired/)
  })

  it('knows its certificates by its own signature, their dates and their names', async () => {
    await createCa(store, now)
    const ca = await openAgentsCa(store).current()
    const request = { id: 'i-1', publicKey: ca.issuing.key.publicKey, now, expiresAt: now + day }
    const certificate = new X509Certificate(await issueTo(ca, request))
    expect(instanceIn(certificate, ca, now)).toMatchObject({ id: 'i-1' })
    expect(instanceIn(certificate, ca, now + day + 1_000)).toBeUndefined()
    expect(instanceIn(certificate, ca, now - 2 * 3_600_000)).toBeUndefined()
    expect(instanceIn(new X509Certificate(ca.issuing.certificate), ca, now)).toBeUndefined()
    await expect(issueTo(ca, { ...request, id: 'i-1,O=x' })).rejects.toThrow()
  })

  it('lets an instance bring another key only if it has one', async () => {
    expect(await codeOf(allowReissue(store, 'i-1', now))).toBe('JOIN_BINDING_UNKNOWN')
  })

  describe('in files of the user', () => {
    const files = (): CaFiles => ({
      certificateFile: join(stateDir, 'ca.crt'),
      key: join(stateDir, 'ca.key'),
    })
    const write = (certificates: string, key: string) => {
      writeFileSync(files().certificateFile, certificates)
      writeFileSync(files().key as string, key)
    }

    it.each(['p256', 'p384', 'rsa2048'] as const)(
      'of a %s key issues by the first certificate',
      async (kind) => {
        const own = authority('Own CA', { key: testKey(kind, 'own ca') })
        const more = authority('Next CA')
        write(own.pem + more.pem, own.key.pem)
        expect(await ensureCa(store, now, true)).toBe('created')
        const ca = await openAgentsCa(store, files()).current()
        expect(ca.bundle).toBe(own.pem + more.pem)
        const request = { id: 'i-1', publicKey: ca.issuing.key.publicKey, now, expiresAt: now + day }
        const certificate = new X509Certificate(await issueTo(ca, request))
        expect(certificate.checkIssued(new X509Certificate(own.pem))).toBe(true)
        expect(instanceIn(certificate, ca, now)).toMatchObject({ id: 'i-1' })
      },
    )

    it('is read anew when the files change', async () => {
      const [first, second] = [authority('First CA'), authority('Second CA')]
      write(first.pem, first.key.pem)
      await ensureCa(store, now, true)
      const ca = openAgentsCa(store, files())
      const before = await ca.current()
      expect(await ca.current()).toBe(before)
      write(second.pem + first.pem, second.key.pem)
      const after = await ca.current()
      expect([after.version === before.version, after.trusted.length]).toEqual([false, 2])
      expect(after.nonceKey).toEqual(before.nonceKey)
    })

    it('is not rotated by commands', async () => {
      await ensureCa(store, now, true)
      for (const step of [startRotation, activateNext, finishRotation])
        expect(await codeOf(step(store, now))).toBe('AGENTS_CA_IS_FILE')
    })

    const own = authority('Own CA')
    it.each([
      ['another key', own.pem, testKey('p256', 'not own').pem, /key is not that of the first certificate/],
      ['no certificate', '', own.key.pem, /no certificate that issues/],
      ['a server certificate', server().pem, server().key.pem, /not that of a CA/],
      ['a cut certificate', own.pem.slice(0, 200), own.key.pem, /line 1: it is cut off/],
      ['bytes that are no certificate', pemOf(Buffer.from('3000', 'hex')), own.key.pem, /cannot be read/],
      ['a key of another kind', own.pem, testKey('ed25519').pem, /neither an ECDSA key.*nor an RSA key/],
      ['a key that is text', own.pem, 'secret', /the key cannot be used/],
    ])('with %s is refused, with its path', async (_, certificates, key, message) => {
      write(certificates, key)
      await ensureCa(store, now, true)
      const error = await openAgentsCa(store, files())
        .current()
        .catch((thrown) => thrown)
      expect(error.code).toBe('AGENTS_CA_UNUSABLE')
      expect(error.message).toMatch(message)
      expect(error.message).toContain(stateDir)
      expect(error.message).not.toContain('secret')
    })

    it('that are missing is refused, with the path', async () => {
      await ensureCa(store, now, true)
      await expect(openAgentsCa(store, files()).current()).rejects.toThrow(
        /AGENTS_CA_UNUSABLE: .*ca\.(crt|key) cannot be read/,
      )
    })
  })
})
