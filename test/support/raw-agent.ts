// An agent that writes raw WebSocket frames, also invalid ones.
import { randomBytes } from 'node:crypto'
import type { SecureVersion, TLSSocket } from 'node:tls'
import type { DevelopmentChain } from '../../src/pki/development-ca.ts'
import { rawTlsClient } from './server.ts'

export interface Frame {
  opcode: number
  payload: Buffer
}

export interface RawAgent {
  id: string
  socket: TLSSocket
  /** Frames from the master so far. */
  frames: Frame[]
  /** A masked frame, ready to send. `head` is its first byte: FIN, reserved bits, opcode. */
  encode(head: number, payload: Buffer): Buffer
  frame(head: number, payload: Buffer): void
  text(text: string): void
  /** Code of the master's close frame, after which it disconnects; 1006 without one. */
  closed: Promise<{ code: number }>
}

/** Resolves once the master has answered 101; rejects with its status line and body otherwise. */
export async function rawAgent(
  port: number,
  { root }: DevelopmentChain,
  id: string,
  headers: Record<string, string> = {},
  maxVersion?: SecureVersion,
): Promise<RawAgent> {
  const lines = [
    `GET /agents?id=${encodeURIComponent(id)}&version=1&resource_pool=default&reconnect=false HTTP/1.1`,
    'Host: master.test',
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    `Sec-WebSocket-Key: ${randomBytes(16).toString('base64')}`,
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
  ]
  const tls = { ca: root.certificate, servername: 'master.test', rejectUnauthorized: true, maxVersion }
  const { socket, end } = rawTlsClient(port, tls, `${lines.join('\r\n')}\r\n\r\n`)
  socket.setNoDelay()
  const frames: Frame[] = []
  let bytes = Buffer.alloc(0)
  let upgraded = false

  const answered = new Promise<void>((resolve, reject) => {
    socket.on('data', (chunk) => {
      bytes = Buffer.concat([bytes, chunk])
      if (!upgraded) {
        const headEnd = bytes.indexOf('\r\n\r\n')
        if (headEnd < 0) return
        upgraded = bytes.toString('latin1', 9, 12) === '101'
        if (!upgraded) return
        bytes = bytes.subarray(headEnd + 4)
        resolve()
      }
      bytes = takeFrames(bytes, frames)
      if (frames.some(({ opcode }) => opcode === 8)) socket.destroy()
    })
    void end.then((text) => reject(new Error(text)))
  })
  await answered
  const encode = (head: number, payload: Buffer) =>
    Buffer.concat([frameHeader(head, payload.length), mask(payload)])
  const frame = (head: number, payload: Buffer) => void socket.write(encode(head, payload))
  return {
    id,
    socket,
    frames,
    encode,
    frame,
    text: (text) => frame(0x81, Buffer.from(text)),
    closed: end.then(() => {
      const close = frames.find(({ opcode }) => opcode === 8)
      return { code: close && close.payload.length >= 2 ? close.payload.readUInt16BE(0) : 1006 }
    }),
  }
}

/** All masks are zero: valid, and the bytes stay readable. */
function mask(payload: Buffer): Buffer {
  return Buffer.concat([Buffer.alloc(4), payload])
}

function frameHeader(head: number, length: number): Buffer {
  if (length < 126) return Buffer.from([head, 0x80 | length])
  if (length < 65_536) return Buffer.from([head, 0xfe, length >> 8, length & 0xff])
  const header = Buffer.from([head, 0xff, 0, 0, 0, 0, 0, 0, 0, 0])
  header.writeBigUInt64BE(BigInt(length), 2)
  return header
}

/** Removes complete (unmasked) frames from `bytes` and returns the rest. */
function takeFrames(bytes: Buffer, frames: Frame[]): Buffer<ArrayBuffer> {
  let rest = Buffer.from(bytes)
  for (;;) {
    if (rest.length < 2) return rest
    let start = 2
    let length = rest[1]! & 0x7f
    if (length === 126) {
      if (rest.length < 4) return rest
      length = rest.readUInt16BE(2)
      start = 4
    } else if (length === 127) {
      if (rest.length < 10) return rest
      length = Number(rest.readBigUInt64BE(2))
      start = 10
    }
    if (rest.length < start + length) return rest
    frames.push({ opcode: rest[0]! & 0x0f, payload: rest.subarray(start, start + length) })
    rest = rest.subarray(start + length)
  }
}
