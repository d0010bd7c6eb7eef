// HTTPS_PROXY, HTTP_PROXY and NO_PROXY as a Go program reads them (golang.org/x/net/http/httpproxy).

import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { type Agent, Agent as PlainAgent } from 'node:http'
import { Agent as TlsAgent } from 'node:https'
import { BlockList, connect, isIP, type Socket } from 'node:net'
import type { ConnectionOptions } from 'node:tls'
import {
  connectAsAgent,
  decodeText,
  dialOptions,
  type MasterAddress,
  masterUrl,
  readPem,
} from '../../pki/index.ts'
import type { Logger } from '../../platform/index.ts'
import { ProvisionError, problem } from '../../problems/index.ts'
import type { AgentOptions } from './options.ts'
import { wellKnownCas } from './well-known-cas.ts'

export interface ProxyServer {
  host: string
  port: number
  /** `user:password`, decoded. */
  credentials?: string
}

type Environment = Readonly<Record<string, string | undefined>>

/** The proxy for connections to the master, or undefined. Throws `AGENT_OPTION_INVALID` for an unusable one. */
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

/** The value is not shown, because it may contain a password. */
function unusable(name: string): ProvisionError {
  return new ProvisionError(
    problem('AGENT_OPTION_INVALID', `${name} is not a proxy URL of the form http://host:port`, {
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

/** `*`, an address, a network, `name` with its subdomains, or `.name` with only the subdomains; each may end in a port. */
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

// Connections to the master through an HTTP proxy: CONNECT (RFC 9110 section 9.3.6), then TLS through the tunnel.

/** Largest response head of a proxy, in bytes. */
const largestAnswer = 16_384

type Opened = (error: Error | null, socket?: Socket) => void

/** An HTTP agent for one connection. Errors name the proxy, never its password. */
export function tunnelAgent(proxy: ProxyServer, master: MasterAddress, timeoutMs: number): Agent {
  const secure = master.scheme === 'https'
  const createConnection = (options: ConnectionOptions, opened: Opened): undefined => {
    openTunnel(proxy, new URL(masterUrl(master)).host, timeoutMs).then(
      (socket) => opened(null, secure ? connectAsAgent({ ...options, socket }) : socket),
      opened,
    )
  }
  return Object.assign(secure ? new TlsAgent() : new PlainAgent(), { createConnection })
}

function openTunnel(proxy: ProxyServer, target: string, timeoutMs: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(proxy.port, proxy.host)
    const fail = (why: string) => {
      socket.destroy()
      reject(new Error(`proxy ${proxy.host}:${proxy.port} ${why}`))
    }
    let answer = ''
    const read = (chunk: Buffer) => {
      answer += chunk.toString('latin1')
      const end = answer.indexOf('\r\n\r\n')
      if (end < 0) return answer.length > largestAnswer && fail('returned a response that is not HTTP')
      const status = /^HTTP\/1\.[01] (\d{3})[^\r]*/.exec(answer)
      if (status?.[1] !== '200') return fail(`refused the tunnel to ${target}: ${status?.[0] ?? 'not HTTP'}`)
      socket.removeAllListeners().setTimeout(0)
      // The master sends nothing before the request, so nothing should follow the head; if there are bytes, they are put back.
      if (answer.length > end + 4) socket.unshift(Buffer.from(answer.slice(end + 4), 'latin1'))
      resolve(socket)
    }
    socket.setTimeout(timeoutMs, () => fail('timed out'))
    socket.on('error', (error) => fail(`cannot be reached: ${error.message}`))
    socket.on('close', () => fail('closed the connection'))
    socket.on('data', read)
    socket.on('connect', () => socket.write(connectRequest(target, proxy.credentials)))
  })
}

function connectRequest(target: string, credentials: string | undefined): string {
  const lines = [`CONNECT ${target} HTTP/1.1`, `Host: ${target}`]
  if (credentials) lines.push(`Proxy-Authorization: Basic ${Buffer.from(credentials).toString('base64')}`)
  return `${lines.join('\r\n')}\r\n\r\n`
}

// The trust anchors of the agent: only the configured certificates, or else those of the machine.

/**
 * TLS options for one dial. Reads the files each time, so that the next dial uses a renewed certificate. Throws
 * `AGENT_FILE_UNREADABLE`.
 */
export function trustOf(
  options: AgentOptions,
  env: Environment,
  logger: Logger,
): ConnectionOptions | undefined {
  const { enabled, skipVerify, masterCert, masterCertName, clientCert, clientKey } = options.tls
  if (!enabled) return undefined
  return dialOptions({
    name: masterCertName || options.masterHost,
    verify: !skipVerify,
    ca: masterCert ? anchorsIn(masterCert, logger) : wellKnownCas(env),
    // Go accepts any certificate of the file as an anchor, also a leaf or an intermediate.
    partialChain: true,
    ...(clientCert && clientKey
      ? {
          clientCertificate: {
            cert: read(clientCert, 'client certificate'),
            key: read(clientKey, 'client key'),
          },
        }
      : {}),
  })
}

function anchorsIn(file: string, logger: Logger): string[] {
  const anchors: string[] = []
  for (const block of readPem(read(file, 'master certificate')).blocks) {
    if (block.label !== 'CERTIFICATE') continue
    try {
      anchors.push(new X509Certificate(block.der).toString())
    } catch {
      const reason = block.fault ?? 'it is not an X.509 certificate'
      logger.warn('a certificate in the file is ignored', {
        file,
        number: block.number,
        line: block.line,
        reason,
      })
    }
  }
  if (anchors.length > 0) return anchors
  throw new ProvisionError(
    problem('AGENT_FILE_UNREADABLE', `master certificate ${file} contains no certificates`),
  )
}

function read(file: string, what: string): string {
  try {
    return decodeText(readFileSync(file))
  } catch (cause) {
    const message = `${what} cannot be read: ${(cause as Error).message}`
    throw new ProvisionError(problem('AGENT_FILE_UNREADABLE', message, { cause }))
  }
}
