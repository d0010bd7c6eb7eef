// What Go requires of a chain whose root is its only anchor (crypto/x509, Certificate.Verify). Agents have all certificates
// of the chain, and Go looks at nothing above an anchor; so these rules apply when what is below the root is renewed.

import { ipVersion } from '../platform/index.ts'
import type { Problem } from '../problems/index.ts'
import type { Certificate } from './certificate.ts'
import type { ChainPath } from './chain.ts'
import { type Der, extensionOid } from './der.ts'
import { type GeneralName, generalName, showName } from './distinguished-name.ts'
import { goMailbox, goUriHost, isGoDomain } from './go-names.ts'
import { policyFault } from './go-policies.ts'
import { GoReader } from './go-reader.ts'
import { constrainsOtherKinds, ipWithin } from './name-constraints.ts'
import { judgeSignature } from './signatures.ts'
import { fault, type Link, linksOf } from './verifier-checks.ts'

/**
 * One warning for each fault; an error in a list of CAs (tls.ca_file), where Go looks at the CAs from the start. None with
 * a certificate that Go cannot read, which is an error by itself.
 */
export function checkRenewal(links: Link[]): Problem[] {
  if (links[0]?.role !== 'leaf')
    return links.flatMap((link) => [
      ...rootFaults(link).map((what) => fault(link, 'TLS_NOT_A_CA', what)),
      ...criticalFaults(link).map((what) => fault(link, 'TLS_CRITICAL_EXTENSION', what)),
    ])
  return renewalFaults(links).map(({ link, what, remedy }) =>
    fault(
      link,
      'TLS_RENEWAL_REFUSED',
      `${what}: Go agents accept the chain while it contains the very certificates they were given, and refuse it after a renewal`,
      { remedy },
    ),
  )
}

/**
 * The same as errors, for agents that get no certificate of the path but know its root: to them the server certificate is no
 * anchor even today. The root issued a certificate of one of the paths, not always the last one, or is another version of
 * the root of a path.
 */
export function checkBelowRoot(paths: ChainPath[], root: Certificate): Problem[] {
  const chain = paths.map(({ certificates }) => upTo(certificates, root)).find((found) => found.length > 0)
  if (!chain) return []
  const links = linksOf({ certificates: chain, complete: true })
  return renewalFaults(links).map(({ link, what, remedy }) => fault(link, 'TLS_GO_REFUSES', what, { remedy }))
}

/** The certificates below the root, and the root; empty if it issued none of them. */
function upTo(certificates: Certificate[], root: Certificate): Certificate[] {
  const { subjectDer } = root.fields
  const last = certificates.findIndex(({ fields }) => fields.issuerDer.equals(subjectDer))
  const below = certificates.slice(0, last + 1).filter(({ fields }) => !fields.subjectDer.equals(subjectDer))
  return below.length > 0 ? [...below, root] : []
}

interface RenewalFault {
  link: Link
  what: string
  remedy?: string
}

/** Empty if Go accepts the chain with the root as its only anchor, or cannot read one of its certificates. */
function renewalFaults(links: Link[]): RenewalFault[] {
  if (links.some(({ certificate }) => certificate.asGo.faults.length > 0)) return []
  const faults: RenewalFault[] = []
  for (const [index, link] of links.entries()) {
    faults.push(...encodingFaults(link, links[index + 1]), ...signatureFaults(link))
    if (index === 0) continue
    for (const what of [
      ...caFaults(link, index - 1),
      ...rootFaults(link),
      ...criticalFaults(link),
      ...constraintFaults(links, index),
    ])
      faults.push({ link, what })
  }
  const top = links.at(-1)
  const policies = policyFault(links.map(({ certificate }) => certificate))
  if (top && policies) faults.push({ link: top, what: policies })
  return faults
}

