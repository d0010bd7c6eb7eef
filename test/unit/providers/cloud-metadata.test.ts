// What this host reads about itself from the metadata service, over real HTTP.

import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Clock } from '../../../src/platform/ports.ts'
import { ec2Metadata, machineOnAws } from '../../../src/providers/aws/metadata.ts'
import { resolveHost } from '../../../src/providers/definition.ts'
import { gceMetadata, machineOnGcp } from '../../../src/providers/gcp/metadata-client.ts'
import { builtInProviders } from '../../../src/providers/index.ts'
import { type MetadataServer, metadataServer } from '../../support/metadata-server.ts'

const onAws = {
  'instance-id': 'i-0123',
  'placement/region': 'eu-west-1',
  'placement/availability-zone': 'eu-west-1b',
  'local-ipv4': '10.0.0.7\n',
  'local-hostname': 'ip-10-0-0-7.internal',
}
const onGcp = {
  'project/project-id': 'my-project',
  'instance/name': 'master-1',
  'instance/zone': 'projects/123/zones/us-central1-a',
  'instance/network-interfaces/0/ip': '10.1.0.7',
}

let server: MetadataServer
let waits: number[]
const clock: Clock = {
  now: () => 0,
  sleep: (ms) => {
    waits.push(ms)
    return Promise.resolve()
  },
}
const options = () => ({ fetch, clock, env: server.env })
const unavailable = (text: string) =>
  expect.objectContaining({
    code: 'CLOUD_METADATA_UNAVAILABLE',
    message: expect.stringContaining(text),
  })

beforeEach(async () => {
  waits = []
  server = await metadataServer({ ...onAws, ...onGcp })
})
afterEach(() => server.close())

describe('on EC2', () => {
  it('a machine knows its id, region and zone, with one token', async () => {
    const machine = await machineOnAws(options())
    expect(machine).toEqual({ instanceId: 'i-0123', region: 'eu-west-1', zone: 'eu-west-1b' })
    expect(server.calls.filter((call) => call === 'PUT /latest/api/token')).toHaveLength(1)
  })

  it('an expired token is replaced', async () => {
    const metadata = ec2Metadata(options())
    await metadata.get('instance-id')
    server.expireTokens()
    expect(await metadata.get('local-ipv4')).toBe('10.0.0.7')
  })

  it('a token that is refused twice is not requested again and again', async () => {
    const metadata = ec2Metadata(options())
    await metadata.get('instance-id')
    server.faults = [401]
    server.expireTokens()
    expect(await metadata.get('instance-id')).toBe('i-0123')
    server.calls.length = 0
    const refusing: typeof fetch = (url, init) =>
      fetch(url, init).then((answer) => (init?.method === 'PUT' ? answer : new Response('', { status: 401 })))
    await expect(ec2Metadata({ ...options(), fetch: refusing }).get('instance-id')).rejects.toThrow(
      'HTTP 401',
    )
    expect(server.calls.filter((call) => call.startsWith('PUT'))).toHaveLength(2)
  })

  it('the service can be off', async () => {
    const env = { ...server.env, AWS_EC2_METADATA_DISABLED: 'true' }
    await expect(ec2Metadata({ ...options(), env }).get('instance-id')).rejects.toThrow(
      'AWS_EC2_METADATA_DISABLED',
    )
    expect(server.calls).toEqual([])
  })

  it.each([
    [{}, 'http://169.254.169.254/latest/api/token'],
    [{ AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE: 'IPv6' }, 'http://[fd00:ec2::254]/latest/api/token'],
  ])('the address with %j is that of the SDKs', async (env, expected) => {
    const asked: string[] = []
    const recording: typeof fetch = (url) => {
      asked.push(String(url))
      return Promise.reject(new Error('no route'))
    }
    await expect(ec2Metadata({ ...options(), env, fetch: recording }).get('instance-id')).rejects.toThrow(
      'no route',
    )
    expect(asked).toEqual([expected])
  })
})

describe('on Compute Engine', () => {
  it('a machine knows its project, name and zone', async () => {
    expect(await machineOnGcp(options())).toEqual({
      project: 'my-project',
      name: 'master-1',
      zone: 'us-central1-a',
    })
  })

  it('a response without the header of the metadata server is rejected', async () => {
    server.faults = ['foreign']
    await expect(gceMetadata(options()).get('project')).rejects.toThrow(
      unavailable('not from the metadata server'),
    )
  })

  it('a redirect is not followed', async () => {
    server.faults = ['redirect']
    await expect(gceMetadata(options()).get('project')).rejects.toThrow(
      unavailable('not from the metadata server'),
    )
    expect(server.calls).toHaveLength(1)
  })
})

describe('host aliases', () => {
  it.each([
    ['local-ipv4', '10.0.0.7'],
    ['local-hostname', 'ip-10-0-0-7.internal'],
    ['internal-ip', '10.1.0.7'],
  ])('%s is %s', async (alias, address) => {
    expect(await resolveHost(alias, builtInProviders, options())).toBe(address)
  })

  it('that this machine does not have are refused by name', async () => {
    await expect(resolveHost('public-ipv4', builtInProviders, options())).rejects.toThrow(
      unavailable('public-ipv4'),
    )
    await expect(resolveHost('external-ip', builtInProviders, options())).rejects.toThrow(
      unavailable('external-ip'),
    )
  })

  it('are the only hosts for which a metadata server is asked', async () => {
    expect(await resolveHost('master.example.com', builtInProviders, options())).toBe('master.example.com')
    expect(server.calls).toEqual([])
  })
})

describe('a metadata server', () => {
  it('that is busy is retried, with growing pauses', async () => {
    server.faults = [503, 429]
    expect(await gceMetadata(options()).get('project')).toBe('my-project')
    expect(waits).toEqual([100, 400])
  })

  it('that stays busy is given up, and its response is reported', async () => {
    server.faults = [500, 500, 500]
    await expect(gceMetadata(options()).get('project')).rejects.toThrow(unavailable('HTTP 500'))
    expect(server.calls).toHaveLength(3)
  })

  it('that does not exist is not waited for', async () => {
    await server.close()
    await expect(machineOnAws(options())).rejects.toThrow(unavailable('ECONNREFUSED'))
    expect(waits).toEqual([])
  })

  it('that does not respond is given up after the deadline', async () => {
    server.faults = ['hang']
    const impatient = gceMetadata({ ...options(), timeoutMs: 20 })
    await expect(impatient.get('project')).rejects.toThrow(unavailable('timeout'))
  })

  it("is abandoned when the caller aborts, with the caller's reason", async () => {
    server.faults = ['hang']
    const stop = new AbortController()
    const asking = gceMetadata({ ...options(), signal: stop.signal }).get('project')
    stop.abort(new Error('shutting down'))
    await expect(asking).rejects.toThrow('shutting down')
  })
})
