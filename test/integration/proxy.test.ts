// Every outgoing connection through a real proxy: hosts that exist only behind it. NO_PROXY and metadata servers stay direct.
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, get } from 'node:http'
import { type AddressInfo, createServer as createTcpServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createClient } from '../../src/http/client.ts'
import { targetByUrl } from '../../src/http/target.ts'
import type { UntrustedServer } from '../../src/http/untrusted-server.ts'
import { openTunnel, outgoingAgents, outgoingFetch } from '../../src/platform/proxy-route.ts'
import { ec2Client } from '../../src/providers/aws/client.ts'
import { ec2Failure } from '../../src/providers/aws/errors.ts'
import { googleAuth } from '../../src/providers/gcp/compute-package.ts'
import { connectProxy, type ProxyRule, type TestProxy } from '../support/connect-proxy.ts'
import { openFake } from '../support/fake-determined/opened.ts'
import { fakeEc2 } from '../support/fake-ec2/server.ts'
import { answerInfo, Masters } from '../support/masters.ts'
import { metadataServer } from '../support/metadata-server.ts'
import { joined } from '../support/shapes/shape.ts'
import { dns } from '../support/x509-extensions.ts'
import { authority, server } from '../support/x509-profiles.ts'

const toClose: { close(): unknown }[] = []
let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'proxy-'))
})
afterEach(async () => {
  vi.unstubAllEnvs()
  for (const one of toClose.splice(0).reverse()) await one.close()
  rmSync(folder, { recursive: true, force: true })
})

async function proxied(rule?: ProxyRule) {
  const proxy = await connectProxy(rule)
  toClose.push(proxy)
  return { proxy, env: envOf(proxy, rule?.credentials) }
}

function envOf({ port }: TestProxy, credentials = ''): Record<string, string> {
  const url = `http://${credentials && `${credentials}@`}127.0.0.1:${port}`
  return { HTTPS_PROXY: url, HTTP_PROXY: url }
}

async function ec2() {
  const fake = await fakeEc2()
  toClose.push(fake)
  return { fake, port: Number(new URL(fake.url).port) }
}

const credentials = { accessKeyId: 'key', secretAccessKey: 'secret' }

describe('EC2', () => {
  it('is called through the proxy, by name', async () => {
    const { fake, port } = await ec2()
    const { proxy, env } = await proxied({ leadsTo: () => port })
    const api = ec2Client('us-west-2', env, {
      endpoint: 'http://ec2.only-behind-the-proxy.test',
      credentials,
    })
    toClose.push(api)
    await api.describeInstances({})
    expect(proxy.asked).toEqual(['CONNECT ec2.only-behind-the-proxy.test:80'])
    expect(fake.calls.length).toBe(1)
  })

  it('is called directly where NO_PROXY says so, and on this machine', async () => {
    const { fake, port } = await ec2()
    const { proxy, env } = await proxied()
    for (const more of [{}, { NO_PROXY: '127.0.0.0/8' }]) {
      const endpoint = `http://127.0.0.1:${port}`
      const api = ec2Client('us-west-2', { ...env, ...more }, { endpoint, credentials })
      toClose.push(api)
      await api.describeInstances({})
    }
    expect(proxy.asked).toEqual([])
    expect(fake.calls.length).toBe(2)
  })

  it.each([
    [{ refuse: 403 }, 'refused the tunnel to ec2.us-west-2.amazonaws.com:443: HTTP/1.1 403'],
    [{ credentials: 'other:hunter2' }, 'HTTP/1.1 407'],
  ])('reports what a proxy refuses, without its password: %j', async (rule, words) => {
    const { proxy } = await proxied(rule)
    const env = envOf(proxy, 'user:hunter2')
    const api = ec2Client('us-west-2', env, { credentials })
    toClose.push(api)
    const error: unknown = await api.describeInstances({}).catch((reason: unknown) => reason)
    const { problem } = ec2Failure(error, 'list')
    expect(problem).toMatchObject({ code: 'PROVIDER_TRANSIENT', message: expect.stringContaining(words) })
    expect(problem.message).toContain('(HTTPS_PROXY)')
    expect(problem.remedy).toContain('NO_PROXY')
    expect(JSON.stringify(problem)).not.toContain('hunter2')
    expect(new Set(proxy.asked)).toEqual(new Set(['CONNECT ec2.us-west-2.amazonaws.com:443']))
  })

  it('reports a proxy that cannot be reached', async () => {
    const { proxy, env } = await proxied()
    await proxy.close()
    toClose.splice(toClose.indexOf(proxy), 1)
    const api = ec2Client('us-west-2', env, { credentials })
    toClose.push(api)
    await expect(api.describeInstances({})).rejects.toThrow(/^proxy .* cannot be reached/)
  })
})

