// One row of the table of certificate shapes: what a user may hand us, what we say, and what real clients do with it.

import type { TlsOptions } from '../../../src/config/provider-keys.ts'
import type { MasterAddress, TrustMode } from '../../../src/pki/trust-plan.ts'
import type { ProblemCode } from '../../../src/problems/codes.ts'
import type { Issued } from '../x509.ts'
import { type AuthoritySpec, authority, type ServerSpec, server } from '../x509-profiles.ts'

/** What a client said. `ca`: a certificate above the leaf may not sign; `strict`: a rule of RFC 5280 only Python ≥ 3.13 has. */
export type Verdict =
  | 'ok'
  | 'untrusted'
  | 'expired'
  | 'not_yet_valid'
  | 'name'
  | 'purpose'
  | 'ca'
  | 'weak'
  | 'handshake'
  | 'unreadable'
  | 'critical'
  | 'constraint'
  | 'strict'

/**
 * `python`: the default context up to 3.12. `pythonStrict`: the one from 3.13 on, which is content with the first anchor
 * it meets, so that it does not look at the root while the intermediate is embedded; `pythonFull`: as strict, but up to
 * the root, as it will be once the intermediate is renewed. `go`: the settings of Go 1.22, which Determined's agent is
 * built with; `goNew`: those of today's Go. `node` and `openssl`: at security level 2.
 */
export const clients = ['node', 'openssl', 'python', 'pythonStrict', 'pythonFull', 'go', 'goNew'] as const
export type Client = (typeof clients)[number]

/** A list where it depends on the client's version. */
export type Expected = Partial<Record<Client, Verdict | Verdict[]>>

export interface Made {
  /** Text of security.tls.cert. */
  cert: string
  /** Text of security.tls.key; undefined: we are not given one. */
  key?: string
  /** What the server presents: as a Go master would, the leaf and then the rest of the file. Undefined: no server can. */
  served?: { cert: string; key: string }
  /** What clients are given when our verdict leaves no plan: the file's certificates. */
  anchors: string
}

export interface Shape {
  name: string
  make: () => Made
  /** Every code we give, in any order; without an error among them the shape is accepted. */
  codes: ProblemCode[]
  /** What is configured beside the files; agents dial 10.0.0.5 by https unless said otherwise. */
  ask?: {
    address?: Partial<MasterAddress>
    options?: Partial<TlsOptions>
    certificateName?: string
    roots?: () => string[]
  }
  /** What the plan says when there is one. */
  plan?: { mode?: TrustMode; certificateName?: string | null; chain?: number }
  /** The name clients verify when there is no plan. */
  dialName?: string
  /** `ok` where nothing is said. */
  clients?: Expected
  /** Why no Node client dials it. */
  notForNode?: string
}

/** Every client says the same. */
export function everyone(verdict: Verdict): Expected {
  return { ...opensslSays(verdict), go: verdict, goNew: verdict }
}

/** All that verify with OpenSSL say this; Go is content. */
export function opensslSays(verdict: Verdict): Expected {
  return { node: verdict, openssl: verdict, python: verdict, pythonStrict: verdict, pythonFull: verdict }
}

export function goSays(verdict: Verdict | Verdict[]): Expected {
  return { go: verdict, goNew: verdict }
}

/** What is wrong is above the first anchor: a Python that stops there does not see it. */
export function rootSays(verdict: Verdict): Expected {
  return { ...opensslSays(verdict), pythonStrict: 'ok' }
}

/** What a shape says of a client. */
export function expectedOf(shape: Shape, client: Client): Verdict[] {
  const expected = shape.clients?.[client] ?? 'ok'
  return Array.isArray(expected) ? expected : [expected]
}

/** The file holds these certificates in this order; the first is the server's unless `leaf` says otherwise. */
export function made(file: Issued[], { leaf = file[0]!, cert = joined(file) } = {}): Made {
  return {
    cert,
    key: leaf.key.pem,
    served: { cert: joined([leaf, ...file.filter((other) => other !== leaf)]), key: leaf.key.pem },
    anchors: joined([...new Set(file)]),
  }
}

export function joined(certificates: Issued[]): string {
  return certificates.map((certificate) => certificate.pem).join('')
}

/** Anchors that hold the leaf but no path to a root: Go and a partial-chain Python are content, the others not. */
export const rootless = rootSays('untrusted')

/** Leaf, intermediate and root, each by the book but for what is said. */
export function threeOf(
  spec: { server?: ServerSpec; intermediate?: AuthoritySpec; root?: AuthoritySpec } = {},
): [leaf: Issued, intermediate: Issued, root: Issued] {
  const root = authority('Test Root', spec.root)
  const intermediate = authority('Test Intermediate', { issuer: root, ...spec.intermediate })
  return [server(intermediate, spec.server), intermediate, root]
}
