// Classifies an HTTP answer: a master, a demand for a client certificate, a busy server, or another service.
import { findSecrets } from '../platform/index.ts'
import { visible } from './distinguished-name.ts'
import type { PreflightProof } from './trust-plan.ts'

export interface HttpAnswer {
  status: number
  /** At most 64 KiB. */
  body: string
  location?: string | undefined
  server?: string | undefined
}

/** What an answer means for agents; undefined: a master answered. */
export type AnswerCode =
  | 'PREFLIGHT_NOT_A_MASTER'
  | 'PREFLIGHT_NO_UPGRADE'
  | 'PREFLIGHT_CLIENT_CERT_REQUIRED'
  | 'PREFLIGHT_UNAVAILABLE'

export interface Judging {
  proof: PreflightProof
  /** Agents have a client certificate that the preflight does not have: they may be allowed what it is not. */
  agentsHaveClientCertificate?: boolean
}

/** Judges the answer to `GET /info`. */
export function judgeInfo(answer: HttpAnswer, { proof, ...circumstances }: Judging): AnswerCode | undefined {
  if (readInfo(answer)) return undefined
  if (demandsCertificate(answer, circumstances)) return 'PREFLIGHT_CLIENT_CERT_REQUIRED'
  if (proof === 'agent_socket') return undefined
  if (mayPass(answer.status)) return 'PREFLIGHT_UNAVAILABLE'
  return proof === 'http' ? undefined : 'PREFLIGHT_NOT_A_MASTER'
}

/** The id of the probe; the built-in master does not log connections with it. */
export const probeId = 'provision-preflight'

/**
 * An upgrade that registers nothing, as it does not say whether it is a reconnect: a Determined master answers 403 when
 * it requires a client certificate, else 500 (Determined: master/internal/rm/agentrm/agents.go).
 */
export const probePath = `/agents?id=${probeId}`

/** The id in the certificate with which the provisioner probes a master that requires join proofs; no instance has it. */
export const proofProbeId = 'provision-probe'

/** The same for one pool, by the name in that certificate: the built-in master requires certificates for some pools only. */
export function proofProbePath(pool: string): string {
  return `/agents?${new URLSearchParams({ id: proofProbeId, resource_pool: pool })}`
}

/** Judges the answer to the upgrade of `probePath`. `isMaster`: `/info` was answered by a master. */
export function judgeUpgrade(
  answer: HttpAnswer,
  isMaster: boolean,
  circumstances: Omit<Judging, 'proof'>,
): AnswerCode | undefined {
  const { status, body } = answer
  // A server that accepts this upgrade accepts an agent's too.
  if (status === 101) return undefined
  if (status === 500 && (isMaster || /\breconnect\b/.test(body))) return undefined
  if (status === 403 || demandsCertificate(answer, circumstances)) return 'PREFLIGHT_CLIENT_CERT_REQUIRED'
  // 501: the server does not support upgrades.
  return mayPass(status) && status !== 501 ? 'PREFLIGHT_UNAVAILABLE' : 'PREFLIGHT_NO_UPGRADE'
}

/** The same request may succeed a moment later (RFC 9110 section 15.6, RFC 8470, RFC 6585). */
function mayPass(status: number): boolean {
  return status >= 500 || status === 408 || status === 425 || status === 429
}

/** nginx answers 400 with its own page, or 495 or 496; IIS and others answer 403 with a similar text. */
function demandsCertificate(
  { status, body }: HttpAnswer,
  { agentsHaveClientCertificate }: Omit<Judging, 'proof'>,
): boolean {
  if (status === 495 || status === 496) return true
  if (agentsHaveClientCertificate && (status === 401 || status === 403)) return true
  return status >= 400 && status < 500 && certificateWords.test(body.slice(0, 4096))
}

const certificateWords =
  /\b(?:no|required|requires?|missing|without|needs?|provide)\b[^.<]{0,40}\b(?:ssl|tls|client)\b[^.<]{0,10}\bcertificate\b|\b(?:ssl|tls|client)[ -]certificate\b[^.<]{0,20}\b(?:required|error|missing|needed)\b/i

// Whether an answer to GET /info is that of a master (Determined: master/pkg/aproto/master_message.go, MasterInfo).

export interface MasterInfo {
  version: string
  clusterId: string
  /** Set by the built-in master; Determined's master has none. */
  product?: string
}

/** The version is printed, and may come from an unverified server. */
const printable = /^[\x21-\x7e]{1,100}$/

/** Undefined when it is not a master's answer. */
export function readInfo({ status, body }: Pick<HttpAnswer, 'status' | 'body'>): MasterInfo | undefined {
  if (status !== 200) return undefined
  try {
    const { version, cluster_id: clusterId, product } = JSON.parse(body)
    if (typeof version !== 'string' || !printable.test(version) || typeof clusterId !== 'string')
      return undefined
    return { version, clusterId, ...(typeof product === 'string' && { product }) }
  } catch {
    return undefined
  }
}

// Describes an answer. Its text comes from an untrusted server: it is cut, made printable, and checked for secrets.

/** `status 302 to sso.example.com (nginx; "Sign in")`. */
export function describeAnswer({ status, body, location, server }: HttpAnswer): string {
  const host = location === undefined ? undefined : hostOf(location)
  const quoted = firstWords(body)
  const more = [...(server ? [shown(server, 40)] : []), ...(quoted ? [`"${quoted}"`] : [])].join('; ')
  return `status ${status}${host ? ` to ${host}` : ''}${more ? ` (${more})` : ''}`
}

/** Only the host: paths and queries of sign-in pages contain tokens. */
function hostOf(location: string): string | undefined {
  const url = URL.parse(location)
  if (url?.host) return shown(url.host, 100)
  return location.startsWith('/') ? 'the same host' : undefined
}

function firstWords(body: string): string {
  const head = body.slice(0, 4096)
  const [, title] = /<title[^>]*>([^<]*)/i.exec(head) ?? []
  if (title !== undefined) return shown(title, 80)
  return shown(messageOf(body) ?? head.replace(/<[^>]*>/g, ' '), 80)
}

function messageOf(body: string): string | undefined {
  try {
    const { message } = JSON.parse(body) as { message?: unknown }
    return typeof message === 'string' ? message : undefined
  } catch {
    return undefined
  }
}

function shown(text: string, length: number): string {
  const line = visible(text.slice(0, 4096).replace(/\s+/g, ' ').trim())
  if (findSecrets(line).length > 0) return '(omitted: it looks like a secret)'
  return line.length > length ? `${line.slice(0, length)}…` : line
}
