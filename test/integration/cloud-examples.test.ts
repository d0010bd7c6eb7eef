// The examples of both clouds are read without a complaint, and make the requests their READMEs promise.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { loadConfig } from '../../src/config/load.ts'
import { buildRequest as buildAws } from '../../src/providers/aws/request.ts'
import type { LaunchRequest } from '../../src/providers/contract.ts'
import { buildRequest as buildGcp } from '../../src/providers/gcp/request.ts'
import { offeringsOf } from '../../src/providers/registry.ts'
import { intentOf, master, owner } from '../support/cloud-pools.ts'
import { root } from '../support/sources.ts'

function example(cloud: 'aws' | 'gcp') {
  const { config, problems } = loadConfig(join(root, 'examples', cloud, 'master.yaml'))
  expect(problems).toEqual([])
  return Object.fromEntries(
    config!.resource_pools.map(({ pool_name, provider }): [string, LaunchRequest] => {
      const intent = intentOf(offeringsOf(provider!))
      const input = { owner: { ...owner, pool: pool_name }, setup: { master }, intent }
      if (provider!.type === 'aws') return [pool_name, buildAws({ config: provider!, ...input })]
      if (provider!.type === 'gcp') return [pool_name, buildGcp({ config: provider!, ...input })]
      throw new Error('not a cloud')
    }),
  )
}

const codes = ({ problems }: LaunchRequest) => problems.map(({ code }) => code)
const calls = ({ call, fallbacks = [] }: LaunchRequest) => [call, ...fallbacks.map((next) => next.call)]

describe('examples/aws', () => {
  it('asks for a fleet of every type and subnet: spot, then on demand', () => {
    const { gpu, aux } = example('aws')
    expect(calls(gpu!)).toEqual(['CreateFleet', 'CreateFleet'])
    expect(JSON.stringify(gpu!.body).match(/"InstanceType"/g)).toHaveLength(9)
    expect(calls(aux!)).toEqual(['CreateFleet'])
    expect(codes(gpu!)).toEqual(['REQUEST_UNKNOWN_OFFLINE'])
    expect(codes(aux!)).toEqual(['REQUEST_UNKNOWN_OFFLINE'])
  })
})

describe('examples/gcp', () => {
  it('asks for each type in all zones of the region: Spot, then on demand', () => {
    const { gpu, aux } = example('gcp')
    const regional = 'regionInstances.bulkInsert'
    expect(calls(gpu!)).toEqual([regional, regional, regional, regional])
    expect(calls(aux!)).toEqual([regional])
    expect(codes(gpu!)).toEqual(['REQUEST_UNKNOWN_OFFLINE'])
    expect(JSON.stringify(gpu)).not.toContain('guestAccelerators')
  })
})

describe.each(['aws', 'gcp'])('the README of examples/%s', (cloud) => {
  it('makes the certificate that the file names, for the host agents dial', () => {
    const readme = readFileSync(join(root, 'examples', cloud, 'README.md'), 'utf8')
    const { config } = loadConfig(join(root, 'examples', cloud, 'master.yaml'))
    const [, name, out] = /provision certs --name (\S+) --out (\S+)/.exec(readme) ?? []
    expect(config!.security.tls?.cert).toBe(join(root, 'examples', cloud, out!, 'chain.crt'))
    for (const { provider } of config!.resource_pools)
      expect(new URL(provider!.master_url).hostname).toBe(name)
  })
})
