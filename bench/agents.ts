// How fast agents join over verified TLS, and how much memory each of them uses in the master.
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { dialOptions } from '../src/pki/dial-options.ts'
import { systemClock } from '../src/platform/clock.ts'
import { type AgentConnection, connectAgentSocket } from '../src/standalone/protocol/dial.ts'
import type { Report } from './measure.ts'

const count = 1000
/** Concurrent dials, as when a cloud starts that many VMs together. */
const atOnce = 50

export async function agents(): Promise<Report> {
  const master = fork(join(import.meta.dirname, 'agents-master.ts'), { execArgv: ['--expose-gc'] })
  const [{ port, ca }] = (await once(master, 'message')) as [{ port: number; ca: string }]
  const tls = dialOptions({ name: 'master.bench', ca })
  const connections: AgentConnection[] = []
  try {
    const before = await ask(master)
    const start = performance.now()
    let next = 0
    async function joiner(): Promise<void> {
      while (next < count) connections.push(await joinOne(`agent-${next++}`, port, tls))
    }
    await Promise.all(Array.from({ length: atOnce }, joiner))
    let after = await ask(master)
    while (after.joined < count) after = await ask(master)
    const seconds = (performance.now() - start) / 1000
    const settled = await ask(master)
    const kib = (settled.rss - before.rss) / count / 1024
    return {
      title: 'Agents of the built-in master',
      command: 'npm run bench agents',
      rows: [
        {
          what: `${count} agents join over verified TLS 1.3, ${atOnce} at a time`,
          measured: `${Math.round(count / seconds)} per second`,
          budget: '',
          met: undefined,
        },
        { what: 'memory of the master per joined agent', measured: `${Math.round(kib)} KiB`, budget: '' },
      ],
      notes: ['Master and agents share the machine: both ends of every handshake are in the first number.'],
    }
  } finally {
    for (const connection of connections) connection.terminate()
    master.kill()
  }
}

/** Resolves once this agent has sent its devices. */
function joinOne(id: string, port: number, tls: ReturnType<typeof dialOptions>): Promise<AgentConnection> {
  return new Promise((resolve, reject) => {
    let greeted = () => {}
    const greeting = new Promise<void>((done) => {
      greeted = done
    })
    connectAgentSocket({
      master: { scheme: 'https', host: '127.0.0.1', port },
      join: { id, version: 'bench', resourcePool: 'default', reconnect: false, hostname: id },
      tls,
      clock: systemClock,
      onMessage: greeted,
      onEnd: () => {},
    }).then(async (connection) => {
      await greeting
      const Devices = Array.from({ length: 8 }, (_, n) => ({
        id: n,
        brand: 'T4',
        uuid: `${id}-${n}`,
        type: 'cuda' as const,
      }))
      connection.send({
        AgentStarted: { Version: 'bench', Devices, ContainersReattached: [], ResourcePoolName: 'default' },
      })
      resolve(connection)
    }, reject)
  })
}

async function ask(master: ChildProcess): Promise<{ joined: number; rss: number }> {
  master.send('weigh')
  const [answer] = (await once(master, 'message')) as [{ joined: number; rss: number }]
  return answer
}
