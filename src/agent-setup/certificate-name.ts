// Chooses the name that agents verify in the master's certificate, and gives the reason.

import {
  type Certificate,
  canonicalName,
  covers,
  type HostAlias,
  isHostname,
  showName,
  underWildcard,
  usableNames,
} from '../pki/index.ts'
import { ipVersion } from '../platform/index.ts'
import { type Problem, type ProblemOptions, problem } from '../problems/index.ts'

export interface NameQuestion {
  /** What agents dial. */
  host: string
  /** Set when the host is an alias that the cloud replaces by this. */
  alias?: HostAlias
  /** Of several masters the others, which have one certificate together, or one each. */
  otherHosts?: readonly string[] | undefined
  /** `master_cert_name`; empty when not set. */
  explicit: string
  allowIpOnly: boolean
  /** The certificate agents will receive, if it is known. */
  leaf?: Certificate
  where?: ProblemOptions['where']
}

export interface NameChoice {
  certificateName?: string
  reason: string
  problems: Problem[]
}

export function chooseName(question: NameQuestion): NameChoice {
  const { explicit, leaf } = question
  const more = moreThanName(explicit)
  if (more) {
    const message = `master_cert_name ${explicit} has ${more.parts}; it is the name in the certificate alone`
    const remedy = `Set \`master_cert_name: ${more.name}\`.`
    return refuse(question, problem('TLS_NAME_MISMATCH', message, { ...options(question), remedy }))
  }
  if (explicit) return leaf ? explicitKnown(question, leaf) : explicitUnknown(question)
  if (hostsOf(question).length > 1) return ofSeveral(question)
  return leaf ? fromCertificate(question, leaf) : fromHost(question)
}

/** A scheme, port or path beside the name, as in `https://master.example.com:8443/`. */
function moreThanName(explicit: string): { parts: string; name: string } | undefined {
  const found = /^([a-z][a-z0-9+.-]*:\/\/)?(\[[^\]]*\]|[^:/[\]]*)(:\d+)?(\/.*)?$/i.exec(explicit.trim())
  if (!found) return undefined
  const [, scheme, host = '', port, path] = found
  const parts = [
    scheme && `the scheme ${scheme}`,
    port && `the port ${port.slice(1)}`,
    path && `the path ${path}`,
  ]
  const named = parts.filter((part) => part !== undefined).join(' and ')
  return named && host ? { parts: named, name: canonicalName(host) } : undefined
}

/** Whether this certificate may be the one agents will receive: it covers the configured name or the host, if any. */
export function isPlausible(question: NameQuestion, leaf: Certificate): boolean {
  const { explicit, alias } = question
  const wishes = explicit ? [explicit] : hostsOf(question)
  return wishes.map(canonicalName).some((wish) => {
    const unnamed = !explicit && (ipVersion(wish) !== 0 || alias !== undefined)
    return unnamed || covers(leaf.x509, wish)
  })
}

function hostsOf({ host, otherHosts = [] }: NameQuestion): string[] {
  return [host, ...otherHosts]
}

/**
 * Agents have one setting for the name: one that every master's certificate has, or none, with which they verify the host
 * that they dial. The latter also works where each master has a certificate of its own, of which only one is known here.
 */
function ofSeveral(question: NameQuestion): NameChoice {
  const { leaf, allowIpOnly } = question
  const hosts = hostsOf(question).map(canonicalName)
  const isNamed = hosts.every((host) => ipVersion(host) === 0)
  const isOfAddresses = hosts.every((host) => ipVersion(host) !== 0) && allowIpOnly
  const each = (reason: string) => ({ reason: `agents verify the host they dial; ${reason}`, problems: [] })
  if (!leaf) {
    const unknown = 'the certificates they will receive are unknown'
    if (isNamed || isOfAddresses) return each(unknown)
    const address = hosts.find((host) => ipVersion(host) !== 0)
    const message = `agents dial ${address}, an IP address, and ${unknown}`
    return refuse(question, problem('TLS_NAME_NEEDED', message, options(question)))
  }
  const covered = hosts.filter((host) => covers(leaf.x509, host))
  const isAddressOnly =
    isOfAddresses && usableNames(leaf).concrete.length + usableNames(leaf).wildcards.length === 0
  if (covered.length > 0 && (isNamed || isAddressOnly))
    return each(
      covered.length === hosts.length
        ? 'the certificate covers each'
        : `the certificate covers ${covered.join(', ')}, and each other master needs one for its own`,
    )
  const known = covered.find((host) => ipVersion(host) === 0)
  if (known === undefined) return fromCertificate(question, leaf)
  return {
    certificateName: known,
    reason: 'it is the host of one address, and the certificate covers it; other addresses are IP addresses',
    problems: [],
  }
}

