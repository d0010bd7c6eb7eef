// The examples of both clouds are valid without a warning, and make the requests that their READMEs describe.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { LaunchRequest } from '../../src/providers/contract.ts'
import { definitionOf } from '../../src/providers/definition.ts'
import { builtInProviders } from '../../src/providers/index.ts'
import { agentSetup } from '../support/agent-setups.ts'
import { intentOf, master, owner } from '../support/cloud-pools.ts'
import { loadConfig } from '../support/config.ts'
import { root } from '../support/sources.ts'

function example(cloud: 'aws' | 'gcp') {
  const { config, problems } = loadConfig(join(root, 'examples', cloud, 'master.yaml'))
  expect(problems).toEqual([])
  return Object.fromEntries(
    config!.resource_pools.map(({ pool_name, provider }): [string, LaunchRequest] => {
      if (provider!.type !== cloud) throw new Error(`not of ${cloud}`)
      const { offerings, request } = definitionOf(builtInProviders, provider!)
      const setup = { ...agentSetup(), master }
      const intent = intentOf(offerings(provider!))
      return [pool_name, request({ config: provider!, owner: { ...owner, pool: pool_name }, setup, intent })]
    }),
  )
}

const codes = ({ problems }: LaunchRequest) => problems.map(({ code }) => code)
const calls = ({ call, fallbacks = [] }: LaunchRequest) => [call, ...fallbacks.map((next) => next.call)]

describe('examples/aws', () => {
  it('requests a fleet of every type and subnet: spot, then on demand', () => {
    const { gpu, aux } = example('aws')
    expect(calls(gpu!)).toEqual(['CreateFleet', 'CreateFleet'])
    expect(JSON.stringify(gpu!.body).match(/"InstanceType"/g)).toHaveLength(9)
    expect(calls(aux!)).toEqual(['CreateFleet'])
    expect(codes(gpu!)).toEqual(['REQUEST_UNKNOWN_OFFLINE'])
    expect(codes(aux!)).toEqual(['REQUEST_UNKNOWN_OFFLINE'])
  })
})

describe('examples/gcp', () => {
  it('requests each type in all zones of the region: Spot, then on demand', () => {
    const { gpu, aux } = example('gcp')
    const regional = 'regionInstances.bulkInsert'
    expect(calls(gpu!)).toEqual([regional, regional, regional, regional])
    expect(calls(aux!)).toEqual([regional])
    expect(codes(gpu!)).toEqual(['REQUEST_UNKNOWN_OFFLINE'])
    expect(JSON.stringify(gpu)).not.toContain('guestAccelerators')
  })
})

describe.each(['aws', 'gcp'])('the README of examples/%s', (cloud) => {
  it('creates the certificate that the file names, for the host that agents dial', () => {
    const readme = readFileSync(join(root, 'examples', cloud, 'README.md'), 'utf8')
    const { config } = loadConfig(join(root, 'examples', cloud, 'master.yaml'))
    const [, name, out] = /provision certs --name (\S+) --out (\S+)/.exec(readme) ?? []
    expect(config!.security.tls?.cert).toBe(join(root, 'examples', cloud, out!, 'chain.crt'))
    for (const { provider } of config!.resource_pools)
      expect(new URL(provider!.master_url).hostname).toBe(name)
  })
})
