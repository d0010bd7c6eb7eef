// Which agent failed the TLS handshake: the one that joined from that address before.
import { describe, expect, it } from 'vitest'
import { handshakeLog, rememberAddresses } from '../../../src/provisioner/listeners.ts'
import { capturingLogger } from '../../support/capturing-logger.ts'
import { FakeClock } from '../../support/fake-clock.ts'

const joined = (id: string, address: string) => ({ id, link: { address } })

describe('addresses of agents', () => {
  it('name the agents of an address, the last ones first, each once', () => {
    const addresses = rememberAddresses()
    for (const id of ['a', 'b', 'a']) addresses.joined(joined(id, '10.0.0.7'))
    addresses.joined(joined('c', '10.0.0.8'))
    expect(addresses.agentsAt('10.0.0.7')).toEqual(['a', 'b'])
    expect(addresses.agentsAt('10.0.0.9')).toEqual([])
  })

  it('show where an agent joined last, for a limited number of agents and in short lists', () => {
    const addresses = rememberAddresses(3, 2)
    for (const id of ['a', 'b', 'c', 'd']) addresses.joined(joined(id, '10.0.0.7'))
    addresses.joined(joined('d', '10.0.0.8'))
    expect(addresses.agentsAt('10.0.0.7')).toEqual(['c', 'b'])
    expect(addresses.agentsAt('10.0.0.8')).toEqual(['d'])
  })
})

describe('a failed handshake', () => {
  it('names the agents that joined from its address, in either notation', () => {
    const logger = capturingLogger()
    const addresses = rememberAddresses()
    addresses.joined(joined('i-1', '10.0.0.7'))
    const failed = handshakeLog({ clock: new FakeClock(), logger, agentsAt: addresses.agentsAt })
    failed({
      kind: 'certificate_refused',
      message: 'it does not know the CA',
      remoteAddress: '::ffff:10.0.0.7',
    })
    failed({ kind: 'certificate_refused', message: 'it does not know the CA', remoteAddress: '10.0.0.9' })
    expect(logger.lines.map((line) => /"agents":"([^"]*)"/.exec(line)?.[1])).toEqual(['i-1', undefined])
  })
})
