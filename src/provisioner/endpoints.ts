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
import { isError, type Problem, ProvisionError } from '../problems/index.ts'
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
  /** PEM of the CA that issues certificates to instances, if a pool requires them. Clients are asked for one of it, too. */
  agentsCa?: string
  clock: Clock
  logger: Logger
}

export interface Endpoints {
  /** Of `listen`, when it is configured. */
  listener: { address: string; port: number } | undefined
  /** The CA of `agentsCa` has changed: PEM with every certificate that is valid now. */
  useAgentsCa(pem: string): Problem | undefined
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
  return {
    listener: listener && { address: listener.address, port: listener.port },
    useAgentsCa: (agents) => listener?.useClientCas({ agents }),
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
  agentsCa?: string
  clock: Clock
  logger: Logger
}

/**
 * The listener of `listen`: TLS with its own certificate or that of the master, reloaded when it is renewed.
 * Throws a ProvisionError when the port, the certificate or the token is not available.
 */
async function openListener(
  { address, port, tls, client_ca }: ListenConfig,
  { config, handlers, agentsCa, clock, logger }: OwnListenerOptions,
): Promise<Pick<Listener, 'address' | 'port' | 'useClientCas' | 'close'>> {
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
    tls: { ...servedPair(first.contents), clientCas: clientCasOf({ admin, agents: agentsCa }) },
    handlers: [accessHandler({ token, open: openReadsOf(config) }), ...handlers],
    now: () => wallTime(clock),
    logger,
    onHandshakeFailure: handshakeLog({ clock, logger }),
  })
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
    useClientCas: listener.useClientCas,
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
