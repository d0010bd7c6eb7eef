// One row of the table of certificate shapes: a user's files, our verdict, and that of real clients.

import type { TlsOptions } from '../../../src/config/provider-keys.ts'
import type { MasterAddress, TrustMode } from '../../../src/pki/trust-plan.ts'
import type { ProblemCode } from '../../../src/problems/codes.ts'
import type { Issued } from '../x509.ts'
import { type AuthoritySpec, authority, type ServerSpec, server } from '../x509-profiles.ts'

/** A client's verdict. `ca`: a certificate above the leaf may not sign; `strict`: a rule of RFC 5280 that only Python ≥ 3.13 checks. */
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

/** A list if it depends on the client's version. */
export type Expected = Partial<Record<Client, Verdict | Verdict[]>>

export interface Made {
  /** Contents of security.tls.cert. */
  cert: string
  /** Contents of security.tls.key; undefined: no key. */
  key?: string
  /** What the server presents: like a Go master, the leaf and then the rest of the file. Undefined: no server can. */
  served?: { cert: string; key: string }
  /** What clients get if our verdict gives no plan: the certificates of the file. */
  anchors: string
}

export interface Shape {
  name: string
  make: () => Made
  /** Every code of our verdict, in any order; without an error among them the shape is accepted. */
  codes: ProblemCode[]
  /** The configuration beside the files; by default agents dial 10.0.0.5 with https. */
  ask?: {
    address?: Partial<MasterAddress>
    options?: Partial<TlsOptions>
    certificateName?: string
    roots?: () => string[]
  }
  /** The expected plan, if there is one. */
  plan?: { mode?: TrustMode; certificateName?: string | null; chain?: number }
  /** The name that clients verify without a plan. */
  dialName?: string
  /** Default `ok`. */
  clients?: Expected
  /** Why no Node client dials it. */
  notForNode?: string
}

/** All clients have the same verdict. */
export function everyone(verdict: Verdict): Expected {
  return { ...opensslSays(verdict), go: verdict, goNew: verdict }
}

/** All clients with OpenSSL have this verdict; Go accepts. */
export function opensslSays(verdict: Verdict): Expected {
  return { node: verdict, openssl: verdict, python: verdict, pythonStrict: verdict, pythonFull: verdict }
}

export function goSays(verdict: Verdict | Verdict[]): Expected {
  return { go: verdict, goNew: verdict }
}

/** The fault is above the first anchor: a Python that stops there does not detect it. */
export function rootSays(verdict: Verdict): Expected {
  return { ...opensslSays(verdict), pythonStrict: 'ok' }
}

/** The expected verdicts of a client. */
export function expectedOf(shape: Shape, client: Client): Verdict[] {
  const expected = shape.clients?.[client] ?? 'ok'
  return Array.isArray(expected) ? expected : [expected]
}

/** The file contains these certificates in this order; the first is the server's unless `leaf` is another. */
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

/** Anchors with the leaf but no path to a root: Go and a partial-chain Python accept, the others do not. */
export const rootless = rootSays('untrusted')

/** Leaf, intermediate and root, correct except for the given changes. */
export function threeOf(
  spec: { server?: ServerSpec; intermediate?: AuthoritySpec; root?: AuthoritySpec } = {},
): [leaf: Issued, intermediate: Issued, root: Issued] {
  const root = authority('Test Root', spec.root)
  const intermediate = authority('Test Intermediate', { issuer: root, ...spec.intermediate })
  return [server(intermediate, spec.server), intermediate, root]
}
