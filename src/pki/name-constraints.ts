// Name constraints (RFC 5280 section 4.2.1.10), judged as OpenSSL does (crypto/x509/v3_ncons.c, x509_vfy.c): every name below
// a constrained CA must satisfy them. Go judges them only in chains that do not start at one of its anchors: go-verify.ts.
import type { Problem } from '../problems/index.ts'
import { type Certificate, isSelfIssued } from './certificate.ts'
import { readDer } from './der.ts'
import {
  attributeText,
  type GeneralName,
  type NameAttribute,
  nameKey,
  nameParts,
  showName,
} from './distinguished-name.ts'
import type { NameConstraints, Subtree } from './extensions.ts'
import { fault, type Link } from './verifier-checks.ts'

/** OpenSSL refuses to make more comparisons (NAME_CHECK_MAX). */
const maxComparisons = 2 ** 20
/** For each certificate and CA; more of them say nothing new. */
const maxShown = 20

export function checkNameConstraints(links: Link[]): Problem[] {
  return links.flatMap((ca, index) => {
    const constraints = ca.certificate.fields.nameConstraints
    if (ca.role === 'leaf' || !constraints) return []
    // Section 6.1.3 (b): a self-issued certificate, such as a CA with its next key, is exempt, unless it is the last.
    const below = links.slice(0, index).filter((link, at) => at === 0 || !isSelfIssued(link.certificate))
    return below.flatMap((link) =>
      violations(link, constraints, ca.certificate.subject).map((what) =>
        fault(link, 'TLS_NAME_CONSTRAINTS', what),
      ),
    )
  })
}

function violations({ certificate, role }: Link, constraints: NameConstraints, ca: string): string[] {
  const { fields } = certificate
  const count = fields.subject.length + fields.names.length
  const rules = constraints.permitted.length + constraints.excluded.length
  if (rules > 0 && count > Math.floor(maxComparisons / rules))
    return [
      `has ${count} names, too many for the ${rules} name constraints of ${ca}: OpenSSL makes at most ${maxComparisons} comparisons`,
    ]
  const found: string[] = []
  for (const { name, says } of namesOf(certificate, role)) {
    const why = refusal(name, constraints)
    if (why === undefined) continue
    found.push(`${says}, which ${ca} ${why}`)
    if (found.length === maxShown) break
  }
  const badEmail = fields.subject.some(({ type, stringTag }) => type === emailType && stringTag !== ia5String)
  if (badEmail && rules > 0)
    found.push(
      `has an e-mail address in its subject that is no IA5String, below the name constraints of ${ca}`,
    )
  return found
}

interface NameOfCertificate {
  name: GeneralName
  /** Continues `the certificate CN=example …`. */
  says: string
}

/** The alternative names, the subject and the e-mail addresses in it; without a DNS name also the common names. */
function namesOf(certificate: Certificate, role: Link['role']): NameOfCertificate[] {
  const { subject, names } = certificate.fields
  const inSubject = subject.flatMap((attribute): NameOfCertificate[] => {
    const text = attributeText(attribute)
    if (attribute.type === emailType)
      return [{ name: textName('email', attribute), says: `has the e-mail address ${text} in its subject` }]
    if (attribute.type === commonNameType && role === 'leaf' && isWithoutDnsName(names) && isDnsLike(text))
      return [
        {
          name: textName('dns', attribute),
          says: `has no DNS name, so that OpenSSL takes its common name ${text} for one`,
        },
      ]
    return []
  })
  return [
    ...(subject.length > 0 ? [{ name: subjectName(certificate), says: 'has this subject' }] : []),
    ...inSubject,
    ...names.map((name) => ({ name, says: `is for ${showName(name)}` })),
  ]
}

const emailType = '1.2.840.113549.1.9.1'
const commonNameType = '2.5.4.3'
const ia5String = 0x16
const formOf = { email: '129 ', dns: '130 ', directory: '164 ' }

function textName(kind: 'email' | 'dns', attribute: NameAttribute): GeneralName {
  const value = attributeText(attribute)
  return { kind, value, bytes: Buffer.from(value), form: formOf[kind] }
}

function subjectName({ fields }: Certificate): GeneralName {
  return { kind: 'directory', value: '', bytes: fields.subjectDer, form: formOf.directory }
}

function isWithoutDnsName(names: GeneralName[]): boolean {
  return !names.some(({ kind }) => kind === 'dns')
}

/** OpenSSL, cn2dnsid: at least two labels of letters, digits, underscores and inner hyphens. */
function isDnsLike(text: string): boolean {
  return /^\w(?:[\w-]*\w)?(?:\.\w(?:[\w-]*\w)?)+$/.test(text)
}

