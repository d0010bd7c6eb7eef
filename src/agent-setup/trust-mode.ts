// The trust mode of a pool: what agents are given to trust, and why.

import type { TlsOptions } from '../config/provider-config.ts'
import type { Certificate } from '../pki/certificate.ts'
import { isLoneSelfSigned, pathFacts, type TlsMaterial } from '../pki/credentials.ts'
import type { MasterAddress } from '../pki/master-address.ts'
import type { TrustAnchors } from '../pki/trust-anchors.ts'
import type { CertificateFacts, TrustMode } from '../pki/trust-plan.ts'
import { findWellKnownRoot, type RootSource } from '../pki/well-known.ts'
import { type Problem, problem, type Where } from '../problems/problem.ts'

export interface TrustInput {
  address: MasterAddress
  options: TlsOptions
  /** `master_cert_name`; empty when not set. */
  certificateName: string
  /** security.tls.cert, loaded. Leave it out only when it is not configured, not when it failed to load. */
  material?: TlsMaterial
  /** tls.ca_file, loaded. */
  caMaterial?: TrustAnchors
  /** Milliseconds since the epoch. */
  now: number
  /** Place of the settings in the configuration. */
  where?: Where
  roots?: RootSource
}

export interface ModeChoice {
  mode: TrustMode
  reason: string
  chain?: CertificateFacts[]
  /** The certificate agents will see, when it is known. */
  leaf?: Certificate
  /** The leaf may not be what agents see: a wish it does not fit is not held against it. */
  unsure?: boolean
  problems?: Problem[]
}

/** The mode, or the problem that leaves none. Conflicts between settings are not looked for here. */
export function chooseMode(input: TrustInput): ModeChoice | Problem {
  const { address, options, where } = input
  if (address.scheme === 'http')
    return {
      mode: 'off',
      reason: 'agents dial plain http',
      problems: [problem('TLS_PLAIN_HTTP', `agents dial ${address.host} in plain text`, { where })],
    }
  switch (options.trust) {
    case 'skip_verify':
      return {
        mode: 'skip_verify',
        reason: 'tls.trust says so',
        problems: [
          problem('TLS_SKIP_VERIFY', `agents do not verify who answers at ${address.host}`, { where }),
        ],
      }
    case 'system':
      return chooseSystem(input)
    default:
      return chooseEmbed(input)
  }
}

function chooseSystem({ material, now, roots, where }: TrustInput): ModeChoice {
  if (!material) return { mode: 'system', reason: 'tls.trust says so' }
  const root = findWellKnownRoot(material.path.certificates.toReversed(), now, roots)
  if (root)
    return { mode: 'system', reason: `tls.trust says so; ${wellKnown(root.subject)}`, leaf: material.leaf }
  const { leaf } = material
  const message = `tls.trust is system, but the issuer of ${leaf.subject} is not a well-known CA`
  return {
    mode: 'system',
    reason: 'tls.trust says so',
    leaf,
    unsure: true,
    problems: [problem('TLS_SYSTEM_UNKNOWN_CA', message, { where })],
  }
}

function chooseEmbed(input: TrustInput): ModeChoice | Problem {
  const { options, material, caMaterial, where } = input
  if (caMaterial)
    return {
      mode: 'embed',
      reason: `${caMaterial.file} (tls.ca_file) holds what agents shall trust`,
      chain: caMaterial.certificates,
      leaf: caMaterial.leaf,
    }
  if (!material) {
    if (options.trust === 'embed')
      return problem('TLS_NOTHING_TO_EMBED', 'tls.trust is embed, but there is no certificate to embed', {
        where,
      })
    return { mode: 'system', reason: 'agents dial https and no certificate is configured: a proxy ends TLS' }
  }
  if (!material.path.complete) return chooseIncomplete(input, material)
  const lone = isLoneSelfSigned(material)
  const root = material.path.certificates.at(-1)!
  return {
    mode: 'embed',
    reason: lone
      ? `${material.file} holds a self-signed certificate, which is its own root`
      : `${material.file} holds the chain up to its root ${root.subject}`,
    chain: pathFacts(material.path),
    leaf: material.leaf,
    problems: lone ? [renewalWarning(material)] : [],
  }
}

function chooseIncomplete({ options, now, roots }: TrustInput, material: TlsMaterial): ModeChoice | Problem {
  const root = findWellKnownRoot(material.openEnds, now, roots)
  if (root && options.trust === 'auto')
    return { mode: 'system', reason: `nothing to embed: ${wellKnown(root.subject)}`, leaf: material.leaf }
  const top = material.path.certificates.at(-1)!
  const namesake = material.extras.some((extra) => extra.subjectKey === top.issuerKey)
  const why = namesake
    ? `the certificate of that name in ${material.file} has another key`
    : `its certificate is not in ${material.file}`
  return problem('TLS_ISSUER_MISSING', `${top.subject} was issued by ${top.issuer}, but ${why}`, {
    where: { file: material.file, line: top.line },
    details: { missing: top.issuer, wellKnown: root !== undefined },
    ...(root && {
      remedy:
        'Append that root (a well-known one) to the file, or use `trust: auto`, which embeds nothing then.',
    }),
  })
}

function wellKnown(subject: string): string {
  return `the certificate is issued under ${subject.replaceAll('\n', ', ')}, a CA in Node's list of well-known ones`
}

function renewalWarning({ leaf, file }: TlsMaterial): Problem {
  return problem(
    'TLS_SELF_SIGNED_RENEWAL',
    `agents will trust exactly ${leaf.subject}; its renewal is another certificate to them`,
    {
      where: { file, line: leaf.line },
    },
  )
}
