// Where -m and DET_MASTER point, read as Determined's own command line reads them (origin: harness common/api/_util.py).
import type { MasterScheme } from '../pki/master-address.ts'
import { ProvisionError, problem } from '../problems/problem.ts'

export interface ClientUrl {
  scheme: MasterScheme
  /** Without brackets. */
  host: string
  port: number
  /** What stands before the paths of the API: '' or such as `/cluster-a`. */
  prefix: string
  /** Plain http was written out, not merely assumed. */
  plainOnPurpose: boolean
}

/** https without a port is 443, http 80; no scheme is http on 8080. Throws CLIENT_MASTER_URL. */
export function parseClientUrl(text: string): ClientUrl {
  const given = text.trim()
  // Before anything is quoted: what stands before an "@" is a secret.
  if (given.includes('@')) throw wrong('the address of the master holds a user name or password')
  const schemed = /^[a-z][a-z0-9+.-]*:\/\//i.test(given)
  const url = URL.parse(schemed ? given : `http://${given}`)
  if (!url?.hostname) throw wrong(`${JSON.stringify(text)} is no address of a master`)
  if (url.protocol !== 'https:' && url.protocol !== 'http:')
    throw wrong(`a master speaks https or http, not ${url.protocol.slice(0, -1)}`)
  if (url.search || url.hash)
    throw wrong(`the address of the master goes on after its path: ${url.search}${url.hash}`)
  const scheme = url.protocol === 'https:' ? 'https' : 'http'
  return {
    scheme,
    host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: portOf(given, schemed, scheme),
    prefix: url.pathname.replace(/\/+$/, ''),
    plainOnPurpose: schemed && scheme === 'http',
  }
}

/** The key of the trust store. IPv6 hosts are without brackets there, since Python's urlparse drops them. */
export function canonicalUrl({ scheme, host, port, prefix }: ClientUrl): string {
  return `${scheme}://${host}:${port}${prefix}`
}

/** From the text: `URL` drops a port that is its scheme's own, and `master:80` means 80, not 8080. */
function portOf(given: string, schemed: boolean, scheme: MasterScheme): number {
  const authority = given.replace(/^[^/]*\/\//, '').replace(/\/.*$/, '')
  const [, digits] = /:(\d+)$/.exec(authority) ?? []
  if (digits !== undefined) return Number(digits)
  return schemed ? (scheme === 'https' ? 443 : 80) : 8080
}

function wrong(message: string): ProvisionError {
  return new ProvisionError(problem('CLIENT_MASTER_URL', message))
}
