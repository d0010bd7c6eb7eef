// The addresses of an instance, as clouds report them.
import type { Instance } from '../planner/index.ts'
import { canonicalAddress } from '../platform/index.ts'

/** Each address once; nothing if there is none. What is not an address is left out. */
export function addressesOf(reported: Iterable<string | undefined>): Pick<Instance, 'addresses'> {
  const addresses = new Set<string>()
  for (const text of reported) {
    const address = text && canonicalAddress(text)
    if (address) addresses.add(address)
  }
  return addresses.size > 0 ? { addresses: [...addresses] } : {}
}
