// The trust plan of a pool: how its agents verify the master, under which name, and why.

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
  checkBelowRoot,
  findWellKnownRoot,
  isLoneSelfSigned,
  loadTrustAnchors,
  type MasterAddress,
  namedBy,
  nearIssuerProblem,
  pathFacts,
  type RootSource,
  type TlsCredentials,
  type TrustAnchors,
  type TrustMode,
  type TrustPlan,
} from '../pki/index.ts'
import { isError, type Problem, problem, type Where } from '../problems/index.ts'
import { chooseName, isPlausible, type NameChoice, type NameQuestion } from './certificate-name.ts'

/** `plan` is set only when no problem is an error. */
export function planTrust(input: TrustInput): { plan?: TrustPlan; problems: Problem[] } {
  const conflict = findConflict(input)
  if (conflict) return { problems: [conflict] }
  const choice = chooseMode(input)
  if ('code' in choice) return { problems: [choice, ...nameProblems(input)] }
  const name = nameFor(input, choice)
  const problems = [...(choice.problems ?? []), ...name.problems, ...belowPublicRoot(input, choice)]
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

/** Agents of `system` have no certificate of the file, so that Go judges the whole chain. */
function belowPublicRoot({ material }: TrustInput, { mode, wellKnownRoot }: ModeChoice): Problem[] {
  if (mode !== 'system' || !material || !wellKnownRoot) return []
  return checkBelowRoot([material.path, ...material.openPaths], wellKnownRoot)
}

/** A chain without its root must not hide a wrong name. */
function nameProblems(input: TrustInput): Problem[] {
  const leaf = input.material?.leaf
  return leaf ? nameFor(input, { mode: 'embed', reason: '', leaf }).problems.filter(isError) : []
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
  if (mode === 'off') return { reason: 'agents dial without TLS', problems: [] }
  if (mode === 'skip_verify')
    return {
      // Tasks still verify this name, with their own CAs.
      ...(input.certificateName && { certificateName: canonicalName(input.certificateName) }),
      reason: 'agents verify nothing',
      problems: [],
    }
  const question: NameQuestion = {
    host: input.address.host,
    alias: input.address.alias,
    otherHosts: input.others?.map(({ host }) => host),
    explicit: input.certificateName,
    allowIpOnly: input.options.allow_ip_only,
    where: (input.certificateName && input.nameWhere) || input.where,
  }
  return chooseName(leaf && (!unsure || isPlausible(question, leaf)) ? { ...question, leaf } : question)
}

// The trust mode of a pool: which CAs agents get, and why.

export interface TrustInput {
  address: MasterAddress
  /** Of several addresses the others; all have one scheme, and are verified by the same CAs. */
  others?: readonly MasterAddress[]
  options: TlsOptions
  /** `master_cert_name`; empty when not set. */
  certificateName: string
  /** The loaded security.tls.cert. Omit it only when it is not configured, not when it could not be loaded. */
  material?: TlsCredentials
  /** The loaded tls.ca_file. */
  caMaterial?: TrustAnchors
  /** Milliseconds since the epoch. */
  now: number
  /** Location of the settings in the configuration, and of `master_cert_name`. */
  where?: Where
  nameWhere?: Where
  roots?: RootSource
}

export interface ModeChoice {
  mode: TrustMode
  reason: string
  chain?: CertificateFacts[]
  /** For `system`: the well-known root above the chain. */
  wellKnownRoot?: Certificate
  /** The certificate agents will receive, if it is known. */
  leaf?: Certificate
  /** Agents may receive another certificate than the leaf: no problem if it does not cover the configured name. */
  unsure?: boolean
  problems?: Problem[]
}

/** The mode, or the problem that prevents one. Does not check for conflicts between settings. */
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
        reason: 'set by tls.trust',
        problems: [
          problem('TLS_SKIP_VERIFY', `agents do not verify the master at ${address.host}`, { where }),
        ],
      }
    case 'system':
      return chooseSystem(input)
    default:
      return chooseEmbed(input)
  }
}