describe('a tunnel', () => {
  it('is given up after the timeout, though the proxy sends byte by byte', async () => {
    const slow = createTcpServer((socket) => {
      const timer = setInterval(() => socket.write('H'), 20)
      socket.on('error', () => {}).on('close', () => clearInterval(timer))
    })
    await new Promise<void>((resolve) => slow.listen(0, '127.0.0.1', resolve))
    toClose.push(slow)
    const { port } = slow.address() as AddressInfo
    const proxy = { scheme: 'http', host: '127.0.0.1', port, variable: 'HTTPS_PROXY' } as const
    await expect(openTunnel(proxy, { host: 'a.test', port: 443 }, 200)).rejects.toThrow('timed out')
  })

  it('is not used again once the other side has closed it', async () => {
    const target = createServer({ keepAliveTimeout: 60_000 }, (_, response) => response.end('x'))
    await new Promise<void>((resolve) => target.listen(0, '127.0.0.1', resolve))
    toClose.push(target)
    const { port } = target.address() as AddressInfo
    const { env } = await proxied({ leadsTo: () => port })
    const { httpAgent } = outgoingAgents(env)
    const idle = () => Object.values(httpAgent.freeSockets).flat().length
    await new Promise<void>((resolve) =>
      get('http://a.test/', { agent: httpAgent }, (response) => response.resume().on('end', resolve)),
    )
    await vi.waitFor(() => expect(idle()).toBe(1))
    target.closeIdleConnections()
    await vi.waitFor(() => expect(idle()).toBe(0), 5000)
  })
})

