// One dial of a master: connect, shake hands, ask for /info, and say how far it came.
import type { X509Certificate } from 'node:crypto'
import { type IncomingMessage, request } from 'node:http'
import { connect as connectPlain, isIP, type LookupFunction, type Socket } from 'node:net'
import type { ConnectionOptions, TLSSocket } from 'node:tls'
import { connectAsAgent } from './dial-options.ts'

/** How far a dial came: what tells a firewall from a wrong service. */
export type DialPhase = 'lookup' | 'connect' | 'handshake' | 'http'

export interface DialOrder {
  host: string
  port: number
  /** Undefined: dial in plain text. */
  tls?: ConnectionOptions
  /** Instead of the machine's resolver. */
  lookup?: LookupFunction
  /** For the Host header: what agents dial. */
  authority: string
  /** Milliseconds; shared by the addresses of a host. Ending the dial is up to the signal. */
  budgetMs: number
  signal: AbortSignal
}

export interface DialOutcome {
  /** The phase in which it ended. */
  phase: DialPhase
  /** Undefined when the master answered by HTTP. */
  fault?: NodeJS.ErrnoException
  /** The signal ended it; before or after the head of an HTTP answer. */
  timedOut: boolean
  /** Such as `TLSv1.3`. */
  protocol?: string
  /** The certificates the master sent, in its order; empty when the handshake did not come to an end. */
  presented: X509Certificate[]
  http?: HttpAnswer
}

export interface HttpAnswer {
  status: number
  /** At most 64 KiB. */
  body: string
}

const maxBody = 65_536
/** More than any verifier follows. */
const maxPresented = 20

/** Never rejects: whatever goes wrong is in the outcome. */
export function dialMaster(order: DialOrder): Promise<DialOutcome> {
  return new Promise((resolve) => {
    const outcome: DialOutcome = {
      phase: isIP(order.host) ? 'connect' : 'lookup',
      timedOut: false,
      presented: [],
    }
    let socket: Socket | undefined
    const end = (change: Partial<DialOutcome>): void => {
      order.signal.removeEventListener('abort', expire)
      socket?.destroy()
      resolve({ ...outcome, ...change })
    }
    const expire = (): void => end({ timedOut: true })
    order.signal.addEventListener('abort', expire)
    if (order.signal.aborted) return expire()
    try {
      socket = open(order)
    } catch (fault) {
      return end({ fault: fault as Error })
    }

    const reach = (phase: DialPhase): void => {
      outcome.phase = phase
      if (phase !== 'http') return
      askInfo(socket!, order.authority, (answer) => Object.assign(outcome, { http: answer })).then(
        () => end({}),
        (fault) => end(outcome.http ? {} : { fault }),
      )
    }
    socket.on('lookup', (fault) => fault ?? reach('connect'))
    socket.on('connect', () => reach(order.tls ? 'handshake' : 'http'))
    socket.on('secureConnect', () => {
      outcome.protocol = (socket as TLSSocket).getProtocol() ?? undefined
      outcome.presented = presentedBy(socket as TLSSocket)
      reach('http')
    })
    socket.on('error', (fault) => end(outcome.http ? {} : { fault }))
  })
}

function open({ host, port, lookup, tls, budgetMs }: DialOrder): Socket {
  // Node gives every address of a host but the last 250 ms: too little for a far master.
  const where = {
    host,
    port,
    lookup,
    autoSelectFamilyAttemptTimeout: Math.max(250, Math.floor(budgetMs / 2)),
  }
  return tls ? connectAsAgent({ ...where, ...tls }) : connectPlain(where)
}

/** Calls back with the status and the body so far; resolves when the body is whole or too long. */
function askInfo(socket: Socket, authority: string, heard: (answer: HttpAnswer) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const headers = { Host: authority, Connection: 'close', Accept: 'application/json' }
    const asked = request({ createConnection: () => socket, path: '/info', headers })
    asked.on('error', reject)
    asked.on('response', (response: IncomingMessage) => {
      const answer = { status: response.statusCode ?? 0, body: '' }
      heard(answer)
      response.setEncoding('utf8')
      response.on('error', reject)
      response.on('data', (text: string) => {
        answer.body += text
        if (answer.body.length >= maxBody) resolve()
      })
      response.on('end', resolve)
    })
    asked.end()
  })
}

function presentedBy(socket: TLSSocket): X509Certificate[] {
  const presented: X509Certificate[] = []
  let next = socket.getPeerX509Certificate()
  while (next && presented.length < maxPresented) {
    presented.push(next)
    next = next.issuerCertificate
  }
  return presented
}
