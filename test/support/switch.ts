// A TCP address that leads to one server, and later to another, as a virtual address or a proxy of a cluster does.
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

export interface TcpSwitch {
  /** On loopback. */
  port: number
  /** New connections lead there; those that are open are cut. undefined: nowhere. */
  lead(to: number | undefined): void
  close(): Promise<void>
}

export async function tcpSwitch(to: number): Promise<TcpSwitch> {
  const open = new Set<Socket>()
  let target: number | undefined = to
  const server = createServer((client) => {
    if (target === undefined) return void client.destroy()
    const upstream = connect(target, '127.0.0.1')
    for (const [socket, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      open.add(socket)
      socket.on('error', () => {})
      socket.once('close', () => {
        open.delete(socket)
        other.destroy()
      })
      socket.pipe(other)
    }
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const cut = () => {
    for (const socket of open) socket.destroy()
  }
  return {
    port: (server.address() as AddressInfo).port,
    lead(next) {
      target = next
      cut()
    },
    async close() {
      cut()
      server.close()
      await once(server, 'close')
    },
  }
}
