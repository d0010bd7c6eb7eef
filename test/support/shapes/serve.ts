// A real TLS server for any pair of certificate and key, also weak or wrong ones.
import { once } from 'node:events'
import type { AddressInfo, Socket } from 'node:net'
import { createServer } from 'node:tls'

export interface Serving {
  port: number
  close: () => void
}

/** Listens on loopback; answers every request with an empty 200. Throws when Node rejects the pair. */
export async function serve(pair: { cert: string; key: string }): Promise<Serving> {
  const sockets = new Set<Socket>()
  // Level 0: the server must accept everything; the clients are tested.
  const server = createServer({ ...pair, ciphers: 'DEFAULT@SECLEVEL=0', minVersion: 'TLSv1.2' }, (socket) => {
    socket.on('error', () => {})
    socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n'))
  })
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  server.on('tlsClientError', () => {})
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    close: () => {
      server.close()
      for (const socket of sockets) socket.destroy()
    },
  }
}
