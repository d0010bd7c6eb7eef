import { isIP } from 'node:net'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ipVersion } from '../../../src/platform/ip-address.ts'

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
