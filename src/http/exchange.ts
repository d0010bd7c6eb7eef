// One HTTP request and its answer, with a deadline.
import { request } from 'node:http'
import { type AgentDialOptions, connectAsAgent } from '../pki/dial-options.ts'
import { readAll, timedOut } from '../platform/http-client.ts'

export interface ExchangeOrder {
  host: string
  port: number
  /** Of a socket in the file system, in place of host and port. */
  socketPath?: string
  /** undefined: plain http. */
  tls?: AgentDialOptions
  method: 'GET' | 'POST'
  path: string
  headers: Record<string, string>
  body?: string
  /** Milliseconds for the whole exchange. */
  timeoutMs: number
}

export interface HttpAnswer {
  status: number
  text: string
}

/** All that a master remembers fits in; what goes on for longer is no answer of ours. */
const longestAnswer = 64 * 1024 * 1024

/** Milliseconds for each address of a host but the last; Node's 250 are too few for a far one. */
const perAddress = 2500

/** Any status is an answer. Rejects with the error of the network or of TLS; ETIMEDOUT after the deadline. */
export function exchange(order: ExchangeOrder): Promise<HttpAnswer> {
  const { tls, body, timeoutMs, ...rest } = order
  const deadline = AbortSignal.timeout(timeoutMs)
  return new Promise((resolve, reject) => {
    const fail = (error: Error) => reject(deadline.aborted ? timedOut(timeoutMs) : error)
    const headers = { ...order.headers, ...(body && { 'Content-Length': String(Buffer.byteLength(body)) }) }
    const where = order.socketPath
      ? { socketPath: order.socketPath }
      : { host: order.host, port: order.port, autoSelectFamilyAttemptTimeout: perAddress }
    const createConnection = tls && (() => connectAsAgent({ ...where, ...tls }))
    const sent = request({ ...rest, ...where, headers, createConnection, signal: deadline }, (response) => {
      readAll(response, longestAnswer).then(
        (text) => resolve({ status: response.statusCode ?? 0, text }),
        fail,
      )
    })
    sent.on('error', fail)
    sent.end(body)
  })
}
