// The region of a pool's VMs if the file does not set it.
import { afterEach, describe, expect, it, vi } from 'vitest'
import { regionOfSdk } from '../../../../src/providers/aws/client.ts'
import { regionOf } from '../../../../src/providers/aws/metadata.ts'
import { FakeClock } from '../../../support/fake-clock.ts'

const none = () => Promise.resolve(undefined)
const offline: typeof fetch = () => Promise.reject(new Error('no route'))
const onEc2: typeof fetch = (_, init) =>
  Promise.resolve(new Response(init?.method === 'PUT' ? 'token' : 'eu-north-1'))

function metadata(fetch: typeof globalThis.fetch, env: Record<string, string> = {}) {
  return { fetch, env, clock: new FakeClock() }
}

describe('the region', () => {
  afterEach(() => {
    vi.unstubAllEnvs()
  })

  it('of the SDK is that of AWS_REGION, and its absence is not an error', async () => {
    for (const name of ['AWS_CONFIG_FILE', 'AWS_SHARED_CREDENTIALS_FILE']) vi.stubEnv(name, '/nowhere')
    vi.stubEnv('AWS_REGION', 'ap-south-1')
    expect(await regionOfSdk()).toBe('ap-south-1')
    vi.stubEnv('AWS_REGION', undefined)
    expect(await regionOfSdk()).toBeUndefined()
  })

  it('is that of the file, then of the SDK, then AWS_DEFAULT_REGION, then of this machine', async () => {
    const ofSdk = () => Promise.resolve('us-east-1')
    const env = { AWS_DEFAULT_REGION: 'us-east-2' }
    expect(await regionOf('us-west-2', ofSdk, metadata(onEc2, env))).toBe('us-west-2')
    expect(await regionOf(undefined, ofSdk, metadata(onEc2, env))).toBe('us-east-1')
    expect(await regionOf(undefined, none, metadata(onEc2, env))).toBe('us-east-2')
    expect(await regionOf(undefined, none, metadata(onEc2))).toBe('eu-north-1')
  })

  it('is required', async () => {
    await expect(regionOf(undefined, none, metadata(offline))).rejects.toMatchObject({
      code: 'PROVIDER_CONFIG',
    })
  })
})
