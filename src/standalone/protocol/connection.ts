// One end of the agent socket: complete messages in and out, pings, and a single, typed end.
import { WebSocket } from 'ws'
import type { Clock } from '../../platform/index.ts'
import type { Decoded } from './messages.ts'

/** `closed`: by the peer. `ended`: by this end. The rest are faults of the peer or of the network. */
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
  /** Gets the connection as an argument, because the first message may arrive before the dial has returned it. */
  onMessage: (message: In, connection: Connection<Out>) => void
  /** Called exactly once, for any end; no other callback follows. */
  onEnd: (end: ConnectionEnd) => void
  /** Bytes the peer may leave unread. */
  mostUnread?: number
  /** Read limit per second; undefined: no limit. */
  flow?: FlowLimit
  /** Default: that of the protocol. */
  keepalive?: Keepalive | undefined
}

/** Milliseconds between pings, and without a pong until the connection counts as lost. */
export interface Keepalive {
  interval: number
  deadline: number
}

export interface Connection<Out> {
  /** False when the connection is closed. Also closes it and returns false when the peer does not read. */
  send(message: Partial<Out>): boolean
  /** Closes with code 1000 and resolves when the socket is closed, after `closeWait` at the latest. */
  close(): Promise<void>
  /** Closes the socket at once. */
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
  const { interval, deadline } = options.keepalive ?? { interval: pingInterval, deadline: pongDeadline }

  const heartbeat = startHeartbeat({
    clock,
    ping: () => socket.ping(noop),
    expire: () => giveUp({ kind: 'silent', message: `no pong for ${deadline / 1000} s` }),
    interval,
    deadline,
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
      finish({ kind: 'not_understood', message: `invalid frame: ${decoded.reason}` })
      socket.close(1007, 'invalid frame')
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
        giveUp({
          kind: 'slow_reader',
          message: `${socket.bufferedAmount} bytes sent but not read by the peer`,
        })
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
    terminate(message = 'terminated by this end') {
      giveUp({ kind: 'ended', message })
    },
  }
  return connection
}

function noop(): void {}

function endOfError(error: NodeJS.ErrnoException): ConnectionEnd {
  if (error.code === 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH' || error.code === 'WS_ERR_TOO_MANY_BUFFERED_PARTS')
    return { kind: 'too_large', message: `frame too large: ${error.message}` }
  if (error.code?.startsWith('WS_ERR_'))
    return { kind: 'not_understood', message: `not the WebSocket protocol: ${error.message}` }
  return { kind: 'lost', message: `the connection was lost: ${error.message}` }
}

function endOfClose(code: number, reason: string): ConnectionEnd {
  if (code === 1006) return { kind: 'lost', message: 'the connection was lost without a close frame' }
  return { kind: 'closed', message: `closed by the peer (${code}${reason ? ` ${reason}` : ''})` }
}

// Keepalive: pings at an interval, and closes the connection when no pong has arrived for too long.

export interface HeartbeatOptions {
  clock: Clock
  ping: () => void
  /** Called once, when the deadline has passed without a pong. */
  expire: () => void
  /** Milliseconds; the protocol's values except in tests. */
  interval?: number
  deadline?: number
}

export interface Heartbeat {
  pong(): void
  stop(): void
}

/** Starts at once; the first deadline counts from now. */
export function startHeartbeat(options: HeartbeatOptions): Heartbeat {
  const { clock, interval = pingInterval, deadline = pongDeadline } = options
  const stop = new AbortController()
  let expiresAt = clock.now() + deadline

  async function beat(): Promise<void> {
    let nextPing = clock.now() + interval
    for (;;) {
      await clock.sleep(Math.max(0, Math.min(nextPing, expiresAt) - clock.now()), stop.signal)
      const now = clock.now()
      if (now >= expiresAt) {
        stop.abort()
        options.expire()
        return
      }
      if (now >= nextPing) {
        nextPing = now + interval
        options.ping()
      }
    }
  }
  // Besides expiry, only `stop` ends the loop: it rejects the sleep.
  beat().catch((error: unknown) => {
    if (!stop.signal.aborted) throw error
  })

  return {
    pong() {
      expiresAt = clock.now() + deadline
    },
    stop: () => stop.abort(),
  }
}

// A token bucket: how long to stop reading from a peer that sends too much.

export interface FlowLimit {
  /** Per second. */
  messages: number
  bytes: number
  /** Burst, in seconds of the rate. */
  burstSeconds: number
}

export interface Flow {
  /** Counts one message; returns the milliseconds until the next may be read, or 0. `now` in milliseconds. */
  take(bytes: number, now: number): number
}

/** Starts with the full allowance. */
export function createFlow({ messages, bytes, burstSeconds }: FlowLimit, start: number): Flow {
  // In seconds: messages and bytes both use up the allowance.
  let allowance = burstSeconds
  let last = start
  return {
    take(size, now) {
      allowance = Math.min(burstSeconds, allowance + Math.max(0, now - last) / 1000)
      last = now
      allowance -= Math.max(1 / messages, size / bytes)
      // Tolerates rounding errors of the sums.
      return Math.max(0, Math.ceil(-allowance * 1000 - 1e-6))
    },
  }
}

// Protocol constants: those both ends must share (Determined: master/pkg/ws/ws.go) and our own limits.

/** Milliseconds between pings, from both ends. */
export const pingInterval = 15_000
/** Milliseconds until a connection without a pong is closed. Only pongs count: a peer that sends but cannot receive is lost. */
export const pongDeadline = 60_000
/** Milliseconds to wait for the peer's close frame. */
export const closeWait = 5_000
/** Milliseconds for dial, handshake and response (gorilla's default dialer has 45 s, too). */
export const dialTimeout = 45_000

/** Largest frame a master may send: start orders carry packed files. */
export const largestAgentFrame = 128 * 1024 * 1024
/**
 * Largest frame accepted from an agent. Determined's master accepts 128 MiB. The largest real frames, log lines and docker's
 * description of a container, are far smaller, and a master serves thousands of agents.
 */
export const largestMasterFrame = 8 * 1024 * 1024
/** Bytes a peer may leave unread before the connection is closed: more than one large start order. */
export const mostUnread = 192 * 1024 * 1024
/**
 * Read limits for one agent, per second and in a burst: a task with much output must not slow down other agents. The
 * master pauses reading from the agent's socket; nothing is dropped.
 */
export const agentFlow = { messages: 1000, bytes: 8 * 1024 * 1024, burstSeconds: 4 }

/** For both kinds of `ws` socket. A separate constant, because @types/ws does not have `closeTimeout` yet. */
export const socketOptions = { perMessageDeflate: false, closeTimeout: closeWait }