describe('fetch, for Google', () => {
  it('sends plain http by the absolute URL and with the credentials', async () => {
    const seen: string[] = []
    const target = createServer(async (request, response) => {
      const chunks: Buffer[] = []
      for await (const chunk of request) chunks.push(chunk as Buffer)
      seen.push(`${request.method} ${request.url} ${request.headers.host} ${Buffer.concat(chunks)}`)
      response.writeHead(request.url === '/moved' ? 302 : 201, { 'x-one': '1', location: '/' }).end('{"a":1}')
    })
    await new Promise<void>((resolve) => target.listen(0, '127.0.0.1', resolve))
    toClose.push(target)
    const { port } = target.address() as AddressInfo
    const { proxy, env } = await proxied({ leadsTo: () => port, credentials: 'user:hunter2' })
    const fetch = outgoingFetch(env)
    const answer = await fetch('http://api.test/x?y=1', { method: 'POST', body: 'hello' })
    expect([answer.status, answer.headers.get('x-one'), await answer.json()]).toEqual([201, '1', { a: 1 }])
    expect(proxy.asked).toEqual(['POST http://api.test/x?y=1'])
    expect(seen).toEqual(['POST /x?y=1 api.test hello'])
    await expect(fetch('http://api.test/moved', { redirect: 'error' })).rejects.toThrow('redirect')
    expect((await fetch('http://api.test/moved', { redirect: 'manual' })).status).toBe(302)
  })

  it('asks for a tunnel for https, and stops with the signal', async () => {
    const { proxy, env } = await proxied({ refuse: 502 })
    const fetch = outgoingFetch(env)
    await expect(fetch('https://oauth2.googleapis.com/token')).rejects.toThrow(/refused the tunnel .* 502/)
    expect(proxy.asked).toEqual(['CONNECT oauth2.googleapis.com:443'])
    await expect(fetch('https://a.test', { signal: AbortSignal.abort() })).rejects.toThrow()
  })

  it('is the ordinary one without a proxy', async () => {
    const calls: unknown[] = []
    const direct = async (...parts: unknown[]) => {
      calls.push(parts)
      return new Response('direct')
    }
    const init = { method: 'GET' }
    const answer = await outgoingFetch({}, direct as typeof fetch)('https://a.test/', init)
    expect(await answer.text()).toBe('direct')
    expect(calls).toEqual([['https://a.test/', init]])
  })

  it('never asks the metadata server through the proxy', async () => {
    const { proxy, env } = await proxied({ refuse: 502 })
    const token = JSON.stringify({ access_token: 'secret', expires_in: 3600, token_type: 'Bearer' })
    const metadata = await metadataServer({
      instance: 'attributes/\n',
      'instance/service-accounts/default/token': token,
    })
    toClose.push(metadata)
    const all = { ...env, GCE_METADATA_HOST: metadata.host, GOOGLE_APPLICATION_CREDENTIALS: '', HOME: folder }
    for (const [name, value] of Object.entries(all)) vi.stubEnv(name, value)
    const headers = await googleAuth('my-project', all).getRequestHeaders('https://compute.googleapis.com')
    expect(headers.get('authorization')).toBe('Bearer secret')
    expect(proxy.asked).toEqual([])
  })
})

describe('a Determined master', () => {
  it.each([
    ['CONNECT', true],
    ['GET', false],
  ])('is read through the proxy with %s', async (method, secure) => {
    const root = authority('Root')
    const leaf = server(root, { names: [dns('master.behind.test')] })
    const tls = { cert: joined([leaf]), key: leaf.key.pem }
    const opened = await openFake(secure ? { tls } : {})
    toClose.push({ close: () => opened.dispose() })
    const { proxy, env } = await proxied({ leadsTo: () => opened.fake.port })
    const url = `${secure ? 'https' : 'http'}://master.behind.test:8080`
    const demand = { url, ...(secure && { ca_file: opened.write('ca.pem', root.pem) }) }
    const source = opened.open({ demand, env })
    expect((await source.facts()).clusterId).not.toBe('')
    expect(proxy.asked[0]).toMatch(
      secure
        ? /^CONNECT master\.behind\.test:8080$/
        : /^GET http:\/\/master\.behind\.test:8080\/api\/v1\/master$/,
    )
    expect(proxy.asked.every((one) => one.startsWith(method) || !secure)).toBe(true)
  })
})

describe('the 407 of a proxy for plain http', () => {
  const words =
    /^proxy http:\/\/\*{8}@127\.0\.0\.1:\d+ \(HTTP_PROXY\) refused the request to http:\/\/master\.behind\.test(:8080)?: HTTP 407/

  it('is no answer of Google', async () => {
    const { proxy } = await proxied({ credentials: 'other:hunter2' })
    await expect(outgoingFetch(envOf(proxy, 'user:hunter2'))('http://master.behind.test/')).rejects.toThrow(
      words,
    )
  })

  it('is no answer of a Determined master', async () => {
    const opened = await openFake({})
    toClose.push({ close: () => opened.dispose() })
    const { proxy } = await proxied({ credentials: 'other:hunter2' })
    const url = 'http://master.behind.test:8080'
    const source = opened.open({ demand: { url }, env: envOf(proxy, 'user:hunter2') })
    const error: unknown = await source.facts().catch((reason: unknown) => reason)
    expect(error).toMatchObject({ problems: [{ remedy: expect.stringContaining('NO_PROXY') }] })
    expect((error as Error).message).toMatch(/\(HTTP_PROXY\) refused the request .* HTTP 407/)
    expect(JSON.stringify(error)).not.toContain('hunter2')
  })

  it('is no answer of a built-in master', async () => {
    const { proxy } = await proxied({ credentials: 'other:hunter2' })
    const env = { ...envOf(proxy, 'user:hunter2'), DET_DEBUG_CONFIG_PATH: folder }
    const target = targetByUrl('http://master.behind.test:8080', { env })
    await expect(createClient({ target, version: '0' }).about()).rejects.toMatchObject({
      code: 'CLIENT_UNREACHABLE',
      message: expect.stringMatching(/\(HTTP_PROXY\) refused the request .* HTTP 407/),
      problems: [{ remedy: expect.stringContaining('NO_PROXY') }],
    })
  })
})

