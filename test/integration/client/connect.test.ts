// A client and real masters: right ones, wrong ones, and the messages about them.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TLSSocket } from 'node:tls'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { createClient } from '../../../src/http/client.ts'
import { listJobs, sendJob } from '../../../src/http/job-client.ts'
import { targetByConfig, targetByUrl } from '../../../src/http/target.ts'
import { createDevelopmentChain, type DevelopmentChain } from '../../../src/pki/development-ca.ts'
import { type Problem, ProvisionError } from '../../../src/problems/index.ts'
import { parseConfig } from '../../support/config.ts'
import { startMaster, type TestMaster, token } from '../../support/master.ts'
import { answerInfo, infoBody, Masters } from '../../support/masters.ts'
import { day, now } from '../../support/x509.ts'
import { authority, masterName, server } from '../../support/x509-profiles.ts'

const dir = mkdtempSync(join(tmpdir(), 'client-'))
const masters = new Masters()
let chain: DevelopmentChain
let m: TestMaster
beforeAll(async () => {
  chain = await createDevelopmentChain({ names: ['master.test'], ips: [], days: 30, now: Date.now() })
  m = await startMaster({}, { tls: { cert: chain.chain, key: chain.leaf.key } })
})
afterEach(() => masters.close())
afterAll(async () => {
  await m.stop()
  rmSync(dir, { recursive: true, force: true })
})

function file(name: string, text: string): string {
  const path = join(dir, name)
  writeFileSync(path, text)
  return path
}

interface Given {
  port?: number
  scheme?: string
  certificates?: string
  name?: string
  token?: string | null
}

/** Trusts the root and verifies `master.test`, unless set otherwise. */
function clientOf(given: Given = {}, timeoutMs = 30_000) {
  const {
    port = m.listener.port,
    scheme = 'https',
    certificates = chain.root.certificate,
    name = 'master.test',
  } = given
  const target = targetByUrl(`${scheme}://127.0.0.1:${port}`, {
    env: {
      DET_DEBUG_CONFIG_PATH: dir,
      ...(certificates && { DET_MASTER_CERT_FILE: file('certificates.crt', certificates) }),
      DET_MASTER_CERT_NAME: name,
    },
    tokenFile: given.token === null ? undefined : file('token', given.token ?? token),
  })
  return createClient({ target, version: '0.0.0', timeoutMs })
}

async function refusal(asked: Promise<unknown>): Promise<Problem> {
  const error = await asked.then(
    () => undefined,
    (error: unknown) => error,
  )
  expect(error).toBeInstanceOf(ProvisionError)
  return (error as ProvisionError).problems[0]!
}

const order = { id: 'w', slots: 1, duration: '1h' }

describe('a master that is trusted', () => {
  it.each([
    ['its root', () => chain.root.certificate],
    ['its whole chain', () => chain.chain],
    ['its intermediate alone', () => chain.intermediate.certificate],
  ])('by %s answers', async (_, certificates) => {
    expect(await listJobs(clientOf({ certificates: certificates() }))).toEqual([])
  })

  it('is dialled by its host and verified by the other name', async () => {
    let asked: string | false | null = null
    const port = await masters.secure({ cert: chain.chain, key: chain.leaf.key }, (socket) => {
      asked = (socket as TLSSocket).servername as string | false
      answerInfo()(socket)
    })
    const env = {
      DET_MASTER_CERT_FILE: file('root.crt', chain.root.certificate),
      DET_MASTER_CERT_NAME: 'master.test',
    }
    const target = targetByUrl(`https://localhost:${port}`, { env })
    expect((await refusal(listJobs(createClient({ target, version: '0' })))).code).toBe('NOT_A_PROVISIONER')
    expect(asked).toBe('localhost')
  })
})

describe('the master of a configuration', () => {
  const targetOf = ({ chain: cert }: DevelopmentChain) => {
    const text = `port: ${m.listener.port}
security: {tls: {cert: ${file('configured.crt', cert)}}}
resource_pools: [{pool_name: default, provider: {type: local}}]
`
    const { config, problems } = parseConfig(text, join(dir, 'master.yaml'))
    expect(problems).toEqual([])
    return targetByConfig(config!, { now: Date.now(), tokenFile: file('token', token) })
  }

  it('is trusted by its chain, with a name in it', async () => {
    expect(await listJobs(createClient({ target: targetOf(chain), version: '0' }))).toEqual([])
  })

  it('is rejected when it serves another chain, and the remedy is about the configuration', async () => {
    const other = await createDevelopmentChain({ names: ['master.test'], ips: [], days: 30, now: Date.now() })
    const { code, remedy } = await refusal(listJobs(createClient({ target: targetOf(other), version: '0' })))
    expect(code).toBe('CLIENT_CERT_UNTRUSTED')
    expect(remedy).toMatch(/does not use .*configured\.crt.* -c/)
  })
})