/** Go compares names byte by byte where OpenSSL ignores string types, case and blanks. */
function encodingFaults(link: Link, issuer: Link | undefined): RenewalFault[] {
  if (!issuer || link.certificate.fields.issuerDer.equals(issuer.certificate.fields.subjectDer)) return []
  return [
    {
      link,
      what: `encodes its issuer's name in other bytes than ${issuer.certificate.subject} encodes its subject`,
      remedy:
        "Reissue the certificate with the CA's subject copied byte for byte (string type, case and blanks).",
    },
  ]
}

function signatureFaults(link: Link): RenewalFault[] {
  const { name, verdict } = judgeSignature(link.certificate.fields.signature)
  if (link.selfSigned || verdict !== 'unverified') return []
  return [
    {
      link,
      what: `is signed with ${name}, which Go cannot verify`,
      remedy:
        'Reissue it with SHA-256, SHA-384 or SHA-512, and for RSA-PSS with a salt of as many bytes as the hash.',
    },
  ]
}

function caFaults({ certificate, role }: Link, below: number): string[] {
  const { fields, asGo } = certificate
  const faults: string[] = []
  const isReadAsCa = asGo.extensions.some(({ oid }) => oid === extensionOid.basicConstraints)
  if (role === 'intermediate' && !isReadAsCa)
    faults.push(`is an intermediate of version ${fields.version}, whose basicConstraints Go does not read`)
  const length = isReadAsCa ? fields.basicConstraints?.pathLength : undefined
  // Go counts self-issued certificates too; RFC 5280 section 4.2.1.9 does not.
  if (length !== undefined && below > length)
    faults.push(`allows ${length} CAs below itself, and Go counts ${below}, with the self-issued ones`)
  return faults
}

function rootFaults({ certificate: { fields }, role }: Link): string[] {
  return role === 'root' && fields.version === 3 && !fields.basicConstraints
    ? ['has no basicConstraints, so that Go does not take it for a CA']
    : []
}

/** Since Go 1.24 the three extensions of policies are known. */
const policies: string[] = [
  extensionOid.policyConstraints,
  extensionOid.inhibitAnyPolicy,
  extensionOid.policyMappings,
]

function criticalFaults({ certificate }: Link): string[] {
  return unknownToGo(certificate).map((oid) =>
    policies.includes(oid)
      ? `marks the extension ${oid} as critical, as RFC 5280 requires, but Go 1.23 and older do not know it`
      : oid === extensionOid.nameConstraints
        ? 'has critical name constraints of a kind that Go cannot check'
        : `marks the extension ${oid} as critical, which Go does not know`,
  )
}

/** Critical extensions that some version of Go does not handle (UnhandledCriticalExtensions). */
export function unknownToGo({ asGo, fields }: Certificate): string[] {
  return asGo.extensions
    .filter(
      ({ oid, critical }) =>
        critical && !isHandled(oid, fields.names, constrainsOtherKinds(fields.nameConstraints)),
    )
    .map(({ oid }) => oid)
}

const handled: string[] = [
  extensionOid.keyUsage,
  extensionOid.basicConstraints,
  extensionOid.crlDistributionPoints,
  extensionOid.certificatePolicies,
  extensionOid.extendedKeyUsage,
  // Critical ones are refused when the certificate is read.
  extensionOid.subjectKeyIdentifier,
  extensionOid.authorityKeyIdentifier,
  extensionOid.authorityInfoAccess,
]

function isHandled(oid: string, names: GeneralName[], otherKinds: boolean): boolean {
  if (oid === extensionOid.subjectAltName) return names.some(({ kind }) => comparable.has(kind))
  if (oid === extensionOid.nameConstraints) return !otherKinds
  return handled.includes(oid)
}

const comparable = new Set(['dns', 'email', 'uri', 'ip'])

// Name constraints as Go reads them: also for self-issued certificates, and not for subjects.

/** Go 1.22 makes no more comparisons (maxConstraintComparisons). */
const maxComparisons = 250_000

