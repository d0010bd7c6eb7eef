// The sources of credentials, and the errors when there are none, or when a server does not respond.
import { generateKeyPairSync } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { GceError } from '../../../src/providers/gcp/errors.ts'
import { transport } from '../../../src/providers/gcp/transport.ts'
import { offering } from '../../support/cloud-pools.ts'
import { type GcpCloud, gcpCloud, zone } from '../../support/gcp-cloud.ts'

let cloud: GcpCloud
let folder: string
beforeEach(async () => {
  cloud = await gcpCloud()
  folder = mkdtempSync(join(tmpdir(), 'gcp-credentials-'))
})
afterEach(async () => {
  await cloud.dispose()
  rmSync(folder, { recursive: true })
})

const one = [offering('g2-standard-8', { zone })]

describe('credentials', () => {
  it('of a key file sign their own token', async () => {
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
    const file = join(folder, 'key.json')
    const account = {
      type: 'service_account',
      project_id: 'my-project',
      private_key_id: 'id-of-the-key',
      private_key: privateKey.export({ type: 'pkcs8', format: 'pem' }),
      client_email: 'provisioner@my-project.iam.gserviceaccount.com',
      client_id: '1',
    }
    writeFileSync(file, JSON.stringify(account), { mode: 0o600 })
    vi.stubEnv('GOOGLE_APPLICATION_CREDENTIALS', file)
    expect(await (await cloud.open()).list()).toMatchObject({ complete: true })
    const [, token] = cloud.gce.calls[0]!.authorization!.split(' ')
    const claims = JSON.parse(Buffer.from(token!.split('.')[1]!, 'base64url').toString())
    expect(claims).toMatchObject({ iss: account.client_email })
  })

  it('that are missing are reported before anything is sent, with a remedy', async () => {
    vi.stubEnv('GOOGLE_APPLICATION_CREDENTIALS', join(folder, 'nothing.json'))
    const provider = await cloud.open()
    const listing = await provider.list()
    expect(listing).toMatchObject({ complete: false, problems: [{ code: 'PROVIDER_AUTH' }] })
    expect(listing.problems[0]!.message).toContain('nothing.json')
    expect(listing.problems[0]!.remedy).toContain('gcloud auth application-default login')
    expect(await provider.launch(cloud.order(2, one))).toMatchObject({
      instances: [],
      failures: [{ class: 'auth', missing: 2 }],
    })
    expect(cloud.gce.calls).toEqual([])
  })

  it('whose private key is damaged are reported with their file', async () => {
    const file = join(folder, 'key.json')
    const private_key = '-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----\n'
    const account = { type: 'service_account', private_key, client_email: 'a@b', client_id: '1' }
    writeFileSync(file, JSON.stringify(account))
    vi.stubEnv('GOOGLE_APPLICATION_CREDENTIALS', file)
    cloud.env['GOOGLE_APPLICATION_CREDENTIALS'] = file
    const { problems } = await (await cloud.open()).list()
    expect(problems).toMatchObject([{ code: 'PROVIDER_AUTH' }])
    expect(problems[0]!.message).toMatch(
      new RegExp(`^could not list .*credentials: the private key in ${file} cannot be read$`),
    )
  })

  it('are not sent over plain http to another machine', async () => {
    cloud.env['CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE'] = 'http://compute.example.com/'
    await expect(cloud.open()).rejects.toThrow('is plain http')
  })
})

