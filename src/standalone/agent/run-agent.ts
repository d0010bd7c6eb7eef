// Runs the agent: joins the master, reconnects when the connection breaks, and exits when it cannot reconnect.

import { execFile } from 'node:child_process'
import { hostname } from 'node:os'
import { masterUrl } from '../../pki/index.ts'
import type { Clock, Logger } from '../../platform/index.ts'
import { ProvisionError } from '../../problems/index.ts'
import { ownAgentVersion } from '../protocol/accept.ts'
import type { Device } from '../protocol/container.ts'
import { detectDevices } from './devices.ts'
import { type AgentOptions, masterOf, optionsForEach } from './options.ts'
import { createRounds } from './round.ts'
import type { SessionContext } from './session.ts'
import { workFolder } from './task-environment.ts'
import { processTasks } from './tasks.ts'

export interface AgentRun {
  options: AgentOptions
  /** For tools, hooks and proxies. */
  env: Readonly<Record<string, string | undefined>>
  /** Reported to the master. */
  version: string
  clock: Clock
  logger: Logger
  /** SIGINT or SIGTERM: closes the connection and exits with status 0. */
  signal: AbortSignal
}

/** Milliseconds; a connection that breaks sooner counts as a failed attempt. */
const shortestSessionMs = 1000

/** Exit status: 0 after the signal, 1 for any other reason (Determined: agent/internal/core.go). Never rejects. */
export async function runAgent(run: AgentRun): Promise<0 | 1> {
  const { logger, signal } = run
  try {
    const devices = detectOnce(run)
    const tasks = processTasks({ ...run, devices, folder: workFolder(run.options.agentId, run.env) })
    return await live({ ...run, version: ownAgentVersion(run.version), hostname: hostname(), devices, tasks })
  } catch (error) {
    if (signal.aborted) return 0
    const problems = error instanceof ProvisionError ? error.problems : []
    for (const { code, message, remedy } of problems) logger.error(message, { code, remedy })
    if (problems.length === 0) logger.error('the agent failed', { error: String(error) })
    return 1
  }
}

async function live(context: SessionContext): Promise<0 | 1> {
  const { clock, logger, options, signal } = context
  logger.info('connecting to the master', describe(context))
  const rounds = createRounds(context)
  let everJoined = false
  let failures = 0
  let isWaiting = false
  while (!signal.aborted) {
    const end = await rounds.next(everJoined)
    if (end.kind === 'aborted') break
    if (end.kind === 'shut_down') return endedByMaster(end.reason, logger)
    if (end.kind === 'asked_to_wait') {
      if (!isWaiting) logger.warn('the master asks the agent to retry later', end.fault)
      isWaiting = true
      await clock.sleep(options.reconnectBackoff * 1000, signal)
      continue
    }
    isWaiting = false
    const { fault } = end
    if (end.kind === 'served') {
      everJoined = true
      failures = 0
      logger.warn('lost the connection to the master', fault)
    } else if (!everJoined) {
      logger.error('could not join the master', fault)
      // The hook runs only if the master cannot be reached, not if it closed the connection (Determined: agent/internal/core.go).
      if (end.unreached) await giveUp(context)
      return 1
    } else {
      failures++
      logger.warn('could not reconnect', { attempt: failures, of: options.reconnectAttempts, ...fault })
    }
    if (failures >= options.reconnectAttempts) {
      logger.error('gave up reconnecting to the master', {
        code: 'AGENT_CONNECTION_LOST',
        attempts: failures,
      })
      await giveUp(context)
      return 1
    }
    // Reconnects at once after a loss, then at intervals; only at intervals when the master closes each new connection.
    if (end.kind === 'failed' || end.ms < shortestSessionMs)
      await clock.sleep(options.reconnectBackoff * 1000, signal)
  }
  logger.info('stopped by a signal')
  return 0
}

function giveUp({ options, env, logger }: SessionContext): Promise<void> {
  return runHook(options.onConnectionLost, env, logger)
}

function endedByMaster(reason: string, logger: Logger): 1 {
  logger.error('the master shut down this agent', { code: 'AGENT_SHUT_DOWN', reason })
  return 1
}

/** Detected once, because masters compare the devices of an agent across connections. */
function detectOnce({ options, env, logger }: AgentRun): () => Promise<Device[]> {
  let found: Promise<Device[]> | undefined
  return () => {
    found ??= detectDevices(options, env, logger)
    return found
  }
}

function describe({ options, env }: Pick<AgentRun, 'options' | 'env'>): Record<string, string> {
  const { agentId, resourcePool, tls } = options
  const masters = optionsForEach(options)
  const trust = tls.skipVerify
    ? 'any certificate (skip_verify)'
    : tls.masterCert || env['SSL_CERT_FILE'] || 'well-known CAs'
  return {
    master: masters.map((one) => masterUrl(masterOf(one))).join(', '),
    agent: agentId,
    pool: resourcePool,
    ...(tls.enabled && {
      trust,
      name: tls.masterCertName || masters.map(({ masterHost }) => masterHost).join(', '),
    }),
  }
}

// The configured command that runs when the agent gives up reconnecting, such as `shutdown now`.

/** Waits for the command. Never rejects: the agent exits in any case. */
export function runHook(
  command: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
  logger: Logger,
): Promise<void> {
  const [file, ...args] = command
  if (!file) return Promise.resolve()
  logger.info('running hooks.on_connection_lost', { command: command.join(' ') })
  return new Promise((resolve) => {
    execFile(file, args, { env }, (error, stdout, stderr) => {
      const output = `${stdout}${stderr}`.trim().slice(0, 2000)
      if (error)
        logger.error('hooks.on_connection_lost failed', { reason: error.message.split('\n')[0], output })
      else logger.info('hooks.on_connection_lost has run', { output })
      resolve()
    })
  })
}
