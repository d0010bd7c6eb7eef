// HTTPS_PROXY, HTTP_PROXY and NO_PROXY as a Go program takes them (golang.org/x/net/http/httpproxy).
import { BlockList, isIP } from 'node:net'
import type { MasterAddress } from '../../pki/master-address.ts'
import { ProvisionError, problem } from '../../problems/problem.ts'

export interface ProxyServer {
  host: string
  port: number
  /** `user:password`, decoded. */
  credentials?: string
}

type Environment = Readonly<Record<string, string | undefined>>

/** The proxy to reach the master through, or undefined. Throws `AGENT_OPTION_INVALID` for one that cannot be used. */
export function proxyFor(master: MasterAddress, env: Environment): ProxyServer | undefined {
  const name = master.scheme === 'https' ? 'HTTPS_PROXY' : 'HTTP_PROXY'
  const value = env[name] || env[name.toLowerCase()]
  if (!value || isLocal(master.host) || isExcepted(master, env['NO_PROXY'] || env['no_proxy'] || ''))
    return undefined
  const url = URL.parse(value.includes('://') ? value : `http://${value}`)
  if (url?.protocol !== 'http:') throw unusable(name)
  return {
    host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: Number(url.port || 80),
    ...(url.username && {
      credentials: `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`,
    }),
  }
}

/** The value is not shown: it may hold a password. */
function unusable(name: string): ProvisionError {
  return new ProvisionError(
    problem('AGENT_OPTION_INVALID', `${name} names no proxy of the form http://host:port`, {
      remedy: 'Use an HTTP proxy, or add the master to NO_PROXY.',
    }),
  )
}

function isLocal(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'))
}

function isExcepted({ host, port }: MasterAddress, exceptions: string): boolean {
  return exceptions.split(',').some((entry) => covers(entry.trim().toLowerCase(), host.toLowerCase(), port))
}

/** `*`, an address, a network, `name` with all below it, `.name` with only what is below; each may end in a port. */
function covers(entry: string, host: string, port: number): boolean {
  if (entry === '*') return true
  if (entry.includes('/')) return isInNetwork(entry, host)
  const [, name = '', only] = /^(\[.*\]|[^:]*|.*:.*:.*?)(?::(\d+))?$/.exec(entry) ?? []
  const pattern = name.replace(/^\[(.*)\]$/, '$1').replace(/^\*\./, '.')
  if (!pattern || (only && Number(only) !== port)) return false
  if (isIP(pattern) || isIP(host)) return pattern === host
  return pattern.startsWith('.') ? host.endsWith(pattern) : host === pattern || host.endsWith(`.${pattern}`)
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
