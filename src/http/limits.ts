// What one client may cost us. Times in milliseconds, sizes in bytes.

export interface ServerLimits {
  /** Sockets at once; further ones are closed as they come. */
  connections: number
  /** From the first byte of TCP to the end of the TLS handshake. */
  handshake: number
  /** Until the last header has come; also how long a silent connection lives. */
  headers: number
  /** Until the last byte of the body has come. */
  request: number
  /** Between two requests on one connection. */
  keepAlive: number
  /** Without a byte in either direction while a request is answered. */
  idle: number
  headerSize: number
}

export const defaultLimits: ServerLimits = {
  connections: 20_000,
  handshake: 10_000,
  headers: 10_000,
  request: 30_000,
  keepAlive: 15_000,
  idle: 60_000,
  headerSize: 16_384,
}
