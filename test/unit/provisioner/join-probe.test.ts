// The certificate with which the provisioner tries a master: renewed in time, and used until it ends where that fails.
import { X509Certificate } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, it } from 'vitest'
import { caInForce, ensureCa } from '../../../src/join/issuer.ts'
import { probeCertificate } from '../../../src/provisioner/join-probe.ts'
import { FakeClock } from '../../support/fake-clock.ts'
import { storeIn } from '../../support/state-store.ts'

const minute = 60_000
const dir = mkdtempSync(join(tmpdir(), 'join-probe-'))
afterEach(() => rmSync(dir, { recursive: true }))

it('is renewed after half of its time, and used to its end while no other can be issued', async () => {
  const clock = new FakeClock(Date.now())
  const store = storeIn(dir, clock).join
  await ensureCa(store, clock.now(), false)
  const current = await caInForce(store)
  let isSilent = false
  const { key } = current.issuing
  const sign = (bytes: Uint8Array) =>
    isSilent ? Promise.reject(new Error('the token is silent')) : key.sign(bytes)
  const issuing = { ...current.issuing, key: { publicKey: key.publicKey, sign } }
  const probe = probeCertificate(async () => ({ ...current, issuing }), clock)
  const first = await probe()
  await clock.advance(29 * minute)
  expect(await probe()).toBe(first)
  isSilent = true
  await clock.advance(30 * minute)
  expect(await probe()).toBe(first)
  expect(new X509Certificate(first.cert).validToDate.getTime()).toBeGreaterThan(clock.now())
  await clock.advance(2 * minute)
  await expect(probe()).rejects.toThrow('the token is silent')
  isSilent = false
  expect(await probe()).not.toBe(first)
})
