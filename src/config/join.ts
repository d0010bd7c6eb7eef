// Who may join: `join` of a provider, and `agents_ca`, the CA that issues certificates to instances.
import { resolve } from 'node:path'
import * as z from 'zod/mini'
import { nearest } from '../platform/index.ts'
import { choice, key, keyOr, kinds, name, needed, period, shaped } from './fields.ts'
import { type Block, given, inner, note, type Partially } from './read-block.ts'
import { orList } from './value-problem.ts'

const proofModes = choice('required', 'off')

const joinKeys = {
  proof: keyOr(
    proofModes,
    'off',
    'Whether an instance must prove what it is to get the client certificate with which its agent joins.',
  ),
  url: key(
    shaped(
      /^https:\/\/(?:\[[\da-f:.]+\]|[^\s/@:?#[\]]+)(?::\d{1,5})?\/?$/i,
      'a URL such as "https://provision.internal:8444"',
      'Write only https, host and port: the address at which instances reach the provisioner.',
    ),
    'Address at which instances ask for their certificates: `https://host:port`.',
    'with the built-in master the address agents dial; otherwise `listen`, if its address is one that instances can dial',
  ),
  proofs: key(
    z.array(name).check(z.minLength(1)).register(kinds, {
      noun: 'a list of kinds of proof',
      remedy: 'Write one "- kind" on each line below the key, or [a, b].',
    }),
    'Kinds of proof that are accepted, in the order in which instances try them; each type of provider has its own.',
    'the first of the type',
  ),
  identity_certificates: key(
    name,
    'Further certificates (PEM) that sign identity documents of instances, for proofs by such a document.',
  ),
}

/** `required` is short for `{proof: required}`. */
export const joinKey = keyOr(
  z.union([proofModes, z.strictObject(joinKeys)]).register(kinds, {
    noun: 'required, off or a mapping',
    remedy: 'Write `join: required`, or keys such as "proof: required" indented below it.',
  }),
  'off',
  'Who may join as an agent of the pool. `required` is short for `{proof: required}`: only instances that the provisioner launched, each with a client certificate of its own.',
)

type JoinKey = z.output<typeof joinKey>

/** `join` of a provider after defaults. */
export interface JoinConfig {
  proof: 'required' | 'off'
  /** Without a slash at the end. */
  url?: string
  /** Kinds of proof, at least one; undefined: the default of the type of provider. */
  proofs?: string[]
  /** Absolute. */
  identity_certificates?: string
}

/** Whether instances of a pool must prove what they are. */
export function requiresProof({ join }: { join: Pick<JoinConfig, 'proof'> }): boolean {
  return join.proof === 'required'
}

/** The kinds of proof that a pool accepts, of those that its type of provider has: the first, unless it names others. */
export function acceptedProofs(
  { proofs }: Pick<JoinConfig, 'proofs'>,
  known: readonly string[],
): readonly string[] {
  return proofs ?? known.slice(0, 1)
}

export function joinConfigOf(value: JoinKey, { reading }: Block): JoinConfig {
  if (typeof value === 'string') return { proof: value }
  const { proof, url, proofs, identity_certificates: file } = value
  return {
    proof,
    ...(url !== undefined && { url: url.replace(/\/$/, '') }),
    ...(proofs && { proofs }),
    ...(file !== undefined && { identity_certificates: resolve(reading.folder, file) }),
  }
}

interface JoinSurroundings {
  join?: Partially<JoinKey> | undefined
  tls?: { trust?: string | undefined } | undefined
}

/** Notes problems between `join` and the other keys of its provider. */
export function checkJoin({ join, tls }: JoinSurroundings, block: Block): void {
  const written = inner(block, 'join')
  const { proof, url } = typeof join === 'string' ? { proof: join } : (join ?? {})
  if (url !== undefined && !URL.canParse(url))
    note(block, 'CONFIG_BAD_VALUE', `join.url is not a URL: ${url}`, {
      key: ['join', 'url'],
      remedy: 'Write https://host:port, with a port from 1 to 65535.',
    })
  if (proof === 'required' && (tls?.trust === 'off' || tls?.trust === 'skip_verify'))
    note(block, 'JOIN_NEEDS_TLS', `join needs TLS that agents verify, but tls.trust is "${tls.trust}"`, {
      key: ['tls', 'trust'],
      remedy: 'Remove tls.trust, or write `join: off`.',
    })
  if (proof !== 'off' || !written) return
  for (const unused of Object.keys(joinKeys).filter((one) => one !== 'proof' && given(written, one)))
    note(written, 'CONFIG_UNUSED', `join.${unused} has no effect without \`proof: required\``, {
      key: unused,
      part: 'key',
      remedy: 'Write `proof: required` beside it, or remove it.',
    })
}

/** Notes `join` of a type without proofs, and proofs that the type does not have. */
export function checkProofKinds(block: Block, type: string, known: readonly string[]): void {
  const { join } = block.raw
  const written = inner(block, 'join')
  if ((written ? written.raw['proof'] : join) !== 'required') return
  if (known.length === 0) {
    note(block, 'JOIN_UNSUPPORTED', `instances of \`type: ${type}\` cannot prove what they are`, {
      key: 'join',
    })
    return
  }
  const proofs = written?.raw['proofs']
  if (!Array.isArray(proofs)) return
  if (proofs.length === 0)
    note(block, 'CONFIG_BAD_VALUE', 'join.proofs is empty: nobody could join', {
      key: ['join', 'proofs'],
      remedy: `Write ${orList(known)}, or remove it.`,
    })
  proofs.forEach((proof: unknown, index) => {
    if (typeof proof !== 'string' || proof === '') return
    const key = ['join', 'proofs', index]
    const meant = nearest(proof, known)
    if (!known.includes(proof))
      note(block, 'CONFIG_BAD_CHOICE', `"${proof}" is no proof of \`type: ${type}\``, {
        key,
        remedy: meant ? `Did you mean "${meant}"?` : `Write ${orList(known)}.`,
      })
    else if (proofs.indexOf(proof) < index)
      note(block, 'CONFIG_DUPLICATE', `join.proofs has "${proof}" twice`, { key })
  })
}

// agents_ca: the CA that issues the certificates of instances.

export const agentsCaKeys = {
  lifetime: keyOr(
    period,
    '168h',
    'How long a certificate of an instance is valid; it is renewed at least once a day, and three times in this period.',
  ),
  key_file: key(name, 'Private key of the CA (PEM), with `certificate_file`.', 'made and kept in `state`'),
  certificate_file: key(name, 'Certificate of the CA (PEM).', 'made and kept in `state`'),
  pkcs11: key(
    z.strictObject({
      module: needed(name, 'PKCS #11 library of the token.'),
      token: needed(name, 'Label of the token.'),
      label: needed(name, 'Label of the key: ECDSA on P-256.'),
      pin_file: needed(name, 'File with the PIN of the token in its first line.'),
    }),
    'Private key of the CA in a PKCS #11 token, in place of `key_file`; needs `pkcs11-tool` of OpenSC.',
  ),
}

type AgentsCaKeys = z.output<z.ZodMiniObject<typeof agentsCaKeys, z.core.$strict>>

/** `agents_ca` after defaults; `lifetime` in milliseconds, paths absolute. */
export type AgentsCaConfig = AgentsCaKeys

const hour = 3_600_000

/** Notes problems between the keys of `agents_ca`. `used`: a pool requires a proof; undefined if that is not known. */
export function checkAgentsCa(file: Block, keys: Partially<AgentsCaKeys> | undefined, used?: boolean): void {
  const block = inner(file, 'agents_ca')
  if (!block || !keys) return
  if (used === false)
    note(file, 'CONFIG_UNUSED', 'agents_ca has no effect: no pool has `join: required`', {
      key: 'agents_ca',
      part: 'key',
    })
  if (keys.lifetime !== undefined && keys.lifetime < hour)
    note(block, 'CONFIG_OUT_OF_RANGE', 'agents_ca.lifetime is shorter than an hour', {
      key: 'lifetime',
      remedy: 'Write at least "1h": an instance has to renew its certificate before it expires.',
    })
  const needs = (key: string, ...needed: string[]) => {
    if (!given(block, key) || needed.some((one) => given(block, one))) return
    const names = needed.map((one) => `agents_ca.${one}`).join(' or ')
    note(block, 'CONFIG_NEEDS_KEY', `agents_ca.${key} needs ${names}`, { key, part: 'key' })
  }
  needs('key_file', 'certificate_file')
  needs('pkcs11', 'certificate_file')
  needs('certificate_file', 'key_file', 'pkcs11')
  if (given(block, 'key_file') && given(block, 'pkcs11'))
    note(block, 'CONFIG_CONFLICT', 'agents_ca has both key_file and pkcs11: the CA has one key', {
      key: 'pkcs11',
      part: 'key',
      remedy: 'Remove one of them.',
    })
}

export function agentsCaOf(
  { key_file, certificate_file, pkcs11, ...rest }: AgentsCaKeys,
  path: (file: string) => string,
): AgentsCaConfig {
  return {
    ...rest,
    ...(key_file !== undefined && { key_file: path(key_file) }),
    ...(certificate_file !== undefined && { certificate_file: path(certificate_file) }),
    ...(pkcs11 && { pkcs11: { ...pkcs11, module: path(pkcs11.module), pin_file: path(pkcs11.pin_file) } }),
  }
}

/** `require_authentication` without `client_ca` lets Go accept the client certificates of every public CA. */
export function checkClientCa(
  file: Block,
  { demands, clientCa, isOwn }: { demands: boolean; clientCa: string | undefined; isOwn: boolean },
): void {
  if (!demands || clientCa || isOwn) return
  note(
    file,
    'CLIENT_CA_EMPTY',
    'require_authentication is on without client_ca: the master would accept client certificates of every public CA',
    { key: ['resource_manager', 'require_authentication'], part: 'key' },
  )
}