function explicitKnown(question: NameQuestion, leaf: Certificate): NameChoice {
  const name = canonicalName(question.explicit)
  if (covers(leaf.x509, name)) return explicitName(question, name, 'it is the configured master_cert_name')
  const message = `master_cert_name ${question.explicit} is not a name of ${leaf.subject}; it is valid for: ${listNames(leaf)}`
  return refuse(question, problem('TLS_NAME_MISMATCH', message, options(question, leaf)))
}

function explicitUnknown(question: NameQuestion): NameChoice {
  const name = canonicalName(question.explicit)
  if (!ipVersion(name) && !isHostname(name.replaceAll('_', 'x')))
    return refuse(
      question,
      problem(
        'TLS_NAME_MISMATCH',
        `master_cert_name ${question.explicit} is not a host name`,
        options(question),
      ),
    )
  return explicitName(
    question,
    name,
    'it is the configured master_cert_name; the certificate agents will receive is unknown',
  )
}

function explicitName(question: NameQuestion, name: string, reason: string): NameChoice {
  if (!ipVersion(name) || question.allowIpOnly) return { certificateName: name, reason, problems: [] }
  const message = `master_cert_name ${name} is an IP address`
  return refuse(question, problem('TLS_IP_ONLY', message, options(question)))
}

function fromCertificate(question: NameQuestion, leaf: Certificate): NameChoice {
  const host = canonicalName(question.host)
  const { concrete, wildcards, ips } = usableNames(leaf)
  const chosen = (certificateName: string, reason: string) => ({ certificateName, reason, problems: [] })
  if (!question.alias && !ipVersion(host) && covers(leaf.x509, host))
    return chosen(host, 'it is the host agents dial, and the certificate covers it')
  const because = `agents dial ${question.host}, ${whyNotHost(question, host)}`
  if (concrete[0]) return chosen(concrete[0], `it is the certificate's first DNS name; ${because}`)
  if (wildcards[0])
    return chosen(
      underWildcard(wildcards[0]),
      `it is a name under the certificate's ${wildcards[0]}; ${because}`,
    )
  if (ips.length > 0) return byAddress(question, leaf, host, ips)
  return refuse(
    question,
    problem(
      'TLS_NO_USABLE_NAME',
      `no name of ${leaf.subject} works for Go and OpenSSL: ${listNames(leaf)}`,
      options(question, leaf),
    ),
  )
}

function byAddress(question: NameQuestion, leaf: Certificate, host: string, ips: string[]): NameChoice {
  if (!question.allowIpOnly) {
    const message = `${leaf.subject} is valid for IP addresses only: ${ips.join(', ')}`
    return refuse(question, problem('TLS_IP_ONLY', message, options(question, leaf)))
  }
  if (question.alias)
    return {
      reason: `agents verify the address that ${host} is replaced by, which is unknown until they boot`,
      problems: [],
    }
  if (covers(leaf.x509, host))
    return { reason: 'agents verify the address they dial, and the certificate covers it', problems: [] }
  const reason = `it is the certificate's first address; agents dial ${question.host}, ${whyNotHost(question, host)}`
  return { certificateName: ips[0]!, reason, problems: [] }
}

function fromHost(question: NameQuestion): NameChoice {
  const host = canonicalName(question.host)
  const dotted = question.host.endsWith('.')
  const isName = !ipVersion(host) && question.alias !== 'address'
  if (isName && !question.alias)
    return {
      // With the trailing dot Go would match the name, OpenSSL would not.
      ...(dotted && { certificateName: host }),
      reason: 'agents verify the host they dial; the certificate they will receive is unknown',
      problems: [],
    }
  if (isName || question.allowIpOnly)
    return {
      reason: `agents verify what ${question.host} is replaced by, which is unknown until they boot`,
      problems: [],
    }
  const message = `agents dial ${question.host}, an IP address, and the certificate they will receive is unknown`
  return refuse(question, problem('TLS_NAME_NEEDED', message, options(question)))
}

function whyNotHost({ alias }: NameQuestion, host: string): string {
  if (alias) return 'which the cloud replaces by an address'
  return ipVersion(host) ? 'an IP address' : 'which the certificate does not cover'
}

/** At most ten names: certificates of CDNs have hundreds. The problem's details list all of them. */
function listNames(leaf: Certificate): string {
  const names = leaf.fields.names.map(showName)
  const rest = names.length - 10
  return [...names.slice(0, 10), ...(rest > 0 ? [`and ${rest} more`] : [])].join(', ')
}

function refuse(question: NameQuestion, found: Problem): NameChoice {
  return { reason: `no name for ${question.host}`, problems: [found] }
}

function options(question: NameQuestion, leaf?: Certificate): ProblemOptions {
  return {
    ...(question.where && { where: question.where }),
    ...(leaf && { details: { names: leaf.fields.names.map(showName) } }),
  }
}