function chooseSystem({ material, now, roots, where }: TrustInput): ModeChoice {
  if (!material) return { mode: 'system', reason: 'set by tls.trust' }
  const { leaf } = material
  const root = wellKnownRootOf(material, now, roots)
  if (root)
    return { mode: 'system', reason: `set by tls.trust; ${issuedUnder(root)}`, leaf, wellKnownRoot: root }
  const message = `tls.trust is system, but the issuer of ${leaf.subject} is not a well-known CA`
  return {
    mode: 'system',
    reason: 'set by tls.trust',
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
      reason: `${caMaterial.file} (tls.ca_file) contains the CAs for agents`,
      chain: caMaterial.certificates,
      leaf: caMaterial.leaf,
    }
  if (!material) {
    if (options.trust === 'embed')
      return problem('TLS_NOTHING_TO_EMBED', 'tls.trust is embed, but there is no certificate to embed', {
        where,
      })
    return {
      mode: 'system',
      reason: 'agents dial https and no certificate is configured: a proxy terminates TLS',
    }
  }
  if (!material.path.complete) return chooseIncomplete(input, material)
  const lone = isLoneSelfSigned(material)
  const root = material.path.certificates.at(-1)!
  const isPublic = findWellKnownRoot([root], now, roots) !== undefined
  if (isPublic && options.trust === 'auto')
    return {
      mode: 'system',
      reason: `${material.file} contains the chain up to ${root.subject}, ${inNodesList}`,
      leaf: material.leaf,
      wellKnownRoot: wellKnownRootOf(material, now, roots),
      problems: [publicRootWarning(material, root, 'agents trust the CAs of their instance and that root')],
    }
  return {
    mode: 'embed',
    reason: lone
      ? `${material.file} contains a self-signed certificate, which is its own root`
      : `${material.file} contains the chain up to its root ${root.subject}`,
    chain: pathFacts(material.path),
    leaf: material.leaf,
    problems: [
      ...(lone ? [renewalWarning(material)] : []),
      ...(isPublic
        ? [publicRootWarning(material, root, 'agents trust only that root (tls.trust: embed)')]
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
  if (material.nearIssuer) return nearIssuerProblem(top, material.nearIssuer)
  const namesake = material.extras.some((extra) => extra.subjectKey === top.issuerKey)
  const why = namesake
    ? `the certificate of that name in ${material.file} has another key`
    : `its certificate is not in ${material.file}`
  return problem('TLS_ISSUER_MISSING', `${top.subject} was issued by ${top.issuer}, but ${why}`, {
    where: { file: material.file, line: top.line },
    details: { missing: top.issuer, wellKnown: root !== undefined },
    ...(root && {
      remedy:
        'Use `trust: auto`: agents then trust that well-known root and the CAs of their instance. To make them trust only that root, append it to the file.',
    }),
  })
}

/** The well-known root nearest to the leaf: every cross-signed path passes through a certificate that it issued. */
function wellKnownRootOf(
  { path, openPaths }: TlsCredentials,
  now: number,
  roots?: RootSource,
): Certificate | undefined {
  const ends = openPaths.map(({ certificates }) => certificates.at(-1)!)
  return findWellKnownRoot([...path.certificates, ...ends], now, roots)
}

const inNodesList = "a CA in Node's list of well-known CAs"

function issuedUnder({ subject }: Certificate): string {
  return `the certificate is issued under ${subject}, ${inNodesList}`
}

function publicRootWarning({ file }: TlsCredentials, root: Certificate, effect: string): Problem {
  return problem(
    'TLS_PUBLIC_ROOT_IN_FILE',
    `${file} contains ${root.subject}, the root of a public CA; ${effect}`,
    {
      where: { file, line: root.line },
      details: { subject: root.subject, sha256: root.sha256 },
    },
  )
}

function renewalWarning({ leaf, file }: TlsCredentials): Problem {
  return problem(
    'TLS_SELF_SIGNED_RENEWAL',
    `agents will trust only ${leaf.subject}, and not the certificate that renews it`,
    {
      where: { file, line: leaf.line },
    },
  )
}

// How the agents of one pool verify the master they dial.

export interface ProvidedPool extends PoolConfig {
  provider: ProviderConfig
}

export interface PoolTrustInput {
  config: MasterConfig
  pool: ProvidedPool
  /** Contents of `security.tls.cert`; undefined when it is not configured, or could not be read. */
  material?: TlsCredentials
  /** These problems of `security.tls.cert` are errors: more of them are reported, but there is no plan. */
  certificateFaults?: readonly Problem[]
  /** Milliseconds since the epoch. */
  now: number
  /** Agents dial this instead of an alias or a missing host. */
  masterHost?: string
  /** Every kind of provider. */
  providers: readonly ProviderBlock[]
  /** Well-known roots; default: those Node ships with. */
  roots?: RootSource
}

export interface PoolTrust {
  master: MasterAddress
  /** Of several addresses of masters the others. */
  otherMasters: readonly MasterAddress[]
  /** undefined when a problem is an error, or the certificate is not usable. */
  trust?: TrustPlan
  problems: Problem[]
}

export function poolTrust(input: PoolTrustInput): PoolTrust {
  const { config, pool, material, certificateFaults: faults = [], now, ...rest } = input
  const { provider } = pool
  const { address, others: otherMasters, problems } = masterAddressOf(config, pool, rest)
  const file = provider.tls.ca_file
  const ca = file ? loadTrustAnchors(file, { now, where: placeOf(config, pool, 'tls.ca_file') }) : undefined
  const found = [...problems, ...(ca?.problems ?? [])]
  const isUnread = faults.length > 0 && !material
  if (found.some(isError) || isUnread) return { master: address, otherMasters, problems: found }
  const planned = planTrust({
    address,
    others: otherMasters,
    options: provider.tls,
    certificateName: provider.master_cert_name,
    material,
    caMaterial: ca?.anchors,
    now,
    roots: rest.roots,
    where: placeOf(config, pool, 'tls'),
    nameWhere: placeOf(config, pool, 'master_cert_name'),
  })
  const { plan } = planned
  const setting = config.locate('security.tls.cert')
  const doubts = planned.problems.map((found) => namedBy(found, material?.file, setting))
  if (faults.length === 0)
    return { master: address, otherMasters, trust: plan, problems: [...found, ...doubts] }
  const isNew = ({ code }: Problem) => !faults.some((fault) => says(fault, code))
  return {
    master: address,
    otherMasters,
    problems: [...found, ...doubts.filter((doubt) => isError(doubt) && isNew(doubt))],
  }
}

/** A certificate without names is not also blamed for the name that agents verify. */
function says({ code }: Problem, doubt: Problem['code']): boolean {
  return code === doubt || (code === 'TLS_NO_SAN' && nameCodes.includes(doubt))
}

const nameCodes: readonly Problem['code'][] = ['TLS_NAME_MISMATCH', 'TLS_NO_USABLE_NAME']

export function placeOf(config: MasterConfig, pool: PoolConfig, key: string): Where {
  const index = config.resource_pools.findIndex(({ pool_name }) => pool_name === pool.pool_name)
  return config.locate(`resource_pools.${index}.provider.${key}`)
}
