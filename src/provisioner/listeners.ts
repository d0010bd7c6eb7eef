// What the listeners of a provisioner share: paths that need no token, CAs of clients, and the log of failures.
import type { MasterConfig } from '../config/index.ts'
import type { ListenOptions } from '../http/index.ts'
import { readTextFile } from '../pki/index.ts'
import { type Clock, groupedLog, type Logger } from '../platform/index.ts'
import { isError, ProvisionError, type Where } from '../problems/index.ts'

// Failed connections cost a client nothing, so they must not fill the log.

type OnHandshakeFailure = NonNullable<ListenOptions['onHandshakeFailure']>

/** One line a minute for each address and kind of failure. */
export function handshakeLog({ clock, logger }: { clock: Clock; logger: Logger }): OnHandshakeFailure {
  const log = groupedLog({ clock, log: logger.warn })
  return ({ remoteAddress, kind, message: reason }) =>
    log(`${remoteAddress} ${kind}`, 'the TLS handshake with a client failed', {
      remoteAddress,
      kind,
      reason,
    })
}

// What may be read over the network without a token, in addition to what agents and load balancers need.

export function openReadsOf({ metrics }: Pick<MasterConfig, 'metrics'>): string[] {
  return metrics.access === 'open' ? ['/metrics'] : []
}

// CA certificates that client certificates are verified against.

/** PEM. Throws a ProvisionError when the file cannot be read. */
export function readClientCa(path: string, where: Where): string | undefined {
  const { text, problems } = readTextFile(path, 'client CA file', undefined, where)
  if (problems.some(isError)) throw new ProvisionError(problems)
  return text
}
