// The agent socket of the fake master, on the same port, with the reconnect window for agents.
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { refuseUpgrade } from '../../../src/http/router.ts'
import { systemClock } from '../../../src/platform/clock.ts'
import { createAcceptor } from '../../../src/standalone/protocol/accept.ts'
import { parseJoin } from '../../../src/standalone/protocol/dial.ts'
import { options } from '../scripted-master.ts'
import { type FakeWorld, giveUp, join, lose } from './world.ts'

/** Milliseconds; real masters wait 25 s. */
const reconnectWait = 6_000

export type Upgrade = (request: IncomingMessage, socket: Duplex, head: Buffer) => void

/** Jobs of real agents are not simulated: nothing is ever started on one. */
export function agentEndpoint(world: FakeWorld): Upgrade {
  const acceptor = createAcceptor({ clock: systemClock })
  return (request, socket, head) => {
    const parsed = parseJoin(request.url ?? '')
    if (!parsed.ok) return refuseUpgrade(socket, 500, parsed.message)
    const { id, resourcePool } = parsed.join
    const pool = resourcePool || 'default'
    if (!world.pools.has(pool))
      return refuseUpgrade(socket, 500, `cannot find specified resource pool ${pool} for agent ${id}`)
    acceptor.accept(request, socket, head, (open) => {
      const known = world.agents.get(id)
      if (!known) join(world, id, 0, { pool, started: false })
      const connection = open({
        onMessage({ AgentStarted: started }) {
          if (!started) return
          if (!known) world.agents.delete(id)
          join(world, id, started.Devices.length, { pool })
        },
        onEnd() {
          lose(world, id)
          setTimeout(() => world.agents.get(id)?.away && giveUp(world, id), reconnectWait).unref()
        },
      })
      connection.send(options)
    })
  }
}
