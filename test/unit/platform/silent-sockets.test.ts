// Agents whose requests end when nothing arrives, and do not try one silent connection after the other.
import { createServer, get } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { outgoingAgents } from '../../../src/platform/proxy-route.ts'
import { type SilentRelay, silentRelay } from '../../support/silent-relay.ts'

let latency = 0
const { httpAgent: agent } = outgoingAgents({})
const server = createServer((_, response) => void setTimeout(() => response.end('x'), latency))
let relay: SilentRelay
beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  relay = await silentRelay((server.address() as AddressInfo).port)
})
afterAll(async () => {
  agent.destroy()
  await relay.close()
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
})

/** Resolves with whether the connection had been used before. */
function request(timeout: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const sent = get({ host: '127.0.0.1', port: relay.port, agent, timeout }, (response) => {
      response.on('end', () => resolve(sent.reusedSocket)).resume()
    }).on('error', reject)
  })
}

it('a request without an answer ends after its timeout, and the next one gets a new connection', async () => {
  latency = 100
  await Promise.all([request(5_000), request(5_000)])
  relay.hush()
  const from = performance.now()
  await expect(request(300)).rejects.toMatchObject({ code: 'ETIMEDOUT' })
  expect(performance.now() - from).toBeLessThan(2_000)
  expect(await request(5_000)).toBe(false)
  expect(await request(5_000)).toBe(true)
  expect([relay.usedInSilence(), relay.accepted()]).toEqual([1, 3])
})
