// A client that reads a streamed response of a test master, line by line.
import { get, type RequestOptions } from 'node:https'
import { dialOptions } from '../../src/pki/dial-options.ts'
import { type TestMaster, token } from './master.ts'
import type { Json } from './work.ts'

export interface LogReader {
  status: number | undefined
  /** The `result` of each line. */
  lines: Json[]
  ended: boolean
  leave(): void
}

export function readLog(m: TestMaster, path: string): LogReader {
  const tls = dialOptions({ name: 'master.test', ca: m.chain.root.certificate }) as RequestOptions
  const headers = { Authorization: `Bearer ${token}` }
  const reader: LogReader = {
    status: undefined,
    lines: [],
    ended: false,
    leave: () => void request.destroy(),
  }
  const request = get(
    { host: '127.0.0.1', port: m.listener.port, path, headers, agent: false, ...tls },
    (response) => {
      reader.status = response.statusCode
      let rest = ''
      response.setEncoding('utf8').on('data', (text: string) => {
        const whole = (rest + text).split('\n')
        rest = whole.pop()!
        reader.lines.push(...whole.map((line) => JSON.parse(line).result as Json))
      })
      response.on('end', () => {
        reader.ended = true
      })
      response.on('error', () => {})
    },
  )
  request.on('error', () => {})
  return reader
}
