// The process around a running provisioner: its log, its signals, its picture once a second.
import type { FleetRow } from '../model/fleet-row.ts'
import type { MasterConfig } from '../model/master-config.ts'
import type { Logger } from '../model/ports.ts'
import { systemClock } from '../platform/clock.ts'
import { createLogger, type LogFormat, type LogLevel } from '../telemetry/log.ts'
import { localAgentCommand } from './local-agent.ts'
import { composeProvisioner, type Provisioner } from './provisioner.ts'

export interface DaemonOptions {
  config: MasterConfig
  version: string
  env: Readonly<Record<string, string | undefined>>
  logLevel: LogLevel
  logFormat: LogFormat
  write: (line: string) => void
  /** Called when something has changed, and every second for the ages. `now` is milliseconds since the epoch. */
  onChange: (rows: FleetRow[], now: number) => void
}

/** Runs until SIGINT, SIGTERM or the loss of the state folder. Throws a ProvisionError when it cannot start. */
export async function runDaemon(options: DaemonOptions): Promise<void> {
  const clock = systemClock
  const { logFormat: format, logLevel: level, write } = options
  const logger = createLogger({ format, level, clock, write })
  const asked = Promise.withResolvers<string>()
  // Before anything is started: what a signal finds half started is ended, too.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, asked.resolve)
  const provisioner = composeProvisioner({
    ...options,
    localAgent: localAgentCommand(),
    clock,
    logger,
    onChange: picture,
    onLockLost: () => asked.resolve('the lock is lost'),
  })
  function picture(): void {
    options.onChange(provisioner.rows(), clock.now())
  }
  await provisioner.start()
  picture()
  const ticking = setInterval(picture, 1000)
  const reason = await asked.promise
  clearInterval(ticking)
  await end(provisioner, reason, logger)
}

async function end(provisioner: Provisioner, reason: string, logger: Logger): Promise<void> {
  const local = provisioner.rows().filter((row) => row.local && row.state === 'running').length
  logger.info(`${reason}: ending the agents on this machine; VMs in a cloud go on`, { local })
  await provisioner.stop()
  logger.info('stopped; no agent of ours runs on this machine', { ended: local })
}
