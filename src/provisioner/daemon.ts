// The process around a running provisioner: its log, its signals, its live table once a second.

import { loadConfig, type MasterConfig } from '../config/index.ts'
import type { FleetRow } from '../http/index.ts'
import {
  type Clock,
  contentsFingerprint,
  createLogger,
  delayAfter,
  type Growth,
  type LogFormat,
  type Logger,
  type LogLevel,
  shortIds,
  systemClock,
  tellProblems,
} from '../platform/index.ts'
import { type Problem, type ProblemCode, ProvisionError } from '../problems/index.ts'
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
  /** Terminates the VMs in clouds too when a signal stops it; a second signal ends the wait for that. */
  terminateOnExit?: boolean
  /**
   * Called when something has changed, and every second for the ages. `now` is milliseconds since the epoch. Left out when
   * nobody watches: the rows of 10,000 instances take some 30 ms.
   */
  onChange?: (rows: FleetRow[], now: number) => void
}

/**
 * Runs until SIGINT, SIGTERM or the loss of the state folder; waits for a database that cannot be reached yet. Throws a
 * ProvisionError when it cannot start.
 */
export async function runDaemon(options: DaemonOptions): Promise<void> {
  const clock = systemClock
  const { logFormat: format, logLevel: level, write } = options
  const logger = createLogger({ format, level, clock, write })
  const asked = Promise.withResolvers<string>()
  const hurried = Promise.withResolvers<void>()
  let isAsked = false
  // Before anything starts, so that a signal during the start also stops what is half started.
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.on(signal, () => {
      if (isAsked) hurried.resolve()
      isAsked = true
      asked.resolve(signal)
    })
  let readAgain = () => {}
  // Without a handler, SIGHUP would kill us, also during start-up and shutdown.
  process.on('SIGHUP', () => readAgain())
  const waiting = new AbortController()
  void asked.promise.then(() => waiting.abort())
  const { onChange, ...composed } = options
  const picture = onChange && (() => onChange(provisioner.rows(), clock.now()))
  const provisioner: Provisioner = composeProvisioner({
    ...composed,
    clock,
    logger,
    ...(picture && { onChange: picture }),
    onLockLost: () => asked.resolve('the lock is lost'),
    holdState: (hold) => onceThere(hold, { clock, logger, random: Math.random, signal: waiting.signal }),
  })
  const since = contentsFingerprint([options.config.file])
  try {
    await provisioner.start()
  } catch (error) {
    if (!waiting.signal.aborted || !passingFault(error)) throw error
    logger.info(`${await asked.promise}: stopped before anything was started`, { error })
    return
  }
  const reloading = keepReloading(provisioner, { ...options, clock, logger, since })
  readAgain = reloading.readAgain
  picture?.()
  const ticking = picture && setInterval(picture, 1000)
  const reason = await asked.promise
  clearInterval(ticking)
  readAgain = () => {}
  reloading.stop()
  if (options.terminateOnExit) await Promise.race([endAll(provisioner, logger), hurried.promise])
  await end(provisioner, reason, options.terminateOnExit ? '' : '; cloud instances keep running', logger)
}

/** SIGHUP reads the file at once, a change is noticed soon; an invalid file stops nothing. */
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
      .catch((error: unknown) => logger.error('the configuration was not applied', { file, error }))
  }
  const readAgain = () => {
    const { config, problems } = loadConfig(file, { env, providers })
    provisioner.configurationRead(config !== undefined)
    tellProblems(logger, problems)
    if (config) take(config)
    else logger.error('the configuration is invalid; the last valid one stays in effect', { file })
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

/** Milliseconds; clouds accept a termination within seconds. */
const endingTime = 120_000

async function endAll(provisioner: Provisioner, logger: Logger): Promise<void> {
  logger.info('terminating every instance because of --terminate-on-exit', { vms: provisioner.rows().length })
  const left = await provisioner.clear(endingTime)
  if (left.length === 0) logger.info('every instance is terminated')
  else
    logger.error('some instances could not be terminated and keep running', {
      ids: shortIds(left),
      count: left.length,
    })
}

async function end(provisioner: Provisioner, reason: string, clouds: string, logger: Logger): Promise<void> {
  const local = provisioner.rows().filter((row) => row.local && row.state === 'running').length
  logger.info(`${reason}: stopping the agents on this machine${clouds}`, { local })
  await provisioner.stop()
  logger.info('stopped; none of its agents is running on this machine', { ended: local })
}

// A start before its database: hosts and services come up in any order, so the daemon waits for it, as other services do.

/** Milliseconds between two attempts. */
const pauses: Growth = { first: 500, most: 4_000 }

/** These pass by themselves: the server is down, starts, has no connection left, or is a standby that will be promoted. */
const passing: readonly ProblemCode[] = ['STATE_UNREACHABLE', 'STATE_READ_ONLY']

interface AwaitStateOptions {
  clock: Clock
  logger: Logger
  random: () => number
  /** Ends the wait: the problem is thrown then. */
  signal: AbortSignal
}

/**
 * Repeats `hold` while the state cannot be reached, and logs each new reason. Throws every other problem at once: a wrong
 * password or a missing database does not pass by itself.
 */
export async function onceThere<T>(hold: () => Promise<T>, options: AwaitStateOptions): Promise<T> {
  const { clock, logger, random, signal } = options
  const begun = clock.now()
  let logged: string | undefined
  for (let failures = 1; ; failures++)
    try {
      const held = await hold()
      if (logged !== undefined)
        logger.info('the state can be used; the start continues', {
          waited: `${Math.round((clock.now() - begun) / 1000)}s`,
        })
      return held
    } catch (error) {
      const found = passingFault(error)
      if (!found || signal.aborted) throw error
      if (found.message !== logged) {
        const { code, message: why, remedy } = found
        logger.warn('waiting for the state: nothing is started until it can be used', { code, why, remedy })
        logged = found.message
      }
      await clock.sleep(delayAfter(failures, pauses, random), signal).catch(() => {})
      if (signal.aborted) throw error
    }
}

/** Why the state cannot be used now, if that passes by itself. */
function passingFault(error: unknown): Problem | undefined {
  if (!(error instanceof ProvisionError)) return undefined
  return error.problems.find(({ code }) => passing.includes(code))
}