function constraintFaults(links: Link[], index: number): string[] {
  const { certificate } = links[index]!
  const constraints = constraintsOf(certificate)
  if (!constraints) return []
  const names = links.slice(0, index).flatMap((link) => namesOf(link.certificate))
  const count = names.length * (constraints.permitted.length + constraints.excluded.length)
  if (count > maxComparisons)
    return [`constrains names in ${count} comparisons, and Go 1.22 makes ${maxComparisons}`]
  const bad = names.find((name) => !isAllowed(name, constraints))
  return bad ? [`constrains names, and Go does not take ${showName(bad)} for one that it may certify`] : []
}

interface GoConstraints {
  permitted: GeneralName[]
  excluded: GeneralName[]
}

function constraintsOf({ asGo }: Certificate): GoConstraints | undefined {
  const found = asGo.extensions.find(({ oid }) => oid === extensionOid.nameConstraints)
  if (!found) return undefined
  const lists = new GoReader(found.value).inside()
  const listOf = (tag: number) => {
    const list = lists.optional(tag)
    return list ? namesIn(new GoReader(list.content), (subtrees) => subtrees.inside().element()) : []
  }
  return { permitted: listOf(0xa0), excluded: listOf(0xa1) }
}

function namesOf({ asGo }: Certificate): GeneralName[] {
  const found = asGo.extensions.find(({ oid }) => oid === extensionOid.subjectAltName)
  return found ? namesIn(new GoReader(found.value).inside(), (names) => names.element()) : []
}

function namesIn(list: GoReader, next: (list: GoReader) => Der): GeneralName[] {
  const names: GeneralName[] = []
  while (!list.isEmpty) names.push(generalName(next(list)))
  return names
}

function isAllowed(name: GeneralName, { permitted, excluded }: GoConstraints): boolean {
  if (!comparable.has(name.kind)) return true
  const same = ({ kind }: GeneralName) => kind === name.kind
  const allowed = permitted.filter(same)
  if (!isComparable(name)) return false
  if (excluded.some((rule) => same(rule) && (matches(name, rule) || wildcardMeets(name, rule)))) return false
  return allowed.length === 0 || allowed.some((rule) => matches(name, rule))
}

/** Go refuses a name that it cannot take apart below any constraint. */
function isComparable({ kind, value }: GeneralName): boolean {
  if (kind === 'dns') return isGoDomain(value)
  if (kind === 'email') return goMailbox(value) !== undefined
  if (kind === 'uri') return uriDomain(value) !== ''
  return true
}

function uriDomain(uri: string): string {
  const host = goUriHost(uri) ?? ''
  const name = host.replace(/:[0-9]*$/, '')
  return host.startsWith('[') || ipVersion(name) ? '' : name
}

function matches(name: GeneralName, rule: GeneralName): boolean {
  switch (name.kind) {
    case 'ip':
      return ipWithin(name.bytes, rule.bytes) === true
    case 'email':
      return mailboxMatches(name.value, rule.value)
    case 'uri':
      return domainMatches(uriDomain(name.value), rule.value)
    default:
      return domainMatches(name.value, rule.value)
  }
}

function mailboxMatches(value: string, rule: string): boolean {
  const own = goMailbox(value)
  if (!own) return false
  if (!rule.includes('@')) return domainMatches(own.domain, rule)
  const wanted = goMailbox(rule)
  return own.local === wanted?.local && own.domain.toLowerCase() === wanted.domain.toLowerCase()
}

/** A rule applies to the domain itself and all below, with a dot at its start only to those below. */
function domainMatches(domain: string, rule: string): boolean {
  const own = domain.toLowerCase()
  const base = rule.toLowerCase()
  if (base.startsWith('.')) return own !== base && own.endsWith(base)
  return base === '' || own === base || own.endsWith(`.${base}`)
}

/** Since Go 1.25.5 a wildcard must not cover an excluded name. */
function wildcardMeets({ kind, value }: GeneralName, rule: GeneralName): boolean {
  if (kind !== 'dns' || !value.startsWith('*')) return false
  const above = (name: string) => (name.includes('.') ? name.slice(name.indexOf('.')).toLowerCase() : '')
  return above(value) !== '' && above(value) === above(rule.value)
}
