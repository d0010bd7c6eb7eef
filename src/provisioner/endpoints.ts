// The endpoints of a running provisioner: the control socket in its state folder, and the listener of `listen`.
import { join } from 'node:path'
import type { ListenConfig, MasterConfig, TlsFiles } from '../config/index.ts'
import {
  accessHandler,
  anyOf,
  healthHandler,
  type Info,
  infoHandler,
  type Listener,
  listen,
  listenLocally,
  loadToken,
} from '../http/index.ts'
import { loadTlsCredentials, servedPair, type TlsCredentials } from '../pki/index.ts'
import {
  type Clock,
  contentsFingerprint,
  type Handler,
  type Loaded,
  type Logger,
  tellProblems,
  wallTime,
  watchAndReport,
} from '../platform/index.ts'
import { isError, ProvisionError } from '../problems/index.ts'
import type { Joins } from './joins.ts'
import { clientCasOf, handshakeLog, openReadsOf, readClientCa } from './listeners.ts'

export interface EndpointsOptions {
  config: MasterConfig
  info: Info
  /** The control API. */
  control: Handler
  /** Further handlers on the network listener, as they are now: pushed demand. */
  further: () => Handler[]
  /** Further handlers on the control socket only. */
  local: () => Handler[]
  /** Where a pool requires join proofs: clients are asked for a certificate of the agents' CA, too. */
  joins?: Pick<Joins, 'handler' | 'agentsCa' | 'onChange' | 'prepare'> | undefined
  clock: Clock
  logger: Logger
}

export interface Endpoints {
  /** Of `listen`, when it is configured. */
  listener: { address: string; port: number } | undefined
  close(): Promise<void>
}

/** Throws a ProvisionError when the listener cannot be opened. Without a control socket it continues, and logs that. */
export async function openEndpoints(options: EndpointsOptions): Promise<Endpoints> {
  const { config, control, further, local, logger } = options
  const common = [infoHandler(options.info), healthHandler(() => []), control]
  const listener =
    config.listen &&
    (await openListener(config.listen, { ...options, handlers: [...common, anyOf(further)] }))
  const socket = await listenLocally(
    controlSocketOf(config),
    [...common, anyOf(further), anyOf(local)],
    logger,
  ).catch((error: unknown) => {
    if (!(error instanceof ProvisionError)) throw error
    tellProblems(logger, error.problems)
    return undefined
  })
  // Not before: it takes a quarter of a second of the processor, and nobody must wait for it.
  void options.joins?.prepare()
  return {
    listener: listener && { address: listener.address, port: listener.port },
    async close() {
      await socket?.close()
      await listener?.close()
    },
  }
}

function controlSocketOf({ state_dir }: MasterConfig): string {
  return join(state_dir, 'control.sock')
}

interface OwnListenerOptions {
  config: MasterConfig
  handlers: Handler[]
  joins?: EndpointsOptions['joins']
  clock: Clock
  logger: Logger
}

/**
 * The listener of `listen`: TLS with its own certificate or that of the master, reloaded when it is renewed.
 * Throws a ProvisionError when the port, the certificate or the token is not available.
 */
async function openListener(
  { address, port, tls, client_ca }: ListenConfig,
  { config, handlers, joins, clock, logger }: OwnListenerOptions,
): Promise<Pick<Listener, 'address' | 'port' | 'close'>> {
  const { cert, key } = tls ?? config.security.tls!
  const files = [cert, ...(key ? [key] : [])]
  const load = () => loadPair({ cert, key }, config, tls ? 'listen.tls' : 'security.tls', clock)
  const since = contentsFingerprint(files)
  const first = load()
  if (!first.contents) throw new ProvisionError(first.problems.filter(isError))
  const admin = client_ca && readClientCa(client_ca, config.locate('listen.client_ca'))
  const token = loadToken(join(config.state_dir, 'token'))
  const listener = await listen({
    address,
    port,
    tls: { ...servedPair(first.contents), clientCas: clientCasOf({ admin, agents: joins?.agentsCa() }) },
    handlers: [
      ...(joins ? [joins.handler] : []),
      accessHandler({ token, open: openReadsOf(config) }),
      ...handlers,
    ],
    now: () => wallTime(clock),
    logger,
    onHandshakeFailure: handshakeLog({ clock, logger }),
  })
  joins?.onChange((agents) => listener.useClientCas({ agents }))
  logger.info('listening for control requests and demand', {
    address: listener.address,
    port: listener.port,
  })
  const stopWatching = watchAndReport<TlsCredentials>({
    what: 'certificate of the listener',
    files,
    since,
    load,
    clock,
    logger,
    use: (renewed) => listener.useCertificate(servedPair(renewed)),
    onChange: () => logger.info('the listener serves the renewed certificate', { file: cert }),
  })
  return {
    address: listener.address,
    port: listener.port,
    async close() {
      stopWatching()
      await listener.close()
    },
  }
}

function loadPair(
  { cert, key }: TlsFiles,
  { locate }: MasterConfig,
  path: string,
  clock: Clock,
): Loaded<TlsCredentials> {
  const where = { cert: locate(`${path}.cert`), key: locate(`${path}.key`) }
  const { material, problems } = loadTlsCredentials(
    { certFile: cert, keyFile: key },
    { now: wallTime(clock), where },
  )
  return { contents: material, problems }
}
