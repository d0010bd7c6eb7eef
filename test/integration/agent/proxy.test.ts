// An agent that can reach the master only through an HTTP proxy.
import { connect, createServer, type Server, type Socket } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { startMaster, type TestMaster } from '../../support/master.ts'
import { type AgentHome, agentHome } from '../../support/running-agent.ts'
import { until } from '../../support/server.ts'

let test: TestMaster
let home: AgentHome
let proxy: Server
let asked: string[]
let answer: (head: string, socket: Socket) => void

beforeEach(async () => {
  test = await startMaster()
  home = agentHome()
  asked = []
  proxy = createServer((socket) => {
    socket.on('error', () => {})
    socket.once('data', (chunk) => {
      asked.push(String(chunk))
      answer(String(chunk), socket)
    })
  })
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve))
})
afterEach(async () => {
  await home.dispose()
  await test.stop()
  proxy.close()
})

/** No machine has this name: only the proxy can resolve it. */
const host = 'master.test'

function run(env: Record<string, string> = {}) {
  return home.run({
    DET_MASTER_HOST: host,
    DET_MASTER_PORT: test.listener.port,
    DET_SECURITY_TLS_ENABLED: 'true',
    DET_SECURITY_TLS_MASTER_CERT: home.file('master.crt', test.chain.chain),
    HTTPS_PROXY: `http://user:secret@127.0.0.1:${(proxy.address() as { port: number }).port}`,
    ...env,
  })
}

describe('an agent behind a proxy', () => {
  it('joins through it, with verified TLS from end to end', async () => {
    answer = (_, near) => {
      const far = connect(test.listener.port, '127.0.0.1', () => near.write('HTTP/1.1 200 OK\r\n\r\n'))
      near.pipe(far).pipe(near)
      far.on('error', () => {})
    }
    const agent = run()
    await until(() => agent.said().includes('joined the master'), 'the agent to join')
    const credentials = Buffer.from('user:secret').toString('base64')
    expect(asked).toEqual([
      `CONNECT ${host}:${test.listener.port} HTTP/1.1\r\nHost: ${host}:${test.listener.port}\r\nProxy-Authorization: Basic ${credentials}\r\n\r\n`,
    ])
    expect(test.master.agents()[0]!.link.tls?.serverName).toBe(host)
  })

  it.each<[string, string, RegExp]>([
    [
      'refuses it',
      'HTTP/1.1 407 Proxy Authentication Required\r\n\r\n',
      /refused the tunnel to master.test:\d+: HTTP\/1.1 407 Proxy/,
    ],
    ['is no proxy', 'SSH-2.0-OpenSSH_9\r\n\r\n', /refused the tunnel to .*: not HTTP/],
    ['babbles', 'x'.repeat(20_000), /returned a response that is not HTTP/],
  ])('says so when it %s', async (_, text, words) => {
    answer = (_head, socket) => socket.end(text)
    const agent = run()
    expect(await agent.exit).toBe(1)
    expect(agent.said()).toMatch(words)
    expect(agent.said()).not.toContain('secret')
  })

  it('reports that the proxy closed the connection', async () => {
    answer = (_, socket) => socket.destroy()
    const agent = run()
    expect(await agent.exit).toBe(1)
    expect(agent.said()).toMatch(
      /proxy http:\S+127.0.0.1:\d+ \(HTTPS_PROXY\) (closed the connection|cannot be reached)/,
    )
  })

  it('bypasses it for a master in NO_PROXY', async () => {
    const agent = run({ NO_PROXY: '.test', DET_MASTER_HOST: 'nobody.test' })
    expect(await agent.exit).toBe(1)
    expect(agent.said()).toContain('nobody.test')
    expect(asked).toEqual([])
  })
})
