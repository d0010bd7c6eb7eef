// One end of the agent socket: whole messages in and out, pings, and a single, typed end.
import { WebSocket } from 'ws'
import type { Clock } from '../../platform/ports.ts'
import { createFlow, type FlowLimit } from './flow.ts'
import { startHeartbeat } from './heartbeat.ts'
import { mostUnread } from './limits.ts'
import type { Decoded } from './union.ts'

/** `closed`: the other end said so. `ended`: we did. The rest are faults of the peer or of the network. */
export type EndKind = 'closed' | 'ended' | 'lost' | 'silent' | 'not_understood' | 'too_large' | 'slow_reader'

export interface ConnectionEnd {
  kind: EndKind
  /** For people: one sentence without a full stop. */
  message: string
}

export interface ConnectionOptions<In, Out> {
  clock: Clock
  decode: (frame: string) => Decoded<In>
  encode: (message: Partial<Out>) => string
  /** The connection comes along, because the first message may be there before whoever dialled has it in hand. */
  onMessage: (message: In, connection: Connection<Out>) => void
  /** Called exactly once, whatever ended it, and nothing is called after it. */
  onEnd: (end: ConnectionEnd) => void
  /** Bytes the peer may leave unread. */
  mostUnread?: number
  /** How much of the peer is read in a second; undefined: all there is. */
  flow?: FlowLimit
}

export interface Connection<Out> {
  /** False when the connection is over, or when the peer does not read: it is then given up. */
  send(message: Partial<Out>): boolean
  /** Says goodbye (1000) and resolves when the socket is gone, after `closeWait` at the latest. */
  close(): Promise<void>
  /** Cuts the socket. */
  terminate(message?: string): void
}

/** Takes over an open `ws` socket that was made with `socketOptions`. */
export function openConnection<In, Out>(
  socket: WebSocket,
  options: ConnectionOptions<In, Out>,
): Connection<Out> {
  const { clock, decode, encode } = options
  const gone = new Promise<void>((resolve) => socket.once('close', resolve))
  let end: ConnectionEnd | undefined
  const ended = new AbortController()
  const flow = options.flow && createFlow(options.flow, clock.now())

  const heartbeat = startHeartbeat({
    clock,
    ping: () => socket.ping(noop),
    expire: () => giveUp({ kind: 'silent', message: 'no pong for 60 s' }),
  })

  function finish(reason: ConnectionEnd): void {
    if (end) return
    end = reason
    heartbeat.stop()
    ended.abort()
    options.onEnd(reason)
  }

  function giveUp(reason: ConnectionEnd): void {
    finish(reason)
    socket.terminate()
  }

  socket.on('pong', () => heartbeat.pong())
  socket.on('message', (data) => {
    if (end) return
    const text = data.toString()
    const decoded = decode(text)
    if (decoded.ok) {
      slowDown(text.length)
      options.onMessage(decoded.message, connection)
    } else {
      finish({ kind: 'not_understood', message: `a frame was not understood: ${decoded.reason}` })
      socket.close(1007, 'frame not understood')
    }
  })
  socket.on('error', (error: NodeJS.ErrnoException) => finish(endOfError(error)))
  socket.on('close', (code, reason) => finish(endOfClose(code, reason.toString())))

  function slowDown(bytes: number): void {
    const wait = flow?.take(bytes, clock.now()) ?? 0
    if (wait === 0 || socket.isPaused) return
    socket.pause()
    clock.sleep(wait, ended.signal).then(
      () => socket.resume(),
      () => socket.resume(),
    )
  }

  const connection: Connection<Out> = {
    send(message) {
      if (end || socket.readyState !== WebSocket.OPEN) return false
      if (socket.bufferedAmount > (options.mostUnread ?? mostUnread)) {
        giveUp({ kind: 'slow_reader', message: `${socket.bufferedAmount} bytes sent and not read` })
        return false
      }
      socket.send(encode(message), noop)
      return true
    },
    close() {
      finish({ kind: 'ended', message: 'closed by this end' })
      socket.close(1000, 'close called')
      return gone
    },
    terminate(message = 'cut by this end') {
      giveUp({ kind: 'ended', message })
    },
  }
  return connection
}

function noop(): void {}

function endOfError(error: NodeJS.ErrnoException): ConnectionEnd {
  if (error.code === 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH' || error.code === 'WS_ERR_TOO_MANY_BUFFERED_PARTS')
    return { kind: 'too_large', message: `a frame was too large: ${error.message}` }
  if (error.code?.startsWith('WS_ERR_'))
    return { kind: 'not_understood', message: `not the WebSocket protocol: ${error.message}` }
  return { kind: 'lost', message: `the connection broke: ${error.message}` }
}

function endOfClose(code: number, reason: string): ConnectionEnd {
  if (code === 1006) return { kind: 'lost', message: 'the connection broke without a goodbye' }
  return { kind: 'closed', message: `closed by the other end (${code}${reason ? ` ${reason}` : ''})` }
}
