// Certificate policies as Go checks them since 1.24 (crypto/x509, policiesValid; RFC 5280 section 6.1 with RFC 9618). It asks
// for no policy itself, so a chain fails only if one of its CAs demands one (requireExplicitPolicy) and none is left.
import type { Certificate } from './certificate.ts'
import { derTag, extensionOid } from './der.ts'
import { GoReader } from './go-reader.ts'

/** 2.5.29.32.0; policies are compared by the content of their identifiers, in hex. */
const anyPolicy = '551d2000'

interface Policies {
  policies: string[]
  mappings: { issuer: string; subject: string }[]
  requireExplicit?: number
  inhibitMapping?: number
  inhibitAny?: number
}

interface State {
  /** Valid policies, each with those that the next certificate may name for it. Undefined: none is left. */
  valid: Map<string, string[]> | undefined
  explicit: number
  mapping: number
  any: number
}

/** The server certificate first, the root last. Continues `the root CN=example …`. */
export function policyFault(chain: readonly Certificate[]): string | undefined {
  const below = chain.slice(0, -1)
  if (below.length === 0) return undefined
  const start = below.length + 1
  const state: State = {
    valid: new Map([[anyPolicy, [anyPolicy]]]),
    explicit: start,
    mapping: start,
    any: start,
  }
  for (const [index, certificate] of [...below.entries()].reverse()) {
    const found = policiesOf(certificate)
    const isSelfIssued = certificate.fields.issuerDer.equals(certificate.fields.subjectDer)
    if (found.policies.length === 0) state.valid = undefined
    if (state.explicit === 0 && !state.valid) return missing
    if (state.valid) {
      const mayBeAny = state.any > 0 || (index > 0 && isSelfIssued)
      state.valid = narrowed(state.valid, found.policies, mayBeAny)
      if (index > 0) {
        const mapped = applyMappings(state.valid, found.mappings, state.mapping > 0)
        if (!mapped) return 'is above a CA that maps certificate policies to or from anyPolicy'
        state.valid = mapped
      }
      if (state.valid.size === 0) state.valid = undefined
    }
    if (index > 0) countDown(state, found, isSelfIssued)
    else if (found.requireExplicit === 0 || state.explicit === 1) state.explicit = 0
  }
  return state.explicit === 0 && !state.valid ? missing : undefined
}

const missing =
  'is above a CA that requires a certificate policy which the certificates below it do not share'

function countDown(state: State, found: Policies, isSelfIssued: boolean): void {
  const step = isSelfIssued ? 0 : 1
  state.explicit = Math.min(
    Math.max(state.explicit - step, 0),
    found.requireExplicit ?? Number.POSITIVE_INFINITY,
  )
  state.mapping = Math.min(
    Math.max(state.mapping - step, 0),
    found.inhibitMapping ?? Number.POSITIVE_INFINITY,
  )
  state.any = Math.min(Math.max(state.any - step, 0), found.inhibitAny ?? Number.POSITIVE_INFINITY)
}

/** RFC 9618 section 5.4, steps (d) (1) to (3). */
function narrowed(
  valid: Map<string, string[]>,
  policies: string[],
  mayBeAny: boolean,
): Map<string, string[]> {
  const expected = new Set([...valid.values()].flat())
  const next = new Map<string, string[]>()
  for (const policy of policies)
    if (policy !== anyPolicy && (expected.has(policy) || valid.has(anyPolicy))) next.set(policy, [policy])
  if (policies.includes(anyPolicy) && mayBeAny)
    for (const policy of expected) if (!next.has(policy)) next.set(policy, [policy])
  return next
}

/** Step (b) of section 6.1.4. Undefined: a mapping names anyPolicy, which is not allowed. */
function applyMappings(
  valid: Map<string, string[]>,
  mappings: Policies['mappings'],
  mayMap: boolean,
): Map<string, string[]> | undefined {
  const next = new Map(valid)
  const subjects = Map.groupBy(mappings, ({ issuer }) => issuer)
  for (const [issuer, list] of subjects) {
    if (!mayMap) {
      next.delete(issuer)
      continue
    }
    if ([issuer, ...list.map(({ subject }) => subject)].includes(anyPolicy)) return undefined
    if (next.has(issuer) || next.has(anyPolicy))
      next.set(
        issuer,
        list.map(({ subject }) => subject),
      )
  }
  return next
}

/** Reads as Go does, which has read the certificate before: nothing throws. */
function policiesOf({ asGo }: Certificate): Policies {
  const value = (oid: string) => {
    const found = asGo.extensions.find((extension) => extension.oid === oid)
    return found && new GoReader(found.value)
  }
  const list = <T>(oid: string, read: (item: GoReader) => T): T[] => {
    const items = value(oid)?.inside()
    const found: T[] = []
    while (items && !items.isEmpty) found.push(read(items.inside()))
    return found
  }
  const nextOid = (item: GoReader) => item.of(derTag.oid).content.toString('hex')
  const constraints = value(extensionOid.policyConstraints)?.inside()
  const constraint = (tag: number) => (constraints?.isNext(tag) ? constraints.integer64(tag) : undefined)
  return {
    policies: list(extensionOid.certificatePolicies, nextOid),
    mappings: list(extensionOid.policyMappings, (item) => ({
      issuer: nextOid(item),
      subject: nextOid(item),
    })),
    ...unlessNegative('requireExplicit', constraint(0x80)),
    ...unlessNegative('inhibitMapping', constraint(0x81)),
    ...unlessNegative('inhibitAny', value(extensionOid.inhibitAnyPolicy)?.integer64()),
  }
}

/** A negative number counts as none, as in Go. */
function unlessNegative(
  name: 'requireExplicit' | 'inhibitMapping' | 'inhibitAny',
  value: bigint | undefined,
) {
  return value === undefined || value < 0n ? {} : { [name]: Number(value) }
}
