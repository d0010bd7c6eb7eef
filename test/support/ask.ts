// One request to an HTTP endpoint, and its answer.
import { request } from 'node:http'
import { type RequestOptions, request as tlsRequest } from 'node:https'

export interface AskOptions extends Pick<RequestOptions, 'ca' | 'cert' | 'key' | 'socketPath' | 'port'> {
  token?: string
  headers?: Record<string, string>
}

export interface Asked {
  status: number
  // biome-ignore lint/suspicious/noExplicitAny: tests read it field by field
  value: any
}

/** With TLS if `ca` is given; verifies the name `master.test`. */
export function ask(
  method: string,
  path: string,
  { token, headers = {}, ...where }: AskOptions,
  body?: unknown,
): Promise<Asked> {
  const text = body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body)
  return new Promise((resolve, reject) => {
    const send = where.ca ? tlsRequest : request
    const sent = send(
      {
        host: '127.0.0.1',
        servername: 'master.test',
        method,
        path,
        agent: false,
        headers: { ...headers, ...(token && { Authorization: `Bearer ${token}` }) },
        ...where,
      },
      (response) => {
        const chunks: Buffer[] = []
        response.on('data', (chunk: Buffer) => chunks.push(chunk))
        response.on('end', () => {
          const whole = Buffer.concat(chunks).toString()
          resolve({ status: response.statusCode ?? 0, value: whole ? JSON.parse(whole) : undefined })
        })
      },
    )
    sent.on('error', reject)
    sent.end(text)
  })
}
