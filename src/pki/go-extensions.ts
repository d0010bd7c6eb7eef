// What Go requires of the extensions it knows (crypto/x509, processExtensions; RFC 5280 section 4.2).
import { derOid, derTag, extensionOid, isShortestOid } from './der.ts'
import { generalName, showName } from './distinguished-name.ts'
import { isAscii, isGoDomainConstraint, isGoEmailConstraint, isGoUri, isGoUriConstraint } from './go-names.ts'
import { GoReader } from './go-reader.ts'

export interface GoExtension {
  oid: string
  critical: boolean
  value: Buffer
}

type Judge = (value: GoReader) => string | undefined

/**
 * Why Go refuses a certificate with this extension. Throws DerError if its value has another structure than Go reads; what
 * is not looked at may have any structure.
 */
export function goExtensionFault({ oid, critical, value }: GoExtension): string | undefined {
  // Since Go 1.23 (RFC 5280 sections 4.2.1.1, 4.2.1.2 and 4.2.2.1).
  if (critical && neverCritical.has(oid)) return `marks the extension ${oid} as critical`
  return judges[oid]?.(new GoReader(value))
}

const neverCritical = new Set<string>([
  extensionOid.authorityKeyIdentifier,
  extensionOid.subjectKeyIdentifier,
  extensionOid.authorityInfoAccess,
])

const judges: Record<string, Judge> = {
  [extensionOid.keyUsage]: (value) => {
    value.bits()
    return undefined
  },
  [extensionOid.basicConstraints]: (value) => {
    const parts = value.inside()
    if (parts.isNext(derTag.boolean)) parts.boolean()
    if (!parts.isNext(derTag.integer)) return undefined
    return parts.integer64() < 0n ? 'has a negative path length' : undefined
  },
  [extensionOid.subjectAltName]: (value) => eachOf(value.inside(), nameFault),
  [extensionOid.nameConstraints]: nameConstraintsFault,
  [extensionOid.crlDistributionPoints]: (value) => eachOf(value.inside(), pointFault),
  [extensionOid.authorityKeyIdentifier]: (value) => {
    value.inside().optional(0x80)
    return undefined
  },
  [extensionOid.subjectKeyIdentifier]: (value) => {
    value.of(derTag.octetString)
    return undefined
  },
  [extensionOid.extendedKeyUsage]: (value) =>
    eachOf(value.inside(), (list) => {
      list.oid()
      return undefined
    }),
  [extensionOid.certificatePolicies]: policiesFault,
  // The three extensions of policies: since Go 1.24.
  [extensionOid.policyMappings]: (value) =>
    eachOf(value.inside(), (list) => {
      const mapping = list.inside()
      mapping.of(derTag.oid)
      mapping.of(derTag.oid)
      return undefined
    }),
  [extensionOid.policyConstraints]: (value) => {
    const parts = value.inside()
    for (const tag of [0x80, 0x81]) if (parts.isNext(tag)) parts.integer64(tag)
    return undefined
  },
  [extensionOid.inhibitAnyPolicy]: (value) => {
    value.integer64()
    return undefined
  },
  [extensionOid.authorityInfoAccess]: (value) =>
    eachOf(value.inside(), (list) => {
      const access = list.inside()
      access.oid()
      access.optional(0x86)
      return undefined
    }),
}

function eachOf(list: GoReader, judge: Judge): string | undefined {
  while (!list.isEmpty) {
    const fault = judge(list)
    if (fault) return fault
  }
  return undefined
}

function nameFault(names: GoReader): string | undefined {
  const name = generalName(names.element())
  const good = () => {
    switch (name.kind) {
      case 'ip':
        return name.bytes.length === 4 || name.bytes.length === 16
      case 'dns':
      case 'email':
        return isAscii(name.value)
      case 'uri':
        return isGoUri(name.value)
      default:
        return true
    }
  }
  return good() ? undefined : `has the malformed name ${showName(name)}`
}

/** Go reads the full names of a distribution point, but not a name relative to the issuer, which RFC 5280 also allows. */
function pointFault(points: GoReader): string | undefined {
  const point = points.inside()
  if (!point.isNext(0xa0)) return undefined
  const name = point.inside(0xa0)
  if (name.isNext(0xa1)) return 'names a CRL distribution point relative to its issuer'
  const fullName = name.inside(0xa0)
  while (fullName.isNext(0x86)) fullName.element()
  return undefined
}

function policiesFault(value: GoReader): string | undefined {
  const seen = new Set<string>()
  return eachOf(value.inside(), (list) => {
    const oid = list.inside().of(derTag.oid)
    if (!isShortestOid(oid.content)) return 'has a malformed certificate policy'
    const key = oid.content.toString('hex')
    // Not yet in Go 1.23 (RFC 5280 section 4.2.1.4).
    if (seen.has(key)) return `has the certificate policy ${derOid(oid)} twice`
    seen.add(key)
    return undefined
  })
}

function nameConstraintsFault(value: GoReader): string | undefined {
  const parts = value.inside()
  const permitted = parts.optional(0xa0)
  const excluded = parts.optional(0xa1)
  if (!parts.isEmpty || !value.isEmpty) return 'has malformed name constraints'
  // RFC 5280 section 4.2.1.10.
  if (!permitted?.content.length && !excluded?.content.length) return 'has empty name constraints'
  for (const list of [permitted, excluded]) {
    const fault = list && eachOf(new GoReader(list.content), constraintFault)
    if (fault) return fault
  }
  return undefined
}

function constraintFault(subtrees: GoReader): string | undefined {
  const constraint = generalName(subtrees.inside().element())
  const good = () => {
    switch (constraint.kind) {
      case 'ip':
        return isGoRange(constraint.bytes)
      case 'dns':
        return isGoDomainConstraint(constraint.value)
      case 'email':
        return isGoEmailConstraint(constraint.value)
      case 'uri':
        return isGoUriConstraint(constraint.value)
      default:
        return true
    }
  }
  return good() ? undefined : `has the malformed name constraint ${showName(constraint)}`
}

/** An address and a mask of ones before zeros. */
function isGoRange(bytes: Buffer): boolean {
  if (bytes.length !== 8 && bytes.length !== 32) return false
  const mask = [...bytes.subarray(bytes.length / 2)].map((byte) => byte.toString(2).padStart(8, '0')).join('')
  return /^1*0*$/.test(mask)
}
