// A proxy in this process: CONNECT, and plain http by absolute URLs. Every name leads to one address.
import { createServer, request } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'

export interface TestProxy {
  /** Without credentials. */
  url: string
  port: number
  /** `CONNECT host:port`, or `GET http://host:port/path`, in order. */
  asked: string[]
  close(): Promise<void>
}

export interface ProxyRule {
  /** Where a host and port lead; default: that port of this machine, whatever the host. */
  leadsTo?: (host: string, port: number) => number
  /** `user:password`; others get 407. */
  credentials?: string
  /** A status instead of a tunnel. */
  refuse?: number
}

export async function connectProxy({ leadsTo = (_, port) => port, credentials, refuse }: ProxyRule = {}) {
  const asked: string[] = []
  const sockets = new Set<Socket>()
  const isAllowed = (header: string | undefined) =>
    !credentials || header === `Basic ${Buffer.from(credentials).toString('base64')}`
  const server = createServer((incoming, answer) => {
    asked.push(`${incoming.method} ${incoming.url}`)
    if (!isAllowed(incoming.headers['proxy-authorization'])) return void answer.writeHead(407).end()
    if (refuse) return void answer.writeHead(refuse).end()
    const url = new URL(incoming.url ?? '')
    const { 'proxy-authorization': _, ...headers } = incoming.headers
    const onward = request(
      {
        host: '127.0.0.1',
        port: leadsTo(url.hostname, Number(url.port || 80)),
        path: url.pathname + url.search,
        method: incoming.method,
        headers,
      },
      (response) => {
        answer.writeHead(response.statusCode ?? 0, response.headers)
        response.pipe(answer)
      },
    )
    onward.on('error', () => answer.writeHead(502).end())
    incoming.pipe(onward)
  })
  server.on('connect', (incoming, socket, head) => {
    asked.push(`CONNECT ${incoming.url}`)
    const status = isAllowed(incoming.headers['proxy-authorization']) ? refuse : 407
    if (status) return void socket.end(`HTTP/1.1 ${status} Refused\r\n\r\n`)
    const [, host = '', port = ''] = /^(.*):(\d+)$/.exec(incoming.url ?? '') ?? []
    const onward = connect(leadsTo(host, Number(port)), '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n')
      onward.write(head)
      onward.pipe(socket).pipe(onward)
    })
    onward.on('error', () => socket.destroy())
    socket.on('error', () => onward.destroy())
  })
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const proxy: TestProxy = {
    url: `http://127.0.0.1:${port}`,
    port,
    asked,
    async close() {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
  return proxy
}
