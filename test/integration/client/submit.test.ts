// Lost responses: a job is submitted once, and the client reports what is known.
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server } from 'node:net'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { type Client, createClient } from '../../../src/http/client.ts'
import { listJobs, submitJob } from '../../../src/http/job-client.ts'
import type { Clock } from '../../../src/platform/ports.ts'
import type { ProvisionError } from '../../../src/problems/index.ts'
import { startMaster, type TestMaster, token } from '../../support/master.ts'

let m: TestMaster
let between: Server
/** Responses to POST requests that are still to be lost. */
let losses: number
let posts: number
beforeEach(async () => {
  m = await startMaster({}, { tls: undefined })
  losses = posts = 0
  between = createServer((client) => {
    const master = connect(m.listener.port, '127.0.0.1')
    let isLost = false
    client.on('data', (bytes) => {
      if (bytes.toString().startsWith('POST')) {
        posts++
        isLost = losses-- > 0
      }
      master.write(bytes)
    })
    // The master has carried out the request by the time it responds.
    master.on('data', (bytes) => (isLost ? client.destroy() : client.write(bytes)))
    for (const socket of [client, master])
      socket.on('error', () => {}).on('close', () => [client, master].map((s) => s.destroy()))
  })
  await once(between.listen(0, '127.0.0.1'), 'listening')
})
afterEach(async () => {
  between.close()
  await m.stop()
})

const waits: number[] = []
/** Does not wait. */
const clock: Clock = { now: () => 0, sleep: async (ms) => void waits.push(ms) }

function client(): Client {
  const { port } = between.address() as AddressInfo
  const address = { scheme: 'http', host: '127.0.0.1', port } as const
  return createClient({ target: { address, prefix: '', access: { token } }, version: '0', timeoutMs: 2000 })
}

const order = { id: 'once', slots: 1, duration: '1h' }
const atTheMaster = () => listJobs(client())

it('a job whose responses were lost exists once, and the client gets the result in the end', async () => {
  losses = 3
  expect(await submitJob(client(), order, clock)).toMatchObject({ task: 'once', state: 'pending' })
  expect(posts).toBe(4)
  expect(waits).toEqual([500, 1000, 2000])
  expect(await atTheMaster()).toHaveLength(1)
})

it('without any response the client reports that the master may have it', async () => {
  losses = 100
  const error = (await submitJob(client(), order, clock).catch((error: unknown) => error)) as ProvisionError
  expect(error.problems[0]).toMatchObject({
    code: 'WORK_NOT_CONFIRMED',
    remedy: expect.stringContaining('`provision jobs once`'),
    details: { id: 'once' },
  })
  expect(error.problems[0]!.remedy).toContain('--id once')
  expect(posts).toBe(5)
  expect(await atTheMaster()).toHaveLength(1)
})

it('a refused job is not sent twice', async () => {
  const wrong = submitJob(client(), { ...order, slots: -1 }, clock)
  await expect(wrong).rejects.toMatchObject({ code: 'REQUEST_REFUSED' })
  expect(posts).toBe(1)
})

it('a master that never responded is not retried', async () => {
  const away = client()
  between.close()
  waits.length = 0
  await expect(submitJob(away, order, clock)).rejects.toMatchObject({ code: 'CLIENT_UNREACHABLE' })
  expect(waits).toEqual([])
})
