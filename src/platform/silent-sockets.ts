// Connections on which nothing arrives any more, as after a cut network: TCP itself notices that after a quarter of an hour.
import type { Agent } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { timedOut } from './http-client.ts'

/**
 * For each new socket of an agent: destroys it when its timeout passes without a byte (a request sets it, an idle socket has
 * none), and with it the idle sockets of the agent. They were open before, so the next request would wait on one of them as well.
 */
export function endSilent<S extends Duplex | null | undefined>(agent: Agent, made: S): S {
  const socket = made as Socket | null | undefined
  socket?.on('timeout', () => {
    socket.destroy(timedOut(socket.timeout ?? 0))
    dropIdle(agent)
  })
  return made
}

/** Closes the idle connections of the agent. */
export function dropIdle({ freeSockets }: Agent): void {
  for (const socket of Object.values(freeSockets).flat()) socket?.destroy()
}
