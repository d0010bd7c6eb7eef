// Connections to a master that fall silent: a request on one is given up, others that were open as long are not used any more,
// and a response that arrives slowly is read to its end.
import { afterEach, beforeEach, expect, it } from 'vitest'
import { type Opened, openFake } from '../../support/fake-determined/opened.ts'
import { type SilentRelay, silentRelay } from '../../support/silent-relay.ts'

const timeoutMs = 500

let opened: Opened
let relay: SilentRelay
beforeEach(async () => {
  opened = await openFake()
  relay = await silentRelay(opened.fake.port)
})
afterEach(async () => {
  await opened.dispose()
  await relay.close()
})

const open = () => opened.open({ timeoutMs, demand: { url: `http://127.0.0.1:${relay.port}` } })

it('an answer that takes longer in all is read to its end', async () => {
  relay.slow = { parts: 4, everyMs: 200 }
  const from = Date.now()
  const facts = await open().facts()
  expect(facts.version).toBeTruthy()
  expect(Date.now() - from).toBeGreaterThan(timeoutMs)
})

it('an answer that falls silent in its middle is no answer', async () => {
  const source = open()
  await source.facts()
  relay.cut = { missing: 10, times: 1 }
  const from = Date.now()
  await expect(source.facts()).rejects.toMatchObject({ code: 'DETERMINED_UNREACHABLE' })
  await expect(source.facts()).resolves.toHaveProperty('version')
  expect(Date.now() - from).toBeLessThan(4 * timeoutMs)
})

it('a request without any byte is given up, and the next one gets a new connection', async () => {
  const source = open()
  await Promise.all([source.facts(), source.facts(), source.facts()])
  relay.hush()
  const from = Date.now()
  await expect(source.facts()).rejects.toThrow('no answer within 0.5 s')
  await expect(source.facts()).resolves.toHaveProperty('version')
  expect(Date.now() - from).toBeLessThan(4 * timeoutMs)
  expect(relay.usedInSilence()).toBe(1)
})