describe('the client of a master (-m)', () => {
  it('verifies and asks through the proxy, also about a certificate that is not trusted', async () => {
    const masters = new Masters()
    toClose.push(masters)
    const root = authority('Root')
    const leaf = server(root)
    const port = await masters.secure({ cert: joined([leaf, root]), key: leaf.key.pem }, answerInfo())
    const { proxy, env } = await proxied({ leadsTo: () => port })
    const asked: UntrustedServer[] = []
    const variables = { ...env, DET_DEBUG_CONFIG_PATH: folder }
    const client = createClient({
      target: targetByUrl('https://master.example.com:8443', { env: variables }),
      version: '0',
      trustPrompt: async (untrusted) => asked.push(untrusted) > 0,
    })
    expect(await client.about()).toMatchObject({ version: expect.any(String) })
    expect(asked).toHaveLength(1)
    expect(new Set(proxy.asked)).toEqual(new Set(['CONNECT master.example.com:8443']))
  })

  it('asks in plain text by the absolute URL', async () => {
    const masters = new Masters()
    toClose.push(masters)
    const port = await masters.tcp(answerInfo())
    const { proxy, env } = await proxied({ leadsTo: () => port })
    const target = targetByUrl('http://master.example.com:8080', { env })
    await createClient({ target, version: '0' }).about()
    expect(proxy.asked).toEqual(['GET http://master.example.com:8080/info'])
  })
})

it('a proxy that cannot be used is a problem of its own', () => {
  const env = { HTTPS_PROXY: 'socks5://user:hunter2@proxy' }
  const target = targetByUrl('https://master.example.com', { env: { ...env, DET_DEBUG_CONFIG_PATH: folder } })
  const meeting = async () => createClient({ target, version: '0' }).about()
  return expect(meeting()).rejects.toMatchObject({ code: 'PROXY_INVALID' })
})

it('a proxy that refuses a master is not a fault of TLS', async () => {
  const { env } = await proxied({ refuse: 502 })
  const target = targetByUrl('https://master.example.com', { env: { ...env, DET_DEBUG_CONFIG_PATH: folder } })
  await expect(createClient({ target, version: '0' }).about()).rejects.toMatchObject({
    code: 'CLIENT_UNREACHABLE',
    message: expect.stringMatching(/refused the tunnel to master.example.com:443: HTTP\/1.1 502/),
    problems: [{ remedy: expect.stringContaining('NO_PROXY') }],
  })
})

it('a proxy that cannot be reached is named, for plain http, too', async () => {
  const env = { HTTP_PROXY: 'http://user:hunter2@127.0.0.2:9' }
  const target = targetByUrl('http://master.example.com', { env })
  const named = /proxy http:..\*{8}@127.0.0.2:9 \(HTTP_PROXY\) cannot be reached/
  await expect(createClient({ target, version: '0' }).about()).rejects.toMatchObject({
    code: 'CLIENT_UNREACHABLE',
    message: expect.stringMatching(named),
  })
  await expect(outgoingFetch(env)('http://api.test/')).rejects.toThrow(named)
})
