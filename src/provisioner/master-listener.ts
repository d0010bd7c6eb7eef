// The port of the built-in master, open from the start to the stop. Only who leads has the master behind it; a standby
// answers there that it is one, so that a load balancer finds the other.
import { join } from 'node:path'
import {
  accessHandler,
  anyOf,
  createSessions,
  healthHandler,
  infoHandler,
  type Listener,
  listen,
  loadToken,
  openFault,
  readUsers,
  refuseUpgrade,
  sendJson,
} from '../http/index.ts'
import { servedPair } from '../pki/index.ts'
import { type Handler, type UpgradeHandler, wallTime } from '../platform/index.ts'
import type { Master } from '../standalone/index.ts'
import type { DemandContext } from './demand.ts'
import {
  clientCasOf,
  handshakeLog,
  listenAddressOf,
  openReadsOf,
  readClientCa,
  rememberAddresses,
} from './listeners.ts'

export interface MasterListener {
  address: string
  port: number
  /** The master is behind it until the returned function is called. */
  serve(master: Master): () => void
  close(): Promise<void>
}

export type MasterListenerContext = Pick<
  DemandContext,
  'config' | 'version' | 'identity' | 'providers' | 'certificate' | 'control' | 'joins' | 'clock' | 'logger'
>

/** Throws a ProvisionError when the port or a file it needs is not available. */
export async function openMasterListener(context: MasterListenerContext): Promise<MasterListener> {
  const { config, version, identity, providers, certificate, control, joins, clock, logger } = context
  const { client_ca } = config.resource_manager
  const own = client_ca && readClientCa(client_ca, config.locate('resource_manager.client_ca'))
  const access = { token: loadToken(join(config.state_dir, 'token')), open: openReadsOf(config) }
  const served = certificate.current()
  const addresses = rememberAddresses()
  const sessions = createSessions({
    users: () => readUsers(join(config.state_dir, 'users')),
    clock,
    logger,
  })
  const about = { version, cluster_id: identity.clusterId, cluster_name: config.cluster_name }
  const standby = [
    accessHandler(access),
    // So that our clients know what it is, and show its answer.
    infoHandler(about),
    healthHandler(() => []),
    control,
    notHere,
  ]
  let handlers: readonly Handler[] = standby
  let upgrades: readonly UpgradeHandler[] = []
  const listener: Listener = await listen({
    address: listenAddressOf(config, providers),
    port: config.port,
    tls: served && {
      ...servedPair(served),
      clientCas: clientCasOf({ master: own, agents: joins?.agentsCa() }),
    },
    handlers: [...(joins ? [joins.handler] : []), anyOf(() => handlers)],
    upgrades: [
      (request, socket, head) => {
        if (upgrades.some((upgrade) => upgrade(request, socket, head))) return true
        if (handlers !== standby) return false
        refuseUpgrade(socket, 503, standbyMessage, 1)
        return true
      },
    ],
    now: () => wallTime(clock),
    logger,
    onHandshakeFailure: handshakeLog({ clock, logger, agentsAt: addresses.agentsAt }),
  })
  joins?.onChange((agents) => listener.useClientCas({ agents }))
  certificate.serveWith((renewed) => listener.useCertificate(servedPair(renewed)))
  const { address, port, secure: tls } = listener

  return {
    address,
    port,
    serve(master) {
      const faults = () => [master.fault()].flatMap((fault) => (fault ? [openFault(fault)] : []))
      master.onAgent(({ kind, agent }) => {
        if (kind === 'joined' || kind === 'returned') addresses.joined(agent)
      })
      handlers = [
        sessions.login,
        master.taskOutput,
        accessHandler({ ...access, accepts: sessions.accepts }),
        sessions.own,
        healthHandler(faults),
        control,
        ...master.handlers,
      ]
      upgrades = master.upgrades
      logger.info('the master listens', { address, port, tls })
      return () => {
        handlers = standby
        upgrades = []
      }
    },
    close: () => listener.close(),
  }
}

const standbyMessage = 'this provisioner stands by; `GET /readyz` names the one that leads: ask that one'

const refusing =
  (message: string): Handler =>
  (_, response) =>
    sendJson(response, 503, { message, error: { error: message } })

/** What needs the master, or the pushed demand, of who leads. */
export const notHere = refusing(standbyMessage)
/** The same where nobody else leads. */
export const notYet = refusing('this provisioner is starting: repeat the request')
