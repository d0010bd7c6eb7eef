// The built-in master as a process runs it: its memory on the disk, its listener, its token, its certificate.
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import type { MasterConfig } from '../config/master-config.ts'
import { accessHandler } from '../http/access.ts'
import { type Listener, listen } from '../http/listen.ts'
import { healthHandler } from '../http/status-endpoints.ts'
import { loadToken } from '../http/token.ts'
import { pathFacts, servedPair, type TlsMaterial } from '../pki/credentials.ts'
import { tellProblems } from '../platform/tell-problems.ts'
import type { Problem } from '../problems/problem.ts'
import { createMaster, type Master } from '../standalone/master/master.ts'
import { openKeeper } from '../standalone/master/state.ts'
import { readClientCa } from './client-ca.ts'
import type { DemandContext } from './demand.ts'

export interface BuiltInMaster {
  master: Master
  address: string
  port: number
  /** Serves the renewed certificate and gives it to tasks; the problem when it cannot be used. */
  renew(material: TlsMaterial): Problem | undefined
  close(): Promise<void>
}

/** Throws a ProvisionError when the port, the state folder or a file it needs cannot be had. */
export async function openBuiltInMaster(options: DemandContext): Promise<BuiltInMaster> {
  const { config, clock, logger } = options
  let { material } = options
  const { client_ca } = config.resource_manager
  const clientCa =
    client_ca && readClientCa(client_ca, { file: config.file, path: 'resource_manager.client_ca' })
  const token = loadToken(join(config.state_dir, 'token'))
  const keeper = await openKeeper({ file: join(config.state_dir, 'master.journal'), clock, logger })
  tellProblems(logger, keeper.problems)
  const master = createMaster({
    ...options,
    masterId: randomUUID(),
    clusterId: options.identity.clusterId,
    keeper,
    taskCertificate: () =>
      material &&
      pathFacts(material.path)
        .map(({ pem }) => pem)
        .join(''),
  })
  try {
    const listener = await open(options, master, { token, clientCa })
    return {
      master,
      address: listener.address,
      port: listener.port,
      renew(renewed) {
        const unusable = listener.useCertificate(servedPair(renewed))
        if (!unusable) material = renewed
        return unusable
      },
      async close() {
        await master.close()
        await listener.close()
      },
    }
  } catch (error) {
    await master.close()
    throw error
  }
}

async function open(
  { config, logger, material, control }: DemandContext,
  master: Master,
  { token, clientCa }: { token: string; clientCa?: string },
): Promise<Listener> {
  const faults = () => [master.fault()].flatMap((fault) => (fault ? [`${fault.code} ${fault.message}`] : []))
  const listener = await listen({
    address: listenAddress(config),
    port: config.port,
    tls: material && { ...servedPair(material), clientCa },
    handlers: [accessHandler({ token }), healthHandler(faults), control, ...master.handlers],
    upgrades: master.upgrades,
    logger,
    onHandshakeFailure: (failure) =>
      logger.warn('a client did not get through the TLS handshake', { ...failure }),
  })
  logger.info('the master listens', { address: listener.address, port: listener.port, tls: listener.secure })
  return listener
}

/** Where every agent is a process of this machine, nobody else has to reach the master. */
function listenAddress({ resource_pools }: MasterConfig): string {
  return resource_pools.every((pool) => pool.provider?.type === 'local') ? '127.0.0.1' : ''
}
