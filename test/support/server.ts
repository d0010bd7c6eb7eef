// Raw clients for a listener, and waiting for events on real sockets.
import { connect, type Socket } from 'node:net'
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from 'node:tls'

/** Polls every 2 ms, for at most `seconds`. */
export async function until(condition: () => unknown, what = 'it', seconds = 10): Promise<void> {
  const end = Date.now() + seconds * 1000
  while (!condition()) {
    if (Date.now() > end) throw new Error(`${what} never happened`)
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
}

export interface RawClient {
  socket: Socket
  /** Everything received so far. */
  text: () => string
  /** Resolves with everything received when the other end has closed. */
  end: Promise<string>
}

export function rawClient(port: number, send = ''): RawClient {
  return watch(connect(port, '127.0.0.1'), send)
}

export function rawTlsClient(
  port: number,
  options: ConnectionOptions,
  send = '',
): RawClient & { socket: TLSSocket } {
  const socket = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false, ...options })
  return { ...watch(socket, send), socket }
}

function watch(socket: Socket, send: string): RawClient {
  let text = ''
  socket.on('data', (chunk) => {
    text += chunk.toString('latin1')
  })
  socket.on('error', () => {})
  if (send) socket.write(send)
  const end = new Promise<string>((resolve) => socket.once('close', () => resolve(text)))
  return { socket, text: () => text, end }
}
