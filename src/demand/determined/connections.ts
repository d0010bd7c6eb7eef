// Requests to one master over connections that stay open: each with a deadline, answers bounded, redirects never followed.
import { Agent, type ClientRequestArgs, request } from 'node:http'
import { connect } from 'node:net'
import type { Duplex } from 'node:stream'
import { connectAsAgent } from '../../pki/dial-options.ts'
import { readAll, timedOut } from '../../platform/http-client.ts'
import type { Endpoint } from './endpoint.ts'

export interface Order {
  method: 'GET' | 'POST'
  path: string
  token?: string
  /** Sent as JSON. */
  body?: unknown
  signal?: AbortSignal
}

export interface HttpAnswer {
  status: number
  text: string
}

export interface Connections {
  /** Any status is an answer. Rejects with the signal's reason, or with the error of the network or of TLS. */
  send(order: Order): Promise<HttpAnswer>
  close(): void
}

/** A hundred thousand tasks fit in; what goes on for longer is no answer of a master. */
const longestAnswer = 256 * 1024 * 1024

export function openConnections(
  { address: { host, port }, trust }: Endpoint,
  { timeoutMs, userAgent }: { timeoutMs: number; userAgent: string },
): Connections {
  const agent = new DiallingAgent(() =>
    trust ? connectAsAgent({ host, port, ...trust.options }) : connect({ host, port }),
  )
  const authority = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`

  function once({ method, path, token, body, signal }: Order): Promise<HttpAnswer> {
    const deadline = AbortSignal.timeout(timeoutMs)
    const text = body === undefined ? undefined : JSON.stringify(body)
    const headers = {
      Host: authority,
      Accept: 'application/json',
      'User-Agent': userAgent,
      ...(token && { Authorization: `Bearer ${token}` }),
      ...(text !== undefined && {
        'Content-Type': 'application/json',
        'Content-Length': String(Buffer.byteLength(text)),
      }),
    }
    return new Promise((resolve, reject) => {
      const sent = request(
        {
          agent,
          host,
          port,
          method,
          path,
          headers,
          signal: signal ? AbortSignal.any([signal, deadline]) : deadline,
        },
        (response) => {
          readAll(response, longestAnswer).then(
            (answer) => resolve({ status: response.statusCode ?? 0, text: answer }),
            fail,
          )
        },
      )
      function fail(error: Error): void {
        if (signal?.aborted) reject(signal.reason)
        else if (deadline.aborted) reject(timedOut(timeoutMs))
        else reject(Object.assign(error, { reused: sent.reusedSocket }))
      }
      sent.on('error', fail)
      sent.end(text)
    })
  }

  return {
    async send(order) {
      try {
        return await once(order)
      } catch (error) {
        // A master that restarted, or a proxy, has closed the connection while it was idle: that says nothing of it now.
        const { reused, code } = error as NodeJS.ErrnoException & { reused?: boolean }
        if (!reused || (code !== 'ECONNRESET' && code !== 'EPIPE')) throw error
        agent.dropIdle()
        return await once(order)
      }
    },
    close: () => agent.destroy(),
  }
}

class DiallingAgent extends Agent {
  readonly #dial: () => Duplex

  constructor(dial: () => Duplex) {
    super({ keepAlive: true, maxSockets: 8, scheduling: 'lifo' })
    this.#dial = dial
  }

  /** Those that are idle for as long have been closed as well. */
  dropIdle(): void {
    for (const socket of Object.values(this.freeSockets).flat()) socket?.destroy()
  }

  override createConnection(_: ClientRequestArgs): Duplex {
    return this.#dial()
  }
}
