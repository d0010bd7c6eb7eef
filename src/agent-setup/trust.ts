// The trust plan of a pool: how its agents will trust the master, under which name, and why.

import {
  type MasterConfig,
  masterAddressOf,
  type PoolConfig,
  type ProviderBlock,
  type ProviderConfig,
  type TlsOptions,
} from '../config/index.ts'
import {
  type Certificate,
  type CertificateFacts,
  canonicalName,
  certificateFacts,
  findWellKnownRoot,
  isLoneSelfSigned,
  loadTrustAnchors,
  type MasterAddress,
  pathFacts,
  type RootSource,
  type TlsCredentials,
  type TrustAnchors,
  type TrustMode,
  type TrustPlan,
} from '../pki/index.ts'
import { isError, type Problem, problem, type Where } from '../problems/index.ts'
import { chooseName, isPlausible, type NameChoice, type NameQuestion } from './certificate-name.ts'

/** There is a plan only when no problem is an error. */
export function planTrust(input: TrustInput): { plan?: TrustPlan; problems: Problem[] } {
  const conflict = findConflict(input)
  if (conflict) return { problems: [conflict] }
  const choice = chooseMode(input)
  if ('code' in choice) return { problems: [choice] }
  const name = nameFor(input, choice)
  const problems = [...(choice.problems ?? []), ...name.problems]
  if (problems.some(isError)) return { problems }
  const { mode, reason, chain = [], wellKnownRoot } = choice
  return {
    plan: {
      mode,
      modeReason: reason,
      ...(name.certificateName && { certificateName: name.certificateName }),
      certificateNameReason: name.reason,
      chain,
      ...(wellKnownRoot && { wellKnownRoot: certificateFacts(wellKnownRoot, 'root') }),
    },
    problems,
  }
}

function findConflict({ address, options, material, where }: TrustInput): Problem | undefined {
  const { trust } = options
  const conflict = (message: string) => problem('TLS_TRUST_CONFLICT', message, { where })
  if (address.scheme === 'http') {
    if (material && trust !== 'off')
      return problem('TLS_CERT_WITHOUT_HTTPS', `agents dial plain http, but ${material.file} is configured`, {
        where,
      })
    if (trust !== 'off' && trust !== 'auto')
      return conflict(`tls.trust is ${trust}, but agents dial plain http`)
    if (options.ca_file) return conflict('tls.ca_file is set, but agents dial plain http')
    return undefined
  }
  if (trust === 'off') return conflict('tls.trust is off, but agents dial https')
  if (options.ca_file && (trust === 'system' || trust === 'skip_verify'))
    return conflict(`tls.ca_file is set, but tls.trust is ${trust}`)
  return undefined
}

function nameFor(input: TrustInput, { mode, leaf, unsure }: ModeChoice): NameChoice {
  if (mode === 'off') return { reason: 'without TLS there is nothing to verify', problems: [] }
  if (mode === 'skip_verify')
    return {
      // Tasks do not skip: they verify this name with their own CAs.
      ...(input.certificateName && { certificateName: canonicalName(input.certificateName) }),
      reason: 'agents verify nothing',
      problems: [],
    }
  const question: NameQuestion = {
    host: input.address.host,
    alias: input.address.alias,
    explicit: input.certificateName,
    allowIpOnly: input.options.allow_ip_only,
    where: input.where,
  }
  return chooseName(leaf && (!unsure || isPlausible(question, leaf)) ? { ...question, leaf } : question)
}

// The trust mode of a pool: what agents are given to trust, and why.

export interface TrustInput {
  address: MasterAddress
  options: TlsOptions
  /** `master_cert_name`; empty when not set. */
  certificateName: string
  /** security.tls.cert, loaded. Leave it out only when it is not configured, not when it failed to load. */
  material?: TlsCredentials
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
  /** For `system`: what the chain ends under. */
  wellKnownRoot?: Certificate
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
  const { leaf } = material
  const root = wellKnownRootOf(material, now, roots)
  if (root)
    return { mode: 'system', reason: `tls.trust says so; ${issuedUnder(root)}`, leaf, wellKnownRoot: root }
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
  const { options, material, caMaterial, now, roots, where } = input
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
  const isPublic = findWellKnownRoot([root], now, roots) !== undefined
  if (isPublic && options.trust === 'auto')
    return {
      mode: 'system',
      reason: `${material.file} holds the chain up to ${root.subject}, ${inNodesList}`,
      leaf: material.leaf,
      wellKnownRoot: wellKnownRootOf(material, now, roots),
      problems: [publicRootWarning(material, root, 'agents trust the CAs of their machine and that root')],
    }
  return {
    mode: 'embed',
    reason: lone
      ? `${material.file} holds a self-signed certificate, which is its own root`
      : `${material.file} holds the chain up to its root ${root.subject}`,
    chain: pathFacts(material.path),
    leaf: material.leaf,
    problems: [
      ...(lone ? [renewalWarning(material)] : []),
      ...(isPublic
        ? [publicRootWarning(material, root, 'agents trust that root alone (tls.trust: embed)')]
        : []),
    ],
  }
}

