// The process around a running provisioner: its log, its signals, its picture once a second.
import type { FleetRow } from '../model/fleet-row.ts'
import type { MasterConfig } from '../model/master-config.ts'
import { systemClock } from '../platform/clock.ts'
import { createLogger, type LogFormat, type LogLevel } from '../telemetry/log.ts'
import { localAgentCommand } from './local-agent.ts'
import { startStandAlone } from './stand-alone.ts'

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

/** Throws a ProvisionError when it cannot start. `stopped` settles when SIGINT or SIGTERM has been carried out. */
export async function startDaemon(options: DaemonOptions): Promise<{ stopped: Promise<void> }> {
  const clock = systemClock
  const logger = createLogger({
    format: options.logFormat,
    level: options.logLevel,
    clock,
    write: options.write,
  })
  const picture = () => options.onChange(running?.rows() ?? [], clock.now())
  let running: Awaited<ReturnType<typeof startStandAlone>> | undefined
  running = await startStandAlone({
    ...options,
    localAgent: localAgentCommand(),
    clock,
    logger,
    onChange: picture,
  })
  const ticking = setInterval(picture, 1000)

  const { promise: stopped, resolve, reject } = Promise.withResolvers<void>()
  let stopping = false
  const stop = (signal: NodeJS.Signals) => {
    if (stopping) return
    stopping = true
    clearInterval(ticking)
    const ends = running.rows().filter((row) => row.local && row.state === 'running').length
    logger.info(`${signal}: ending the agents on this machine; VMs in a cloud go on`, { local: ends })
    running
      .stop()
      .then(() => logger.info('stopped; no agent of ours runs on this machine', { ended: ends }))
      .then(resolve, reject)
  }
  process.on('SIGINT', stop)
  process.on('SIGTERM', stop)
  picture()
  return { stopped }
}
