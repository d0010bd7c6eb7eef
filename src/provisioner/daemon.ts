// The process around a running provisioner: its log, its signals, its picture once a second.

import { loadConfig, type MasterConfig } from '../config/index.ts'
import type { FleetRow } from '../http/index.ts'
import {
  type Clock,
  contentsFingerprint,
  createLogger,
  type LogFormat,
  type Logger,
  type LogLevel,
  shortIds,
  systemClock,
  tellProblems,
} from '../platform/index.ts'
import type { AnyProvider } from '../providers/index.ts'
import { watchConfiguration } from './configuration.ts'
import { composeProvisioner, type Provisioner } from './provisioner.ts'

export interface DaemonOptions {
  config: MasterConfig
  providers: readonly AnyProvider[]
  version: string
  env: Readonly<Record<string, string | undefined>>
  logLevel: LogLevel
  logFormat: LogFormat
  write: (line: string) => void
  /** Ends the VMs in clouds, too, when a signal stops it; a second signal ends the wait for that. */
  terminateOnExit?: boolean
  /** Called when something has changed, and every second for the ages. `now` is milliseconds since the epoch. */
  onChange: (rows: FleetRow[], now: number) => void
}

/** Runs until SIGINT, SIGTERM or the loss of the state folder. Throws a ProvisionError when it cannot start. */
export async function runDaemon(options: DaemonOptions): Promise<void> {
  const clock = systemClock
  const { logFormat: format, logLevel: level, write } = options
  const logger = createLogger({ format, level, clock, write })
  const asked = Promise.withResolvers<string>()
  const hurried = Promise.withResolvers<void>()
  let isAsked = false
  // Before anything is started: what a signal finds half started is ended, too.
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.on(signal, () => {
      if (isAsked) hurried.resolve()
      isAsked = true
      asked.resolve(signal)
    })
  let readAgain = () => {}
  // Nobody listening would mean that it ends us, also while we start and while we stop.
  process.on('SIGHUP', () => readAgain())
  const provisioner = composeProvisioner({
    ...options,
    clock,
    logger,
    onChange: picture,
    onLockLost: () => asked.resolve('the lock is lost'),
  })
  function picture(): void {
    options.onChange(provisioner.rows(), clock.now())
  }
  const since = contentsFingerprint([options.config.file])
  await provisioner.start()
  const reloading = keepReloading(provisioner, { ...options, clock, logger, since })
  readAgain = reloading.readAgain
  picture()
  const ticking = setInterval(picture, 1000)
  const reason = await asked.promise
  clearInterval(ticking)
  readAgain = () => {}
  reloading.stop()
  if (options.terminateOnExit) await Promise.race([endAll(provisioner, logger), hurried.promise])
  await end(provisioner, reason, options.terminateOnExit ? '' : '; VMs in a cloud go on', logger)
}

/** SIGHUP has the file read at once, a changed file soon; whatever is wrong with it ends nothing. */
function keepReloading(
  provisioner: Provisioner,
  {
    config: { file },
    providers,
    env,
    clock,
    logger,
    since,
  }: DaemonOptions & { clock: Clock; logger: Logger; since: string },
): { readAgain: () => void; stop: () => void } {
  const take = (config: MasterConfig) => {
    provisioner
      .reload(config)
      .catch((error: unknown) => logger.error('the configuration was not taken over', { file, error }))
  }
  const readAgain = () => {
    const { config, problems } = loadConfig(file, { env, providers })
    provisioner.configurationRead(config !== undefined)
    tellProblems(logger, problems)
    if (config) take(config)
    else logger.error('the configuration is not usable; the last good one stays', { file })
  }
  return {
    readAgain,
    stop: watchConfiguration({
      file,
      providers,
      env,
      clock,
      logger,
      since,
      onChange: take,
      onRead: provisioner.configurationRead,
    }),
  }
}

/** Milliseconds; clouds accept the end of a VM within seconds. */
const endingTime = 120_000

async function endAll(provisioner: Provisioner, logger: Logger): Promise<void> {
  logger.info('ending every VM, as told by --terminate-on-exit', { vms: provisioner.rows().length })
  const left = await provisioner.clear(endingTime)
  if (left.length === 0) logger.info('every VM is ended')
  else logger.error('some VMs could not be ended, and go on', { ids: shortIds(left), count: left.length })
}

async function end(provisioner: Provisioner, reason: string, clouds: string, logger: Logger): Promise<void> {
  const local = provisioner.rows().filter((row) => row.local && row.state === 'running').length
  logger.info(`${reason}: ending the agents on this machine${clouds}`, { local })
  await provisioner.stop()
  logger.info('stopped; no agent of ours runs on this machine', { ended: local })
}
