// Name constraints (RFC 5280 section 4.2.1.10): every name below a constrained CA has to lie inside them.
import { ipVersion } from '../platform/ip-address.ts'
import type { Problem } from '../problems/problem.ts'
import { type GeneralName, type NameKind, showName } from './general-name.ts'
import { fault, type Link } from './link.ts'

const judged: NameKind[] = ['dns', 'ip', 'email', 'uri']

export function checkNameConstraints(links: Link[]): Problem[] {
  return links.flatMap((ca) => {
    const constraints = ca.certificate.fields.nameConstraints
    if (ca.role === 'leaf' || !constraints) return []
    const all = [...constraints.permitted, ...constraints.excluded]
    if (all.some((constraint) => !judged.includes(constraint.kind)))
      // Go takes such a critical extension for unhandled and refuses the chain.
      return [fault(ca, 'TLS_NAME_CONSTRAINTS', 'constrains names of a kind that Go agents cannot check')]
    return links
      .slice(0, links.indexOf(ca))
      .flatMap((below) =>
        below.certificate.fields.names
          .filter((name) => !allows(constraints, name))
          .map((name) =>
            fault(
              below,
              'TLS_NAME_CONSTRAINTS',
              `is for ${showName(name)}, which ${ca.certificate.subject} may not certify`,
            ),
          ),
      )
  })
}

function allows(
  constraints: { permitted: GeneralName[]; excluded: GeneralName[] },
  name: GeneralName,
): boolean {
  const matches = (constraint: GeneralName) => constraint.kind === name.kind && within(name, constraint)
  const permitted = constraints.permitted.filter((constraint) => constraint.kind === name.kind)
  return !constraints.excluded.some(matches) && (permitted.length === 0 || permitted.some(matches))
}

function within(name: GeneralName, constraint: GeneralName): boolean {
  const value = name.value.toLowerCase()
  const base = constraint.value.toLowerCase()
  switch (name.kind) {
    case 'ip':
      return ipWithin(name.bytes, constraint.bytes)
    case 'dns':
      return base === '' || value === base || value.endsWith(base.startsWith('.') ? base : `.${base}`)
    case 'email':
      return base.includes('@') ? value === base : hostWithin(value.slice(value.lastIndexOf('@') + 1), base)
    case 'uri':
      return hostWithin(uriHost(value), base)
    default:
      return false
  }
}

/** For email and URI a leading dot means "below", its absence "exactly". */
function hostWithin(host: string, base: string): boolean {
  return base.startsWith('.') ? host.endsWith(base) : host === base
}

function uriHost(uri: string): string {
  const host = URL.canParse(uri) ? new URL(uri).hostname : ''
  return ipVersion(host) ? '' : host
}

/** The constraint is an address followed by a mask of the same length. */
function ipWithin(address: Buffer, constraint: Buffer): boolean {
  const size = address.length
  if (constraint.length !== size * 2) return false
  return address.every((byte, i) => ((byte ^ constraint[i]!) & constraint[size + i]!) === 0)
}
