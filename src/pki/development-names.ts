// The names and addresses a development certificate is asked for, in the form certificates hold them.
import { isIP } from 'node:net'
import { ProvisionError, problem } from '../problems/problem.ts'
import { canonicalName, isHostname } from './names.ts'

export interface DevelopmentNames {
  /** Lower case, IDN as punycode, each once, in the order given. */
  dns: string[]
  ips: string[]
}

/** Throws a ProvisionError naming every entry that no verifier would accept. */
export function developmentNames(names: string[], ips: string[]): DevelopmentNames {
  const dns = names.map(dnsName)
  const addresses = ips.map(ipAddress)
  const problems = [...dns, ...addresses].flatMap((entry) => ('fault' in entry ? [refused(entry.fault)] : []))
  if (names.length + ips.length === 0)
    problems.push(refused('a certificate needs at least one name or address'))
  if (problems.length > 0) throw new ProvisionError(problems)
  return { dns: accepted(dns), ips: accepted(addresses) }
}

type Entry = { value: string } | { fault: string }

function accepted(entries: Entry[]): string[] {
  return [...new Set(entries.flatMap((entry) => ('value' in entry ? [entry.value] : [])))]
}

function dnsName(text: string): Entry {
  const name = canonicalName(text)
  if (isIP(name)) return { fault: `${name} is an IP address, not a name; give it with --ip` }
  const [star, host] = name.startsWith('*.') ? ['*.', name.slice(2)] : ['', name]
  if (!isHostname(host)) return { fault: `${JSON.stringify(text)} is not a hostname` }
  // Go would accept a.local for *.local, OpenSSL would not: agents would join and their tasks would not.
  if (star && !host.includes('.'))
    return { fault: `${JSON.stringify(text)} covers nothing: a wildcard needs two labels after the star` }
  return { value: name }
}

function ipAddress(text: string): Entry {
  const address = canonicalName(text)
  // A zone index (fe80::1%eth0) names an interface of this machine; certificates have no place for it.
  if (!isIP(address) || address.includes('%'))
    return { fault: `${JSON.stringify(text)} is not an IP address` }
  return { value: address }
}

function refused(message: string) {
  return problem('CERTS_REQUEST_INVALID', message)
}
