// What the listeners of a provisioner share: paths that need no token, CAs of clients, and the log of failures.
import type { MasterConfig, PoolConfig } from '../config/index.ts'
import type { ClientCaName, ClientCaTexts, ListenOptions } from '../http/index.ts'
import { namedBy, readCertificates, readTextFile } from '../pki/index.ts'
import { type Clock, groupedLog, type Logger } from '../platform/index.ts'
import { isError, ProvisionError, problem, type Where } from '../problems/index.ts'
import { type AnyProvider, definitionOf } from '../providers/index.ts'

// Where the built-in master listens.

/**
 * The configured host. Without one, this machine's loopback if every agent is a process on it, and otherwise every IPv4
 * address: IPv6 must be asked for, because firewall rules are often written for IPv4 alone.
 */
export function listenAddressOf(
  { host, resource_pools }: Pick<MasterConfig, 'host' | 'resource_pools'>,
  providers: readonly AnyProvider[],
): string {
  if (host !== undefined) return host.replace(/^\[(.*)\]$/, '$1')
  const isHere = ({ provider }: PoolConfig) => provider && definitionOf(providers, provider).onThisMachine
  return resource_pools.every(isHere) ? '127.0.0.1' : '0.0.0.0'
}

// Failed connections cost a client nothing, so they must not fill the log.

type OnHandshakeFailure = NonNullable<ListenOptions['onHandshakeFailure']>

interface HandshakeLogOptions {
  clock: Clock
  logger: Logger
  /** The agents that last joined from an address; none where no agents dial. */
  agentsAt?: (address: string) => string[]
}

/** One line a minute for each address and kind of failure. */
export function handshakeLog({ clock, logger, agentsAt }: HandshakeLogOptions): OnHandshakeFailure {
  const log = groupedLog({ clock, log: logger.warn })
  return ({ remoteAddress, kind, message: reason }) => {
    const agents = agentsAt?.((remoteAddress ?? '').replace(/^::ffff:/, '')) ?? []
    log(`${remoteAddress} ${kind}`, 'the TLS handshake with a client failed', {
      remoteAddress,
      // An agent that joined from there before may not trust the certificate that is served now.
      ...(agents.length > 0 && { agents: agents.join() }),
      kind,
      reason,
    })
  }
}

export interface AgentAddresses {
  joined(agent: { id: string; link: { address: string } }): void
  /** The agents that joined from there, the last ones first. Several where they share an address, behind NAT. */
  agentsAt(address: string): string[]
}

/** A handshake that fails does not name the agent; its address does, if it has joined before. */
export function rememberAddresses(mostAgents = 10_000, mostNamed = 5): AgentAddresses {
  const addressOf = new Map<string, string>()
  return {
    joined({ id, link }) {
      addressOf.delete(id)
      addressOf.set(id, link.address)
      const [oldest] = addressOf.keys()
      if (addressOf.size > mostAgents) addressOf.delete(oldest!)
    },
    agentsAt: (wanted) =>
      [...addressOf]
        .filter(([, address]) => address === wanted)
        .map(([id]) => id)
        .reverse()
        .slice(0, mostNamed),
  }
}

// What may be read over the network without a token, in addition to what agents and load balancers need.

export function openReadsOf({ metrics }: Pick<MasterConfig, 'metrics'>): string[] {
  return metrics.access === 'open' ? ['/metrics'] : []
}

// CA certificates that client certificates are verified against.

/**
 * PEM. Throws a ProvisionError when the file cannot be read or has no certificate: an empty list would be taken for the
 * well-known CAs by some TLS libraries (Node, Go), whose certificates anybody can have.
 */
export function readClientCa(path: string, where: Where): string {
  const { text, problems } = readTextFile(path, 'client CA file', undefined, where)
  if (text === undefined) throw new ProvisionError(problems.filter(isError))
  const { certificates, problems: found } = readCertificates(text, path)
  const errors = found.filter(isError)
  if (text.trim() === '' || (certificates.length === 0 && errors.length === 0))
    throw new ProvisionError(
      problem('CLIENT_CA_EMPTY', `the client CA file ${path} has no certificate`, { where }),
    )
  if (errors.length > 0) throw new ProvisionError(errors.map((one) => namedBy(one, path, where)))
  return text
}

/** Undefined if there is none: then clients are asked for no certificate. */
export function clientCasOf(
  given: Partial<Record<ClientCaName, string | undefined>>,
): ClientCaTexts | undefined {
  const named = Object.entries(given).filter(([, pem]) => pem !== undefined)
  return named.length > 0 ? Object.fromEntries(named) : undefined
}
