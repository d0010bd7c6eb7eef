// Faults that only Go notices (crypto/x509): it refuses the whole certificate, and with it the handshake it is sent in.
import { isUtf8 } from 'node:buffer'
import type { Problem } from '../problems/problem.ts'
import type { Certificate } from './certificate.ts'
import type { CertificateFields } from './certificate-fields.ts'
import { derTag } from './der.ts'
import type { NameAttribute } from './distinguished-name.ts'
import { type GeneralName, showName } from './general-name.ts'
import { faultIn, type Link } from './link.ts'
import { extensionOid } from './oids.ts'

/** Judges every certificate of the file: a Go master sends them all. */
export function checkForGo(certificates: Certificate[]): Problem[] {
  return certificates.flatMap((certificate) =>
    goFaults(certificate.fields).map((what) =>
      faultIn(certificate, 'the certificate', 'TLS_GO_REFUSES', what),
    ),
  )
}

/** Go compares names byte by byte where OpenSSL ignores string types, case and blanks. */
export function checkNameEncoding(links: Link[]): Problem[] {
  return links.flatMap((link, index) => {
    const issuer = links[index + 1]
    if (!issuer || link.certificate.fields.issuerDer.equals(issuer.certificate.fields.subjectDer)) return []
    return [
      faultIn(
        link.certificate,
        'the certificate',
        'TLS_NAME_ENCODING',
        `writes its issuer's name in other bytes than ${issuer.certificate.subject} writes its own`,
      ),
    ]
  })
}

function goFaults(fields: CertificateFields): string[] {
  const faults: string[] = []
  const oids = fields.extensions.map((extension) => extension.oid)
  const repeated = oids.find((oid, index) => oids.indexOf(oid) !== index)
  if (fields.serialNegative) faults.push('has a negative serial number')
  if (fields.version > 3) faults.push(`is of version ${fields.version}`)
  if (fields.signatureDiffers) faults.push('names two different signature algorithms')
  if (repeated) faults.push(`has the extension ${repeated} twice`)
  const neverCritical = [
    extensionOid.authorityKeyIdentifier,
    extensionOid.subjectKeyIdentifier,
    extensionOid.authorityInfoAccess,
  ]
  for (const { oid, critical } of fields.extensions)
    if (critical && neverCritical.some((candidate) => candidate === oid))
      faults.push(`marks the extension ${oid} as critical`)
  if (fields.times.some((time) => !isGoodTime(time)))
    faults.push('has a date in a form RFC 5280 does not allow')
  for (const attribute of [...fields.subject, ...fields.issuer])
    if (!isGoodString(attribute)) faults.push(`has characters in a name that its string type does not allow`)
  // RFC 3279 section 2.3.1: the parameters of an RSA key are NULL.
  if (fields.publicKey.oid === '1.2.840.113549.1.1.1' && fields.publicKey.parameters?.tag !== derTag.null)
    faults.push('has an RSA key without its NULL parameters')
  for (const name of fields.names)
    if (!isGoodName(name)) faults.push(`has the malformed name ${showName(name)}`)
  return [...new Set(faults)]
}

/** RFC 5280 section 4.1.2.5: seconds, no fractions, UTC; and a moment that exists. */
function isGoodTime({ tag, text }: { tag: number; text: string }): boolean {
  const digits = tag === derTag.utcTime ? `${text < '50' ? 20 : 19}${text}` : text
  const iso = digits.replace(/^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6.000Z')
  const moment = new Date(iso)
  return !Number.isNaN(moment.getTime()) && moment.toISOString() === iso
}

function isGoodString({ stringTag, bytes }: NameAttribute): boolean {
  const text = bytes.toString('latin1')
  switch (stringTag) {
    case 0x0c: // UTF8String
      return isUtf8(bytes)
    case 0x12: // NumericString
      return /^[0-9 ]*$/.test(text)
    case 0x13: // PrintableString; Go lets * and & pass
      return /^[A-Za-z0-9 '()+,\-./:=?*&]*$/.test(text)
    case 0x14: // T61String
      return true
    case 0x16: // IA5String
      return /^[\x00-\x7f]*$/.test(text)
    case 0x1e: // BMPString
      return bytes.length % 2 === 0
    default:
      return false
  }
}

function isGoodName({ kind, value, bytes }: GeneralName): boolean {
  if (kind === 'ip') return bytes.length === 4 || bytes.length === 16
  if (kind !== 'dns' && kind !== 'email' && kind !== 'uri') return true
  if (/[^\x00-\x7f]/.test(value)) return false
  return kind !== 'uri' || goodUri.test(value)
}

/**
 * RFC 3986 with a scheme, as RFC 5280 section 4.2.1.6 demands, and a host that is a name. Narrower than Go's parser,
 * which also takes some that are neither.
 */
const goodUri = new RegExp(
  '^[a-z][a-z0-9+.-]*:' +
    String.raw`(?:\/\/(?:(?:[\w.~!$&'()*+,;=:-]|%[0-9a-f]{2})*@)?` +
    String.raw`(?:[a-z0-9_-]+(?:\.[a-z0-9_-]+)*)?(?::\d*)?(?=[/?#]|$)|(?!\/\/))` +
    String.raw`(?:[\w.~!$&'()*+,;=:@/?#-]|%[0-9a-f]{2})*$`,
  'i',
)
