// Hosts as network namespaces, each with two links to the test: one to EC2 and the master, one to the database. The servers of
// the test listen on loopback only. Forwarders listen at one address at the end of each kind of link: the one exception, in a
// network that no other computer and no other process reaches.
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'

export type LinkName = 'cloud' | 'database'

export interface Network {
  /** Where every host finds what is behind its link. */
  readonly addresses: Readonly<Record<LinkName, string>>
  readonly hosts: readonly NetworkHost[]
  /** Connections to this port of the link's address go to the same port of loopback. */
  forward(link: LinkName, port: number): Promise<void>
  dispose(): Promise<void>
}

export interface NetworkHost {
  /** Runs a program on this host. */
  readonly wrapper: string[]
  /** EC2's actions that came by the link, with the time of arrival in milliseconds. */
  readonly calls: readonly Call[]
  /** From now on packets vanish in both directions, without an answer of any kind. */
  cut(...links: LinkName[]): void
  /** Packets arrive again, also repeated ones of connections from before. */
  mend(...links: LinkName[]): void
  /** A connection from the host is accepted within two seconds. */
  reaches(link: LinkName, port: number): boolean
}

interface Call {
  action: string
  at: number
}

const links = ['cloud', 'database'] as const

/** Runs a program under a host name of its own. Provisioners of one host name may know that a process of theirs is gone. */
export function hostNamed(name: string): string[] {
  return ['unshare', '--uts', 'sh', '-c', `hostname ${name}; exec "$@"`, 'sh']
}

function ip(...args: string[]): void {
  execFileSync('ip', args, { stdio: 'pipe' })
}

/**
 * @param number 0 to 70: test files run at the same time, each with a network of its own
 * @param count of hosts: 1 to 250
 */
export function createNetwork(number: number, count: number): Network {
  if (process.env['NETWORK_FAKETIME'] === undefined) throw new Error('start with npm run test:network')
  const servers: Server[] = []
  const sockets = new Set<Socket>()
  const calls = new Map<string, Call[]>()
  const nets: Record<LinkName, string> = {
    cloud: `10.${100 + 2 * number}`,
    database: `10.${101 + 2 * number}`,
  }
  const addresses = { cloud: `${nets.cloud}.0.1`, database: `${nets.database}.0.1` }
  for (const link of links) ip('address', 'add', `${addresses[link]}/32`, 'dev', 'lo')
  const names = Array.from({ length: count }, (_, n) => `host-${number}-${n + 1}`)
  const hosts = names.map((name, n) => networkHost(name, n + 1, nets, calls))

  function track(socket: Socket, other: () => Socket): void {
    sockets.add(socket)
    socket.on('error', () => other().destroy())
    socket.on('close', () => {
      sockets.delete(socket)
      other().destroy()
    })
  }

  return {
    addresses,
    hosts,
    async forward(link, port) {
      const server = createServer((socket) => {
        const onward = connect(port, '127.0.0.1')
        track(socket, () => onward)
        track(onward, () => socket)
        const sent = calls.get(socket.remoteAddress ?? '')
        socket.on('data', (part: Buffer) => {
          for (const [, action] of part.toString('latin1').matchAll(/\bAction=(\w+)/g))
            sent?.push({ action: action!, at: Date.now() })
        })
        socket.pipe(onward).pipe(socket)
      })
      servers.push(server)
      server.listen(port, addresses[link])
      await once(server, 'listening')
    },
    async dispose() {
      for (const socket of sockets) socket.destroy()
      await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
      for (const name of names) ip('netns', 'delete', name)
      for (const link of links) ip('address', 'delete', `${addresses[link]}/32`, 'dev', 'lo')
    },
  }
}

/** Its own addresses end in .2, those of the test's end of its links in .1. */
function networkHost(
  name: string,
  number: number,
  nets: Record<LinkName, string>,
  calls: Map<string, Call[]>,
): NetworkHost {
  const device = (link: LinkName) => `${link === 'cloud' ? 'c' : 'd'}-${name}`
  const subnets = { cloud: `${nets.cloud}.${number}`, database: `${nets.database}.${number}` }
  const own: Call[] = []
  calls.set(`${subnets.cloud}.2`, own)
  ip('netns', 'add', name)
  ip('-n', name, 'link', 'set', 'lo', 'up')
  for (const link of links) {
    const near = `${subnets[link]}.1`
    const mac = `02:00:${subnets[link]
      .split('.')
      .map((part) => Number(part).toString(16).padStart(2, '0'))
      .join(':')}:01`
    const peer = ['peer', 'name', link, 'netns', name]
    ip('link', 'add', device(link), 'address', mac, 'type', 'veth', ...peer)
    ip('address', 'add', `${near}/30`, 'dev', device(link))
    ip('link', 'set', device(link), 'up')
    ip('-n', name, 'address', 'add', `${subnets[link]}.2/30`, 'dev', link)
    ip('-n', name, 'link', 'set', link, 'up')
    ip('-n', name, 'route', 'add', `${nets[link]}.0.1`, 'via', near)
    // Else the host would notice a cut after three seconds, when nobody answers to ARP: behind a router it would not.
    ip('-n', name, 'neighbour', 'replace', near, 'lladdr', mac, 'dev', link, 'nud', 'permanent')
  }
  const set = (state: 'up' | 'down', which: LinkName[]) => {
    for (const link of which) ip('link', 'set', device(link), state)
  }
  return {
    calls: own,
    wrapper: ['ip', 'netns', 'exec', name, ...hostNamed(name)],
    cut: (...which) => set('down', which),
    mend: (...which) => set('up', which),
    reaches(link, port) {
      const script = `timeout 2 bash -c ': > /dev/tcp/${nets[link]}.0.1/${port}'`
      try {
        execFileSync('ip', ['netns', 'exec', name, 'bash', '-c', script], { stdio: 'pipe' })
        return true
      } catch {
        return false
      }
    },
  }
}
