// IP addresses and AS numbers along a path (RFC 3779): what a certificate has, its issuer must have, up to a root that
// inherits nothing. OpenSSL checks that if the server certificate has some, and with it Python and Node
// (crypto/x509/v3_addr.c and v3_asid.c, X509v3_addr_validate_path and X509v3_asid_validate_path); Go does not.
import type { Problem } from '../problems/index.ts'
import type { AddressBlocks, AsNumbers, Range, Resources } from './resource-blocks.ts'
import { fault, type Link } from './verifier-checks.ts'

/** Errors of a path that starts at a server certificate; none if that has no resources. */
export function checkResources(links: Link[]): Problem[] {
  if (links[0]?.role !== 'leaf') return []
  return [checkAddresses(links), checkNumbers(links)].flatMap((found) =>
    found ? [fault(found.link, 'TLS_OPENSSL_REFUSES', found.what)] : [],
  )
}

interface ResourceFault {
  link: Link
  what: string
}

const notCanonical =
  'has IP addresses or AS numbers (RFC 3779) that are not sorted, or not in their shortest form'
const beyond = 'does not have all IP addresses or AS numbers (RFC 3779) of the certificates below it'
const inheriting = 'is a root that inherits IP addresses or AS numbers (RFC 3779)'

function checkAddresses(links: Link[]): ResourceFault | undefined {
  const [leaf, ...above] = links
  const own = leaf!.certificate.fields.addressBlocks
  if (!own) return undefined
  if (!areBlocksCanonical(own)) return { link: leaf!, what: notCanonical }
  const needed = new Map(own)
  for (const link of above) {
    const blocks = link.certificate.fields.addressBlocks
    if (blocks && !areBlocksCanonical(blocks)) return { link, what: notCanonical }
    const has = new Map(blocks)
    for (const [family, wanted] of needed) {
      const offered = has.get(family)
      if (offered === 'inherit') continue
      if (!contains(offered, wanted)) return { link, what: beyond }
      if (offered) needed.set(family, offered)
    }
  }
  const top = links.at(-1)!
  const inherits = top.certificate.fields.addressBlocks?.some(
    ([family, resources]) => resources === 'inherit' && needed.has(family),
  )
  return inherits && top.selfSigned ? { link: top, what: inheriting } : undefined
}

function checkNumbers(links: Link[]): ResourceFault | undefined {
  const [leaf, ...above] = links
  const own = leaf!.certificate.fields.asNumbers
  if (!own) return undefined
  if (!areNumbersCanonical(own)) return { link: leaf!, what: notCanonical }
  const needed = { ...own }
  const top = links.at(-1)!
  for (const link of above) {
    const has = link.certificate.fields.asNumbers
    if (has && !areNumbersCanonical(has)) return { link, what: notCanonical }
    for (const kind of ['asnum', 'rdi'] as const) {
      const offered = has?.[kind]
      if (offered === 'inherit') continue
      if (!contains(offered, needed[kind])) return { link, what: beyond }
      if (offered) needed[kind] = offered
    }
  }
  const last = top.certificate.fields.asNumbers
  const inherits = last?.asnum === 'inherit' || last?.rdi === 'inherit'
  return inherits && top.selfSigned ? { link: top, what: inheriting } : undefined
}

/** What inherits, or asks for nothing, asks for nothing of its issuer. */
function contains(offered: Range[] | undefined, wanted: Resources | undefined): boolean {
  if (wanted === undefined || wanted === 'inherit') return true
  return wanted.every((range) =>
    offered?.some(({ first, last }) => first <= range.first && range.last <= last),
  )
}

function areBlocksCanonical(blocks: AddressBlocks): boolean {
  const families = blocks.map(([family]) => family)
  const isSorted = families.every((family, n) => n === 0 || families[n - 1]! < family)
  return isSorted && blocks.every(([, resources]) => isCanonical(resources))
}

function areNumbersCanonical({ asnum, rdi }: AsNumbers): boolean {
  return [asnum, rdi].every((resources) => resources === undefined || isCanonical(resources))
}

/** Not empty, in order, and neither overlapping nor adjacent. */
function isCanonical(resources: Resources): boolean {
  if (resources === 'inherit') return true
  const isGood = ({ first, last, odd }: Range, n: number) =>
    !odd && first <= last && (n === 0 || resources[n - 1]!.last + 1n < first)
  return resources.length > 0 && resources.every(isGood)
}
