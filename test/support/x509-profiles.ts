// Correct certificates (RFC 5280), in which every part can be replaced or omitted (`null`).
import { type TestKey, testKey } from './test-keys.ts'
import { type CertificateSpec, day, type Issued, issue, now } from './x509.ts'
import {
  authorityKeyId,
  basicConstraints,
  dns,
  extendedKeyUsage,
  keyUsage,
  purpose,
  subjectAltName,
  subjectKeyId,
} from './x509-extensions.ts'

interface Parts {
  /** DER of the extension. */
  basic?: Buffer | null
  usage?: Buffer | null
  purposes?: string[] | null
  /** Key identifiers of the certificate and of its issuer. */
  ski?: boolean
  aki?: boolean
  extra?: Buffer[]
}

export interface ServerSpec extends Omit<CertificateSpec, 'issuer' | 'extensions'>, Parts {
  /** DER of the subjectAltName entries. */
  names?: Buffer[] | null
}

export interface AuthoritySpec extends Omit<CertificateSpec, 'extensions'>, Parts {}

export const masterName = 'master.example.com'

/** A server certificate for master.example.com; self-signed without an issuer. */
export function server(issuer?: Issued, spec: ServerSpec = {}): Issued {
  const key = spec.key ?? testKey('p256', 'server')
  const { names = [dns(masterName)], purposes = [purpose.server], ...rest } = spec
  const usage = rest.usage === undefined ? serverUsage(key) : rest.usage
  const basic = rest.basic === undefined ? basicConstraints({ ca: false }) : rest.basic
  const extra = [...(names ? [subjectAltName(...names)] : []), ...(rest.extra ?? [])]
  return issue({
    ...rest,
    key,
    issuer,
    extensions: extensions({ ...rest, basic, usage, purposes, extra }, key, issuer),
  })
}

/** A CA; self-signed without an issuer. */
export function authority(subject: string, spec: AuthoritySpec = {}): Issued {
  const key = spec.key ?? testKey('p256', subject)
  const usage = spec.usage === undefined ? keyUsage('keyCertSign', 'cRLSign') : spec.usage
  const basic = spec.basic === undefined ? basicConstraints({ ca: true }) : spec.basic
  const parts = { ...spec, basic, usage, purposes: spec.purposes ?? null }
  return issue({
    subject,
    notAfter: now + 3650 * day,
    ...spec,
    key,
    extensions: extensions(parts, key, spec.issuer),
  })
}

function serverUsage(key: TestKey): Buffer {
  return key.kind.startsWith('rsa')
    ? keyUsage('digitalSignature', 'keyEncipherment')
    : keyUsage('digitalSignature')
}

function extensions(parts: Parts, key: TestKey, issuer?: Issued): Buffer[] {
  const { basic, usage, purposes, ski = true, aki = true, extra = [] } = parts
  return [
    ...(basic ? [basic] : []),
    ...(usage ? [usage] : []),
    ...(purposes ? [extendedKeyUsage(...purposes)] : []),
    ...(ski ? [subjectKeyId(key)] : []),
    ...(aki && issuer ? [authorityKeyId(issuer.key)] : []),
    ...extra,
  ]
}
