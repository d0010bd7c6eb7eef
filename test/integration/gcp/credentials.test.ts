// Where credentials come from, and what is said when there are none, or when nobody answers.
import { generateKeyPairSync } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
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

  it('that are missing are told before anything is sent, with what to do', async () => {
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

  it('are not sent over plain http to another machine', async () => {
    cloud.env['CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE'] = 'http://compute.example.com/'
    await expect(cloud.open()).rejects.toThrow('is plain http')
  })
})

describe('a server that never answers', () => {
  const timeouts = { callMs: 50, waitMs: 50 }
  const headers = async () => [] as [string, string][]

  it('is given up on, with a class of its own', async () => {
    cloud.gce.faults.push({ action: 'project', kind: 'hang' })
    const send = transport({ credentials: { headers }, fetch: globalThis.fetch, timeouts })
    const asked = send(`${cloud.gce.url}/compute/v1/projects/my-project`)
    await expect(asked).rejects.toMatchObject({ reason: 'timeout' } satisfies Partial<GceError>)
  })

  it('of tokens is given up on, too', async () => {
    const credentials = { headers: () => new Promise<never>(() => {}) }
    const send = transport({ credentials, fetch: globalThis.fetch, timeouts })
    await expect(send(cloud.gce.url)).rejects.toMatchObject({ reason: 'timeout' })
    expect(cloud.gce.calls).toEqual([])
  })

  it('holds up nothing that is told to stop', async () => {
    cloud.gce.faults.push({ action: 'list', kind: 'hang' })
    const stop = new AbortController()
    const listed = (await cloud.open()).list(stop.signal)
    await expect.poll(() => cloud.gce.count('list')).toBe(1)
    stop.abort(new Error('stopped'))
    await expect(listed).rejects.toThrow('stopped')
  })
})
