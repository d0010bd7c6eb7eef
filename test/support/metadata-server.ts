// The metadata servers of both clouds with real HTTP, as strict about headers as the real ones.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface MetadataServer {
  /** `127.0.0.1:port` */
  host: string
  env: Record<string, string>
  /** `PUT /latest/api/token`, `GET /latest/meta-data/...` */
  calls: string[]
  /** Paths below `/latest/meta-data/`, `/latest/dynamic/` and `/computeMetadata/v1/`. A missing one is 404. */
  values: Record<string, string>
  /** Answers that precede all others, in order; `hang` never answers. */
  faults: (number | 'hang' | 'redirect' | 'foreign')[]
  /** Rejects all tokens issued before. */
  expireTokens(): void
  close(): Promise<void>
}

export async function metadataServer(values: Record<string, string> = {}): Promise<MetadataServer> {
  let tokens = new Set<string>()
  const server = createServer(answer)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`
  const self: MetadataServer = {
    host,
    env: { AWS_EC2_METADATA_SERVICE_ENDPOINT: `http://${host}/`, GCE_METADATA_HOST: host },
    calls: [],
    values,
    faults: [],
    expireTokens: () => {
      tokens = new Set()
    },
    close: () => {
      server.closeAllConnections()
      return new Promise((resolve) => server.close(() => resolve()))
    },
  }

  function answer(request: IncomingMessage, response: ServerResponse): void {
    self.calls.push(`${request.method} ${request.url}`)
    const fault = self.faults.shift()
    if (fault === 'hang') return
    if (fault === 'redirect')
      return void response.writeHead(302, { location: 'http://portal.invalid/' }).end()
    if (fault === 'foreign') return void response.writeHead(200).end('<html>Welcome</html>')
    if (fault) return void response.writeHead(fault).end()
    if (request.url === '/latest/api/token') return void giveToken(request, response)
    const [, cloud, path] =
      /^\/(latest\/meta-data|latest\/dynamic|computeMetadata\/v1)\/([^?]*)/.exec(request.url ?? '') ?? []
    if (cloud?.startsWith('latest/')) {
      const token = request.headers['x-aws-ec2-metadata-token']
      if (typeof token !== 'string' || !tokens.has(token)) return void response.writeHead(401).end()
    } else {
      response.setHeader('Metadata-Flavor', 'Google')
      if (request.headers['metadata-flavor'] !== 'Google') return void response.writeHead(403).end()
    }
    const value = self.values[path ?? '']
    response.writeHead(value === undefined ? 404 : 200).end(value)
  }

  function giveToken(request: IncomingMessage, response: ServerResponse): void {
    const seconds = Number(request.headers['x-aws-ec2-metadata-token-ttl-seconds'])
    if (request.method !== 'PUT' || !(seconds >= 1 && seconds <= 21_600))
      return void response.writeHead(400).end()
    const token = `token-${self.calls.length}`
    tokens.add(token)
    response.end(token)
  }

  return self
}
