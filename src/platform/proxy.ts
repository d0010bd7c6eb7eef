// The proxy of an outgoing connection: HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY as a Go program reads them.

import { BlockList, isIP } from 'node:net'
import { ProvisionError, problem } from '../problems/index.ts'

export type Environment = Readonly<Record<string, string | undefined>>

/** The code of errors of a proxy: it cannot be reached, or refuses. The message names the proxy without its password. */
export const proxyErrorCode = 'EPROXY'

/** The remedy for such an error on the way to a master. */
export const masterProxyRemedy =
  'Let the proxy connect to the master, correct the proxy and its password in the variable, or add the host to NO_PROXY.'

/** Where a connection goes. `wss` counts as https, `ws` as http. */
export interface Destination {
  scheme: 'http' | 'https'
  /** A name or an address, IPv6 without brackets. */
  host: string
  port: number
}

export interface ProxyServer {
  scheme: 'http' | 'https'
  host: string
  port: number
  /** `user:password`, decoded. Never shown. */
  credentials?: string
  /** The variable that names it. */
  variable: string
}

/**
 * The proxy for a connection, or undefined for a direct one. The rules are those of Go's golang.org/x/net/http/httpproxy:
 * the variable of the scheme, upper case before lower case; never for this machine. In addition, ALL_PROXY applies where that
 * variable is not set, as in curl; link-local addresses, where clouds have their metadata servers, never use a proxy; and
 * NO_PROXY may also be separated by spaces. In a CGI program HTTP_PROXY is a header of the request (https://httpoxy.org) and
 * ignored. Throws PROXY_INVALID, without the value, which may contain a password.
 */
export function proxyFor(destination: Destination, env: Environment): ProxyServer | undefined {
  const name = destination.scheme === 'https' ? 'HTTPS_PROXY' : 'HTTP_PROXY'
  const isHeader = (one: string) => one === 'HTTP_PROXY' && Boolean(env['REQUEST_METHOD'])
  const variable = [name, name.toLowerCase(), 'ALL_PROXY', 'all_proxy'].find(
    (one) => env[one] && !isHeader(one),
  )
  const host = plainHost(destination.host)
  if (!variable || isNear(host)) return undefined
  if (isExcepted(host, destination.port, env['NO_PROXY'] || env['no_proxy'] || '')) return undefined
  return proxyIn(variable, env[variable] ?? '')
}

function proxyIn(variable: string, value: string): ProxyServer {
  const url = URL.parse(value.includes('://') ? value : `http://${value}`)
  if (url?.protocol !== 'http:' && url?.protocol !== 'https:') throw unusable(variable)
  // After `/`, `?` or `#` in a password that is not encoded, what precedes it would count, and be shown, as host and port.
  if (/@/.test(url.pathname + url.search + url.hash) || url.port === '0') throw unusable(variable)
  const scheme = url.protocol === 'https:' ? 'https' : 'http'
  return {
    scheme,
    host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: Number(url.port || (scheme === 'https' ? 443 : 80)),
    ...((url.username || url.password) && { credentials: credentialsIn(variable, url) }),
    variable,
  }
}

function credentialsIn(variable: string, { username, password }: URL): string {
  try {
    return `${decodeURIComponent(username)}:${decodeURIComponent(password)}`
  } catch {
    throw unusable(variable)
  }
}

function unusable(variable: string): ProvisionError {
  return new ProvisionError(
    problem('PROXY_INVALID', `${variable} is not a proxy URL of the form http://host:port`, {
      where: { file: variable },
    }),
  )
}

/** For messages and logs: `http://proxy:3128`, with a mask in place of credentials. */
export function shownProxy({ scheme, host, port, credentials }: ProxyServer): string {
  return `${scheme}://${credentials === undefined ? '' : '********@'}${authorityOf({ host, port })}`
}

/** `host:port`, with brackets around an IPv6 address. */
export function authorityOf({ host, port }: { host: string; port: number }): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

/** Throws a TypeError for a URL of another scheme than http, https, ws or wss. */
export function destinationOf(url: URL): Destination {
  const scheme = { 'http:': 'http', 'ws:': 'http', 'https:': 'https', 'wss:': 'https' } as const
  const found = Object.entries(scheme).find(([protocol]) => protocol === url.protocol)?.[1]
  if (!found) throw new TypeError(`no proxy rule for ${url.protocol}`)
  return {
    scheme: found,
    host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: Number(url.port || (found === 'https' ? 443 : 80)),
  }
}

/** Lower case, without the dot of an absolute name; an IPv4 address written as IPv6 is an IPv4 address. */
function plainHost(host: string): string {
  const plain = host.toLowerCase().replace(/\.$/, '')
  const mapped = isIP(plain) === 6 && URL.parse(`http://[${plain}]`)?.hostname
  // In a URL the last two groups are hexadecimal.
  const [, high, low] = /^\[::ffff:([0-9a-f]+):([0-9a-f]+)\]$/.exec(mapped || '') ?? []
  if (!high || !low) return plain
  const [a, b] = [Number.parseInt(high, 16), Number.parseInt(low, 16)]
  return [a >> 8, a & 255, b >> 8, b & 255].join('.')
}

let near: BlockList | undefined

function nearNetworks(): BlockList {
  const networks = new BlockList()
  networks.addSubnet('127.0.0.0', 8, 'ipv4')
  networks.addSubnet('169.254.0.0', 16, 'ipv4')
  networks.addAddress('::1', 'ipv6')
  networks.addSubnet('fe80::', 10, 'ipv6')
  return networks
}

/** This machine, and addresses that no proxy can reach for it. */
function isNear(host: string): boolean {
  const version = isIP(host)
  if (version === 0) return host === 'localhost'
  near ??= nearNetworks()
  return near.check(host, version === 4 ? 'ipv4' : 'ipv6')
}

function isExcepted(host: string, port: number, exceptions: string): boolean {
  return exceptions.split(/[,\s]+/).some((entry) => covers(entry.toLowerCase(), host, port))
}

/** `*`, an address, a network, `name` with its subdomains, or `.name` with only the subdomains; each may end in a port. */
function covers(entry: string, host: string, port: number): boolean {
  if (entry === '*') return true
  if (entry.includes('/')) return isInNetwork(entry, host)
  const [, name = '', only] = /^(\[.*\]|[^:]*|.*:.*:.*?)(?::(\d+))?$/.exec(entry) ?? []
  const pattern = name
    .replace(/^\[(.*)\]$/, '$1')
    .replace(/^\*\./, '.')
    .replace(/\.$/, '')
  if (!pattern || (only && Number(only) !== port)) return false
  if (isIP(pattern) || isIP(host)) return isSameAddress(pattern, host)
  return pattern.startsWith('.') ? host.endsWith(pattern) : host === pattern || host.endsWith(`.${pattern}`)
}

/** One IPv6 address has several forms. */
function isSameAddress(a: string, b: string): boolean {
  return a === b || (isIP(a) === 6 && isInNetwork(`${a}/128`, b))
}

function isInNetwork(entry: string, host: string): boolean {
  const [address = '', bits = ''] = entry.split('/')
  const family = isIP(address)
  if (family === 0 || family !== isIP(host) || !/^\d+$/.test(bits)) return false
  if (Number(bits) > (family === 4 ? 32 : 128)) return false
  const kind = family === 4 ? 'ipv4' : 'ipv6'
  const network = new BlockList()
  network.addSubnet(address, Number(bits), kind)
  return network.check(host, kind)
}
