// A connection to a database that is far away, or busy: each request arrives late.
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

export interface SlowRelay {
  port: number
  /** Milliseconds from a request to its arrival, for all connections from now on. */
  delay(ms: number): void
  /** Nothing passes, and nobody is told, until `resume`; what was sent meanwhile arrives then. */
  hold(): void
  resume(): void
  close(): void
}

/** On loopback, before a server on the same machine. */
export async function slowRelay(to: number): Promise<SlowRelay> {
  let late = 0
  let held: (() => void)[] | undefined
  const ends = new Set<Socket>()
  const server = createServer({ allowHalfOpen: true }, (client) => {
    const far = connect({ port: to, host: '127.0.0.1', allowHalfOpen: true })
    for (const [from, other, isRequest] of [
      [client, far, true],
      [far, client, false],
    ] as const) {
      ends.add(from)
      // In order, also while the delay changes.
      let due = 0
      const pass = (act: () => void) => {
        due = Math.max(due, performance.now() + (isRequest ? late : 0))
        setTimeout(() => (held ? held.push(act) : act()), Math.max(0, due - performance.now()))
      }
      from.on('data', (part) => pass(() => other.write(part)))
      from.on('end', () => pass(() => other.end()))
      from.on('error', () => other.destroy())
      from.on('close', () => {
        ends.delete(from)
        pass(() => other.destroy())
      })
      from.setNoDelay(true)
    }
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    delay(ms) {
      late = ms
    },
    hold() {
      held ??= []
    },
    resume() {
      const acts = held ?? []
      held = undefined
      for (const act of acts) act()
    },
    close() {
      server.close()
      for (const end of ends) end.destroy()
    },
  }
}
