// An agent that dials before its instance is listed waits for the response, on a real listener.
import { afterEach, describe, expect, it } from 'vitest'
import type { MasterOptions } from '../../../src/standalone/master/master.ts'
import { masterConfig, startMaster, type TestMaster } from '../../support/master.ts'
import { rawTlsClient } from '../../support/server.ts'

const masters: TestMaster[] = []
afterEach(async () => {
  for (const master of masters.splice(0)) await master.stop()
})

async function start(change: Partial<MasterOptions> = {}): Promise<TestMaster & { say(now: Answer): void }> {
  let answer: Answer = 'later'
  const pool = { ...masterConfig().resource_pools[0]!, agents: 'known' as const, provider: {} as never }
  const config = masterConfig({ resource_pools: [pool] })
  const master = await startMaster({ config, mayJoin: () => answer, ...change })
  masters.push(master)
  return {
    ...master,
    say: (now) => {
      answer = now
    },
  }
}
type Answer = 'yes' | 'no' | 'later'

const upgrade = [
  'GET /agents?id=i-raw&reconnect=false HTTP/1.1',
  'Host: master.test',
  'Connection: Upgrade',
  'Upgrade: websocket',
  'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
  '\r\n',
].join('\r\n')
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

describe('an agent whose instance is not listed yet', () => {
  it('joins at its first dial, once the instance is listed', async () => {
    const m = await start()
    const joined = m.join('i-1')
    await pause(500)
    expect(m.master.agents()).toEqual([])
    m.say('yes')
    await joined
    expect(m.refused).toEqual([])
  })

  it('is rejected at once when it turns out not to be an instance', async () => {
    const m = await start()
    const dial = m.dial('i-1')
    const refused = expect(dial).rejects.toMatchObject({ problems: [{ details: { status: 403 } }] })
    await pause(500)
    m.say('no')
    await refused
    expect(m.refused).toMatchObject([{ id: 'i-1', status: 403 }])
  })

  it('is asked to retry when the time is over', async () => {
    const m = await start({ longestHold: 1000 })
    const client = rawTlsClient(m.listener.port, { servername: 'master.test' }, upgrade)
    await pause(500)
    expect(client.text()).toBe('')
    expect(await client.end).toMatch(/^HTTP\/1\.1 503 [\s\S]*\r\nRetry-After: 5\r\n/)
  })

  it('is forgotten when it disconnects', async () => {
    const m = await start({ longestHold: 1000 })
    const client = rawTlsClient(m.listener.port, { servername: 'master.test' }, upgrade)
    await pause(300)
    client.socket.end()
    await client.end
    m.say('yes')
    await pause(1200)
    expect(m.master.agents()).toEqual([])
    expect(m.refused).toEqual([])
  })

  it('gets a response when the master stops', async () => {
    const m = await start()
    const client = rawTlsClient(m.listener.port, { servername: 'master.test' }, upgrade)
    await pause(300)
    await m.master.close()
    expect(await client.end).toMatch(/^HTTP\/1\.1 503 /)
  })
})