function chooseIncomplete(
  { options, now, roots }: TrustInput,
  material: TlsCredentials,
): ModeChoice | Problem {
  const root = wellKnownRootOf(material, now, roots)
  if (root && options.trust === 'auto')
    return { mode: 'system', reason: issuedUnder(root), leaf: material.leaf, wellKnownRoot: root }
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
        'Use `trust: auto`: agents then trust that root, a well-known one, beside the CAs of their machine. To have them trust it alone, append it to the file.',
    }),
  })
}

/** Nearest to the leaf: whichever cross-signed way a verifier takes from there, it passes what this root has issued. */
function wellKnownRootOf(
  { path, openEnds }: TlsCredentials,
  now: number,
  roots?: RootSource,
): Certificate | undefined {
  return findWellKnownRoot([...path.certificates, ...openEnds], now, roots)
}

const inNodesList = "a CA in Node's list of well-known ones"

function issuedUnder({ subject }: Certificate): string {
  return `the certificate is issued under ${subject}, ${inNodesList}`
}

function publicRootWarning({ file }: TlsCredentials, root: Certificate, effect: string): Problem {
  return problem(
    'TLS_PUBLIC_ROOT_IN_FILE',
    `${file} holds ${root.subject}, the root of a public CA; ${effect}`,
    {
      where: { file, line: root.line },
      details: { subject: root.subject, sha256: root.sha256 },
    },
  )
}

function renewalWarning({ leaf, file }: TlsCredentials): Problem {
  return problem(
    'TLS_SELF_SIGNED_RENEWAL',
    `agents will trust exactly ${leaf.subject}; its renewal is another certificate to them`,
    {
      where: { file, line: leaf.line },
    },
  )
}

// How the agents of one pool will trust the master they dial.

export interface ProvidedPool extends PoolConfig {
  provider: ProviderConfig
}

export interface PoolTrustInput {
  config: MasterConfig
  pool: ProvidedPool
  /** What `security.tls.cert` holds; undefined when it is not configured. */
  material?: TlsCredentials
  /** Milliseconds since the epoch. */
  now: number
  /** Dialled by agents instead of an alias or a missing host. */
  masterHost?: string
  /** Every kind of provider there is. */
  providers: readonly ProviderBlock[]
  /** Well-known roots; those Node ships with by default. */
  roots?: RootSource
}

export interface PoolTrust {
  master: MasterAddress
  /** undefined when a problem is an error. */
  trust?: TrustPlan
  problems: Problem[]
}

export function poolTrust({ config, pool, material, now, ...rest }: PoolTrustInput): PoolTrust {
  const { provider } = pool
  const { address, problems } = masterAddressOf(config, pool, rest)
  const file = provider.tls.ca_file
  const ca = file ? loadTrustAnchors(file, { now, where: placeOf(config, pool, 'tls.ca_file') }) : undefined
  const found = [...problems, ...(ca?.problems ?? [])]
  if (found.some(isError)) return { master: address, problems: found }
  const { plan, problems: doubts } = planTrust({
    address,
    options: provider.tls,
    certificateName: provider.master_cert_name,
    material,
    caMaterial: ca?.anchors,
    now,
    roots: rest.roots,
    where: placeOf(config, pool, 'tls'),
  })
  return { master: address, trust: plan, problems: [...found, ...doubts] }
}

export function placeOf(config: MasterConfig, pool: PoolConfig, key: string): Where {
  const index = config.resource_pools.findIndex(({ pool_name }) => pool_name === pool.pool_name)
  return { file: config.file, path: `resource_pools.${index}.provider.${key}` }
}
