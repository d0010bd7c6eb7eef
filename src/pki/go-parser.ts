// What Go requires of every certificate it reads (crypto/x509, parseCertificate). It refuses a handshake with another one
// in it, even beside the chain. The rules are those of Go 1.22 to 1.26; where they differ, a certificate must satisfy all.
import { DerError, derOid, derTag } from './der.ts'
import { type GoExtension, goExtensionFault } from './go-extensions.ts'
import { isGoString } from './go-names.ts'
import { GoReader } from './go-reader.ts'

/** What Go finds in a certificate: none of it is from the parts that Go skips. */
export interface GoCertificate {
  /** Why Go cannot read it; empty if it can. Each one continues `the certificate CN=example …`. */
  faults: string[]
  /** Empty for the versions 1 and 2, whose extensions Go ignores. */
  extensions: GoExtension[]
}

/** Reads the DER of a certificate. Never throws. */
export function readAsGo(der: Buffer): GoCertificate {
  const faults: string[] = []
  const certificate: GoCertificate = { faults, extensions: [] }
  /** A part is judged by itself, so that each fault is reported. */
  const judge = (read: () => string | undefined, otherwise: string) => {
    const fault = faultOf(read, otherwise)
    if (fault && !faults.includes(fault)) faults.push(fault)
  }
  judge(() => {
    const outer = new GoReader(der).inside()
    const signed = outer.inside()
    const algorithm = outer.of(derTag.sequence)
    outer.bits()
    const version = versionOf(signed)
    if (version < 1n || version > 3n) faults.push(`is of version ${version}`)
    const serial = signed.integer()
    // Since Go 1.23.
    if (serial[0]! & 0x80) faults.push('has a negative serial number')
    const innerAlgorithm = signed.of(derTag.sequence)
    if (!innerAlgorithm.content.equals(algorithm.content))
      faults.push('names two different signature algorithms')
    judge(() => readAlgorithm(new GoReader(innerAlgorithm.content)), 'has a malformed signature algorithm')
    const issuer = signed.inside()
    const validity = signed.inside()
    const subject = signed.inside()
    const key = signed.inside()
    judge(() => nameFault(issuer), 'has a malformed issuer name')
    judge(() => timesFault(validity), 'has a malformed validity')
    judge(() => nameFault(subject), 'has a malformed subject name')
    judge(() => keyFault(key), 'has a malformed public key')
    if (version !== 3n) return undefined
    signed.optional(0x81)
    signed.optional(0x82)
    if (!signed.isNext(0xa3)) return undefined
    judge(() => {
      certificate.extensions = readExtensions(signed.inside(0xa3).inside())
      return undefined
    }, 'has malformed extensions')
    return undefined
  }, 'is not structured as a certificate')
  const seen = new Set<string>()
  for (const extension of certificate.extensions) {
    if (seen.has(extension.oid)) judge(() => `has the extension ${extension.oid} twice`, '')
    seen.add(extension.oid)
    judge(() => goExtensionFault(extension), `has a malformed extension ${extension.oid}`)
  }
  return certificate
}

function faultOf(read: () => string | undefined, otherwise: string): string | undefined {
  try {
    return read()
  } catch (error) {
    if (!(error instanceof DerError)) throw error
    return otherwise
  }
}

function versionOf(signed: GoReader): bigint {
  if (!signed.isNext(0xa0)) return 1n
  const inside = signed.inside(0xa0)
  const version = inside.integer64()
  if (!inside.isEmpty) throw new DerError('has a malformed version')
  return version + 1n
}

/** An algorithm identifier: an OID, and at most one element of parameters is looked at. */
function readAlgorithm(reader: GoReader): undefined {
  reader.oid()
  if (!reader.isEmpty) reader.element()
}

function nameFault(name: GoReader): string | undefined {
  while (!name.isEmpty) {
    const set = name.inside(derTag.set)
    while (!set.isEmpty) {
      const attribute = set.inside()
      attribute.oid()
      const { tag, content } = attribute.element()
      if (!isGoString(tag, content)) return 'has characters in a name that its string type does not allow'
    }
  }
  return undefined
}

/**
 * RFC 5280 section 4.1.2.5: seconds, no fractions, UTC; and a valid date. Go also accepts times of other zones or without
 * seconds, but OpenSSL does not.
 */
function timesFault(validity: GoReader): string | undefined {
  const times = [validity.element(), validity.element()]
  const good = times.every(({ tag, content }) => isGoodTime(tag, content.toString('latin1')))
  return good ? undefined : 'has a date in a form RFC 5280 does not allow'
}

function isGoodTime(tag: number, text: string): boolean {
  if (tag !== derTag.utcTime && tag !== derTag.generalizedTime) return false
  const digits = tag === derTag.utcTime ? `${text < '50' ? 20 : 19}${text}` : text
  const iso = digits.replace(/^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6.000Z')
  const moment = new Date(iso)
  return !Number.isNaN(moment.getTime()) && moment.toISOString() === iso
}

const keyOid = {
  rsa: '2a864886f70d010101',
  ec: '2a8648ce3d0201',
  ed25519: '2b6570',
  x25519: '2b656e',
}
const noParameters = Buffer.alloc(0)

/** crypto/x509, parsePublicKey. Whether a curve and a key are good enough is judged elsewhere. */
function keyFault(key: GoReader): string | undefined {
  const algorithm = key.inside()
  const oid = algorithm.oid().content.toString('hex')
  const parameters = algorithm.isEmpty ? noParameters : algorithm.element().bytes
  const bytes = key.bits()
  switch (oid) {
    case keyOid.rsa:
      return rsaFault(parameters, bytes)
    case keyOid.ec:
      // RFC 5480 section 2.1.1: the name of a curve. OpenSSL also reads the parameters of a curve, but not in a chain.
      return parameters[0] === derTag.oid
        ? undefined
        : 'has an elliptic curve key with explicit parameters instead of the name of its curve'
    case keyOid.ed25519:
    case keyOid.x25519:
      // RFC 8410 section 3.
      if (parameters.length > 0) return 'has parameters in its Ed25519 or X25519 key'
      return bytes.length === 32 ? undefined : 'has an Ed25519 or X25519 key of the wrong size'
    default:
      return undefined
  }
}

function rsaFault(parameters: Buffer, bytes: Buffer): string | undefined {
  // RFC 3279 section 2.3.1: the parameters of an RSA key are NULL.
  if (!parameters.equals(Buffer.from([derTag.null, 0]))) return 'has an RSA key without its NULL parameters'
  const numbers = new GoReader(bytes).inside()
  const modulus = numbers.integer()
  const exponent = numbers.integer64()
  return modulus[0]! & 0x80 || modulus.every((byte) => byte === 0) || exponent <= 0n
    ? 'has an RSA key whose numbers are not positive'
    : undefined
}

function readExtensions(list: GoReader): GoExtension[] {
  const extensions: GoExtension[] = []
  while (!list.isEmpty) {
    const extension = list.inside()
    const oid = derOid(extension.oid())
    const critical = extension.isNext(derTag.boolean) && extension.boolean()
    extensions.push({ oid, critical, value: extension.of(derTag.octetString).content })
  }
  return extensions
}
