import { isIP, SocketAddress } from 'node:net'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { canonicalAddress, ipVersion } from '../../../src/platform/ip-address.ts'

test.each([
  ['10.0.0.5', 4],
  ['255.255.255.255', 4],
  ['256.0.0.1', 0],
  ['010.0.0.1', 0],
  ['1.2.3', 0],
  ['1.2.3.4.5', 0],
  ['::', 6],
  ['::1', 6],
  ['2001:DB8::7', 6],
  ['1:2:3:4:5:6:7:8', 6],
  ['1:2:3:4:5:6:7::', 6],
  ['1:2:3:4:5:6:7:8:9', 0],
  ['1:2:3:4::5:6:7:8', 0],
  ['::ffff:10.0.0.5', 6],
  ['10.0.0.5::', 0],
  ['1:2:3:4:5:6:7:10.0.0.5', 0],
  ['1:2:3:4:5:6:10.0.0.5', 6],
  ['1::2::3', 0],
  [':::', 0],
  [':1:2:3:4:5:6:7', 0],
  ['fe80::1%eth0', 0],
  ['[::1]', 0],
  ['master.example.com', 0],
  ['', 0],
])('%s is version %s', (text, version) => {
  expect(ipVersion(text)).toBe(version)
})

const group = fc.oneof(fc.constantFrom('', '0', 'ffff', '1', '12345', 'g'), fc.ipV4())
const almost = fc.array(group, { maxLength: 10 }).map((groups) => groups.join(':'))

test('agrees with node:net, for addresses and near misses', () => {
  fc.assert(
    fc.property(fc.oneof(fc.ipV4(), fc.ipV6(), almost, fc.domain(), fc.string()), (text) => {
      fc.pre(!text.includes('%'))
      expect(ipVersion(text)).toBe(isIP(text))
    }),
    { numRuns: 2000 },
  )
})

test.each([
  ['10.0.0.5', '10.0.0.5'],
  ['2001:DB8:0:0:0:0:0:7', '2001:db8::7'],
  ['2600:1900:4000:8a2c:0:0:0:0', '2600:1900:4000:8a2c::'],
  ['2001:0db8::0001', '2001:db8::1'],
  ['::', '::'],
  ['10.0.0.256', undefined],
  ['fe80::1%eth0', undefined],
  ['[::1]', undefined],
  ['', undefined],
])('the address %j is %j where it is compared', (text, plain) => {
  expect(canonicalAddress(text)).toBe(plain)
})

test('an address has the form that sockets have', () => {
  const groups = fc.array(fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 0xffff })), {
    minLength: 8,
    maxLength: 8,
  })
  fc.assert(
    fc.property(groups, fc.boolean(), (parts, isLong) => {
      // Those that embed an IPv4 address are shown with dots.
      fc.pre(parts.slice(0, 5).some((part) => part !== 0))
      const text = parts.map((part) => part.toString(16).padStart(isLong ? 4 : 1, '0')).join(':')
      expect(canonicalAddress(text)).toBe(new SocketAddress({ address: text, family: 'ipv6' }).address)
    }),
  )
})