describe('a token server', () => {
  type Answer = { status: number; body: string; type?: string } | 'drop'
  let answer: Answer
  let server: Server
  let host: string

  beforeEach(async () => {
    server = createServer((request, response) => {
      if (answer === 'drop') return void request.socket.destroy()
      const { status, body, type = 'application/json' } = answer
      request.resume().on('end', () => response.writeHead(status, { 'content-type': type }).end(body))
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    host = `127.0.0.1:${(server.address() as AddressInfo).port}`
    writeFileSync(join(folder, 'subject'), 'jwt')
    const file = join(folder, 'federation.json')
    const federation = {
      type: 'external_account',
      audience: '//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/q',
      subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
      token_url: `http://${host}/v1/token`,
      credential_source: { file: join(folder, 'subject') },
    }
    writeFileSync(file, JSON.stringify(federation))
    vi.stubEnv('GOOGLE_APPLICATION_CREDENTIALS', file)
  })
  afterEach(() => {
    server.closeAllConnections()
    server.close()
  })

  const page = '<html><body>busy</body></html>'
  const said = async (of: Answer) => {
    answer = of
    const [problem] = (await (await cloud.open()).list()).problems
    expect(cloud.gce.calls).toEqual([])
    expect(problem!.message).not.toMatch(/undefined|: Error$/)
    return problem!
  }

  it.each([
    [{ status: 503, body: page, type: 'text/html' }, 'HTTP 503 with an HTML page'],
    [{ status: 502, body: '' }, 'HTTP 502 with an empty body'],
    [{ status: 407, body: page, type: 'text/html' }, 'HTTP 407 with an HTML page'],
    [{ status: 429, body: '{"error":"slow_down"}' }, 'HTTP 429 with slow_down'],
    [{ status: 500, body: '{"error":{"status":"INTERNAL","message":"try later"}}' }, 'INTERNAL: try later'],
    ['drop', 'returned no token'],
  ] as [Answer, string][])(
    'and is in trouble is told with its status and host, as passing: %o',
    async (of, words) => {
      const { code, message } = await said(of)
      expect(code).toBe('PROVIDER_TRANSIENT')
      expect(message).toContain(words)
      expect(message).toContain(host)
    },
  )

  it.each([
    [
      '{"error":"invalid_grant","error_description":"The audience does not match."}',
      'invalid_grant: The audience does not match.',
    ],
    ['{"error":"invalid_client"}', 'invalid_client'],
  ])('and refuses is told with its reason: %s', async (body, reason) => {
    const { code, message, remedy } = await said({ status: 400, body })
    expect(code).toBe('PROVIDER_AUTH')
    expect(message).toContain(`${host} rejected the credentials: ${reason}`)
    expect(remedy).toContain('GOOGLE_APPLICATION_CREDENTIALS')
  })
})

describe('a response', () => {
  const headers = async () => [] as [string, string][]
  const project = 'https://compute.googleapis.com/compute/v1/projects'

  it.each([
    [`${project}/p`, '{"kind":"compute#project"}'],
    [`${project}/example.com:p`, '{"kind":"compute#project"}'],
    [`${project}/p/zones/z/instances/projects`, '{"kind":"compute#instance"}'],
    [`${project}/p/global/images/family/f`, '{"kind":"compute#image"}'],
    ['https://cloudresourcemanager.googleapis.com/v1/projects/p:testIamPermissions', '{}'],
    [
      'https://cloudresourcemanager.googleapis.com/v1/projects/p:testIamPermissions',
      '{"permissions":["compute.instances.list"]}',
    ],
  ])('of %s may be %s, and nothing else', async (url, body) => {
    const method = url.endsWith('Permissions') ? 'POST' : 'GET'
    const asked = (text: string) =>
      transport({ credentials: { headers }, fetch: async () => new Response(text) })(url, { method })
    expect(await (await asked(body)).text()).toBe(body)
    for (const foreign of ['', '[]', '<html></html>', '{"kind":"compute#zone"}', '{"status":"ok"}'])
      await expect(asked(foreign), foreign).rejects.toMatchObject({ reason: 'foreignAnswer' })
  })
})

describe('every request', () => {
  it('identifies the program', async () => {
    const provider = await cloud.open()
    await provider.launch(cloud.order(1, one))
    for (const { userAgent } of cloud.gce.calls)
      expect(userAgent).toMatch(/^dynamic-agent-provisioner\/\d+\.\d+\.\d+/)
  })
})

describe('a server that never responds', () => {
  const timeouts = { callMs: 50, waitMs: 50 }
  const headers = async () => [] as [string, string][]

  it('is abandoned, with its own class', async () => {
    cloud.gce.faults.push({ action: 'project', kind: 'hang' })
    const send = transport({ credentials: { headers }, fetch: globalThis.fetch, timeouts })
    const asked = send(`${cloud.gce.url}/compute/v1/projects/my-project`)
    await expect(asked).rejects.toMatchObject({ reason: 'timeout' } satisfies Partial<GceError>)
  })

  it('for tokens is abandoned, too', async () => {
    const credentials = { headers: () => new Promise<never>(() => {}) }
    const send = transport({ credentials, fetch: globalThis.fetch, timeouts })
    await expect(send(cloud.gce.url)).rejects.toMatchObject({ reason: 'timeout' })
    expect(cloud.gce.calls).toEqual([])
  })

  it('does not delay an abort', async () => {
    cloud.gce.faults.push({ action: 'list', kind: 'hang' })
    const stop = new AbortController()
    const listed = (await cloud.open()).list(stop.signal)
    await expect.poll(() => cloud.gce.count('list')).toBe(1)
    stop.abort(new Error('stopped'))
    await expect(listed).rejects.toThrow('stopped')
  })
})
