// Connections to the master through an HTTP proxy: CONNECT (RFC 9110 section 9.3.6), then TLS as if there were none.
import { type Agent, Agent as PlainAgent } from 'node:http'
import { Agent as TlsAgent } from 'node:https'
import { connect, type Socket } from 'node:net'
import type { ConnectionOptions } from 'node:tls'
import { connectAsAgent } from '../../pki/dial-options.ts'
import { type MasterAddress, masterUrl } from '../../pki/master-address.ts'
import type { ProxyServer } from './network.ts'

/** Bytes of the proxy's answer that are read before it is taken for something else. */
const largestAnswer = 16_384

type Opened = (error: Error | null, socket?: Socket) => void

/** For one connection. Errors name the proxy, never its password. */
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
      if (end < 0) return answer.length > largestAnswer && fail('gave an answer that is not HTTP')
      const status = /^HTTP\/1\.[01] (\d{3})[^\r]*/.exec(answer)
      if (status?.[1] !== '200') return fail(`refused the tunnel to ${target}: ${status?.[0] ?? 'not HTTP'}`)
      socket.removeAllListeners().setTimeout(0)
      // The master speaks only when spoken to, so nothing of it can stand behind the head; what does is put back.
      if (answer.length > end + 4) socket.unshift(Buffer.from(answer.slice(end + 4), 'latin1'))
      resolve(socket)
    }
    socket.setTimeout(timeoutMs, () => fail('did not answer in time'))
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