describe('a master that is not trusted', () => {
  it('is rejected without its CA, with its certificate and the command that would help', async () => {
    const { code, message, remedy } = await refusal(listJobs(clientOf({ certificates: '' })))
    expect(code).toBe('CLIENT_CERT_UNTRUSTED')
    expect(message).toMatch(
      /^https:\/\/127\.0\.0\.1:\d+ presents CN=master\.test.*DNS:master\.test.*SHA-256 [0-9a-f]{64}/,
    )
    expect(message).toMatch(
      /signed by CN=Development CA .*; not signed by a trusted CA, and not in your trust store/,
    )
    expect(remedy).toContain('provision trust add')
  })

  it('is rejected with another name, and its names are listed', async () => {
    const { code, message } = await refusal(listJobs(clientOf({ name: 'other.test' })))
    expect(code).toBe('CLIENT_CERT_NAME')
    expect(message).toMatch(/DNS:master\.test.*not valid for other\.test/)
  })

  it('is rejected when its certificate has expired', async () => {
    const root = authority('Root')
    const leaf = server(root, { notBefore: now - 20 * day, notAfter: now - day })
    const port = await masters.secure({ cert: leaf.pem, key: leaf.key.pem })
    const { code, message } = await refusal(
      listJobs(clientOf({ port, certificates: root.pem, name: masterName })),
    )
    expect(code).toBe('CLIENT_CERT_UNUSABLE')
    expect(message).toMatch(/expired/)
  })

  it('is not dialled when DET_MASTER_CERT_FILE cannot be read', () => {
    const open = () => targetByUrl('https://127.0.0.1:1', { env: { DET_MASTER_CERT_FILE: '/no/such/file' } })
    expect(open).toThrow(expect.objectContaining({ code: 'TLS_FILE_MISSING' }))
  })

  it('is accepted with DET_MASTER_CERT_FILE=noverify, and gets no token', async () => {
    const target = targetByUrl(`https://127.0.0.1:${m.listener.port}`, {
      env: { DET_MASTER_CERT_FILE: 'NoVerify' },
      tokenFile: file('token', token),
    })
    const client = createClient({ target, version: '0' })
    await client.meet()
    expect((await refusal(listJobs(client))).code).toBe('CLIENT_TOKEN_UNVERIFIED')
    expect((await refusal(sendJob(client, order))).code).toBe('CLIENT_TOKEN_UNVERIFIED')
  })
})

describe('an address without a built-in master', () => {
  it('is reported: nothing listens', async () => {
    const port = await masters.closedPort()
    expect(await refusal(listJobs(clientOf({ port })))).toMatchObject({
      code: 'CLIENT_UNREACHABLE',
      message: `https://127.0.0.1:${port}: connection refused`,
    })
  })

  it('is reported: it accepts connections and does not respond', async () => {
    const port = await masters.tcp(() => {})
    expect(await refusal(listJobs(clientOf({ port }, 400)))).toMatchObject({
      code: 'CLIENT_UNREACHABLE',
      message: expect.stringContaining('no answer within 0.4 s'),
    })
  })

  it('is reported: TLS to a port that speaks plain text, and vice versa', async () => {
    const port = await masters.tcp(answerInfo())
    expect((await refusal(listJobs(clientOf({ port })))).code).toBe('CLIENT_SCHEME')
    expect((await refusal(listJobs(clientOf({ scheme: 'http' })))).code).toBe('CLIENT_SCHEME')
  })

  it.each([
    ['a Determined master', infoBody, 200, /a Determined master of version 0\.38\.1/],
    ['another web server', '<html>', 404, /a server that answers GET \/info with status 404/],
    ['another service with JSON', '{"version":"1"}', 200, /a server that answers/],
  ])('is told: %s; no token is shown to it', async (_, body, status, words) => {
    const heard: IncomingMessage[] = []
    const other = createServer((request, response) => {
      heard.push(request)
      response.writeHead(status).end(body)
    })
    const port = await masters.secure({ cert: chain.chain, key: chain.leaf.key }, (socket) =>
      other.emit('connection', socket),
    )
    const problem = await refusal(sendJob(clientOf({ port }), order))
    expect(problem.code).toBe('NOT_A_PROVISIONER')
    expect(problem.message).toMatch(words)
    expect(heard.map(({ method, url, headers }) => [method, url, headers.authorization])).toEqual([
      ['GET', '/info', undefined],
    ])
  })
})

describe('a token', () => {
  it('is needed to read, on this machine too', async () => {
    const { code, remedy } = await refusal(listJobs(clientOf({ token: null })))
    expect([code, remedy]).toEqual(['CLIENT_TOKEN_MISSING', expect.stringContaining('--token-file')])
  })

  it('is required before any request that changes something', async () => {
    const { code, remedy } = await refusal(sendJob(clientOf({ token: null }), order))
    expect(code).toBe('CLIENT_TOKEN_MISSING')
    expect(remedy).toContain('--token-file')
  })

  it('that is wrong is rejected, also for reading', async () => {
    const client = clientOf({ token: 'of-another-master' })
    expect((await refusal(sendJob(client, order))).code).toBe('CLIENT_TOKEN_REFUSED')
    expect((await refusal(listJobs(client))).code).toBe('CLIENT_TOKEN_REFUSED')
    expect(m.master).toBeDefined()
    expect(await listJobs(clientOf())).toEqual([])
  })
})