/** Why the constraints do not allow the name, as in `which CN=CA …`; undefined if they do. */
function refusal(name: GeneralName, { permitted, excluded }: NameConstraints): string | undefined {
  const applies = (subtree: Subtree) =>
    subtree.form === name.form || (subtree.kind === 'email' && name.form === utf8Mailbox)
  const rules = [...permitted, ...excluded].filter(applies)
  if (rules.length === 0) return undefined
  if (rules.some(({ limited }) => limited))
    return 'constrains with a minimum or maximum, which no client supports'
  const allowed = permitted.filter(applies)
  const answers = firstMatch(allowed, name)
  if (answers === 'unsupported' || excluded.some((rule) => applies(rule) && within(name, rule) === undefined))
    return 'constrains in a form that OpenSSL cannot compare with it'
  const isExcluded = excluded.some((rule) => applies(rule) && within(name, rule))
  return isExcluded || (allowed.length > 0 && !answers) ? 'may not certify' : undefined
}

/** An otherName with an international e-mail address (RFC 8398), which constraints on e-mail addresses apply to. */
const utf8Mailbox = '160 06082b06010505070809'

function firstMatch(rules: Subtree[], name: GeneralName): boolean | 'unsupported' {
  for (const rule of rules) {
    const answer = within(name, rule)
    if (answer === undefined) return 'unsupported'
    if (answer) return true
  }
  return false
}

/** Undefined: OpenSSL cannot compare them, and refuses the chain. */
function within(name: GeneralName, { value: base, bytes }: GeneralName): boolean | undefined {
  switch (name.kind) {
    case 'ip':
      return ipWithin(name.bytes, bytes)
    case 'dns':
      return dnsWithin(name.value.toLowerCase(), base.toLowerCase())
    case 'email':
      return emailWithin(name.value, base)
    case 'uri':
      return uriWithin(name.value, base.toLowerCase())
    case 'directory':
      return directoryWithin(name, bytes)
    default:
      return undefined
  }
}

function dnsWithin(value: string, base: string): boolean {
  return base === '' || value === base || value.endsWith(base.startsWith('.') ? base : `.${base}`)
}

/** The part before the @ is compared with its case. */
function emailWithin(value: string, base: string): boolean | undefined {
  const at = value.lastIndexOf('@')
  if (at < 0) return undefined
  const baseAt = base.lastIndexOf('@')
  if (baseAt < 0 && base.startsWith('.')) return value.toLowerCase().endsWith(base.toLowerCase())
  if (baseAt > 0 && base.slice(0, baseAt) !== value.slice(0, at)) return false
  return value.slice(at + 1).toLowerCase() === base.slice(baseAt + 1).toLowerCase()
}

/** A leading dot means "below", its absence "exactly". */
function uriWithin(uri: string, base: string): boolean | undefined {
  const found = /^[^:]*:\/\/([^:/]+)/.exec(uri)
  if (!found) return undefined
  const host = found[1]!.toLowerCase()
  return base.startsWith('.') ? host !== base && host.endsWith(base) : host === base
}

/** The name begins with all parts of the constraint. */
function directoryWithin(name: GeneralName, constraint: Buffer): boolean {
  const own = partsOf(name.bytes)
  return partsOf(constraint).every((part, index) => part === own[index])
}

/** Each name is compared with each constraint, so they are read once. */
const read = new WeakMap<Buffer, string[]>()

function partsOf(bytes: Buffer): string[] {
  const known = read.get(bytes)
  if (known) return known
  const sets = nameParts(readDer(bytes)).filter((attributes) => attributes.length > 0)
  const parts = sets.map(partKey)
  read.set(bytes, parts)
  return parts
}

/** The attributes of a set have no order. */
function partKey(attributes: NameAttribute[]): string {
  return attributes
    .map((attribute) => nameKey([attribute]))
    .sort()
    .join()
}

/** The constraint is an address followed by a mask of the same length. */
export function ipWithin(address: Buffer, constraint: Buffer): boolean | undefined {
  const size = address.length
  if ((size !== 4 && size !== 16) || (constraint.length !== 8 && constraint.length !== 32)) return undefined
  if (constraint.length !== size * 2) return false
  return address.every((byte, i) => ((byte ^ constraint[i]!) & constraint[size + i]!) === 0)
}

/** Go cannot compare names of other kinds, and treats a critical extension with one as unhandled. */
export function constrainsOtherKinds(constraints: NameConstraints | undefined): boolean {
  const all = constraints ? [...constraints.permitted, ...constraints.excluded] : []
  return all.some(({ kind }) => kind === 'directory' || kind === 'other')
}
