// Google's hosts, or gcloud's own variables; tokens never go over plain http to another machine.
import { describe, expect, it } from 'vitest'
import { endpointsOf } from '../../../../src/providers/gcp/transport.ts'

const compute = (value: string) =>
  endpointsOf({ CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE: value }).compute.origin

describe('endpoints', () => {
  it('are those of Google, of any universe', () => {
    const { compute, resourceManager } = endpointsOf({})
    expect([compute.href, resourceManager.href]).toEqual([
      'https://compute.googleapis.com/',
      'https://cloudresourcemanager.googleapis.com/',
    ])
    expect(endpointsOf({ GOOGLE_CLOUD_UNIVERSE_DOMAIN: 's3nsapis.fr' }).compute.host).toBe(
      'compute.s3nsapis.fr',
    )
  })

  it.each([
    ['https://compute.p.example.com/compute/v1/', 'https://compute.p.example.com'],
    ['http://127.0.0.1:8080/', 'http://127.0.0.1:8080'],
    ['http://localhost:8080/', 'http://localhost:8080'],
    ['http://[::1]:8080/', 'http://[::1]:8080'],
  ])('may be %s', (value, origin) => {
    expect(compute(value)).toBe(origin)
  })

  it.each(['http://compute.example.com/', 'http://127.0.0.1.example.com', 'not a url', 'ftp://127.0.0.1/'])(
    'may not be %s',
    (value) => {
      expect(() => compute(value)).toThrow('CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE')
    },
  )
})
