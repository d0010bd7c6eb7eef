// Where the built-in master listens, and where this machine reaches it.
import { describe, expect, it } from 'vitest'
import { localHostOf, masterAddressOf } from '../../../src/config/master-address.ts'
import { targetByConfig } from '../../../src/http/target.ts'
import { builtInProviders } from '../../../src/providers/index.ts'
import { listenAddressOf } from '../../../src/provisioner/listeners.ts'
import { parseConfig } from '../../support/config.ts'

const local = '{pool_name: here, provider: {type: local}}'
const cloud =
  '{pool_name: cloud, provider: {type: gcp, project: p, zone: z-a, boot_disk_source_image: projects/p/global/images/i}}'
const byHand = '{pool_name: hand, agents: any}'

function read(pools: string[], ...lines: string[]) {
  const text = [...lines, `resource_pools: [${pools.join()}]`].join('\n')
  const { config, problems } = parseConfig(text, 'master.yaml')
  return {
    config: config!,
    codes: problems.filter(({ severity }) => severity === 'error').map(({ code }) => code),
  }
}

describe('the built-in master', () => {
  it.each([
    ['only local agents', [local], [], '127.0.0.1', '127.0.0.1'],
    ['agents in a cloud', [local, cloud], [], '0.0.0.0', '127.0.0.1'],
    ['agents that are started by hand', [local, byHand], [], '0.0.0.0', '127.0.0.1'],
    ['a host', [cloud], ['host: 10.0.0.5'], '10.0.0.5', '10.0.0.5'],
    ['the loopback as host', [cloud], ['host: 127.0.0.1'], '127.0.0.1', '127.0.0.1'],
    ['every address as host', [local], ['host: "::"'], '::', '127.0.0.1'],
    ['every IPv4 address as host', [local], ['host: 0.0.0.0'], '0.0.0.0', '127.0.0.1'],
    ['an IPv6 address as host', [local], ['host: "[fd00::5]"'], 'fd00::5', 'fd00::5'],
    ['a name as host', [local], ['host: localhost'], 'localhost', 'localhost'],
  ])('with %s', (_what, pools, lines, listens, reached) => {
    const { config } = read(pools, ...lines)
    expect(listenAddressOf(config, builtInProviders)).toBe(listens)
    expect(localHostOf(config)).toBe(reached)
    expect(targetByConfig(config, { tokenFile: 'none', now: 0 }).address.host).toBe(reached)
  })

  it('is dialled there by local agents, and by others as before', () => {
    const { config } = read([local, cloud], 'host: 10.0.0.5')
    const hosts = config.resource_pools.map(
      (pool) => masterAddressOf(config, pool, { providers: builtInProviders }).address.host,
    )
    expect(hosts).toEqual(['10.0.0.5', 'internal-ip'])
  })

  it('is the only one that has a host', () => {
    expect(read([cloud], 'host: 10.0.0.5', 'demand: {type: push}').codes).toContain('CONFIG_CONFLICT')
    expect(read([cloud], 'demand: {type: push}').codes).not.toContain('CONFIG_CONFLICT')
    expect(read([cloud], 'host: 10.0.0.5', 'demand: {type: built-in}').codes).toEqual([])
  })
})
