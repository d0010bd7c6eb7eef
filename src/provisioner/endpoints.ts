// Where a running provisioner is asked and told: the control socket in its state folder, and the listener of `listen`.
import { join } from 'node:path'
import type { MasterConfig } from '../config/master-config.ts'
import { type Info, infoHandler } from '../http/info.ts'
import { listenLocally } from '../http/listen-local.ts'
import { healthHandler } from '../http/status-endpoints.ts'
import type { Clock, Handler, Logger } from '../platform/ports.ts'
import { tellProblems } from '../platform/tell-problems.ts'
import { ProvisionError } from '../problems/problem.ts'
import { openListener } from './listener.ts'

export interface DoorsOptions {
  config: MasterConfig
  info: Info
  /** Orders and questions. */
  control: Handler
  /** What else is served where the network comes in: pushed demand. */
  further: Handler[]
  clock: Clock
  logger: Logger
}

export interface Doors {
  /** Of `listen`, when it is configured. */
  listener: { address: string; port: number } | undefined
  close(): Promise<void>
}

/** Throws a ProvisionError when the listener cannot be had. Without a control socket it goes on, and says so. */
export async function openDoors(options: DoorsOptions): Promise<Doors> {
  const { config, control, further, logger } = options
  const common = [infoHandler(options.info), healthHandler(() => []), control]
  const listener =
    config.listen && (await openListener(config.listen, { ...options, handlers: [...common, ...further] }))
  const socket = await listenLocally(controlSocketOf(config), [...common, ...further], logger).catch(
    (error: unknown) => {
      if (!(error instanceof ProvisionError)) throw error
      tellProblems(logger, error.problems)
      return undefined
    },
  )
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
