// The command an operator wants run when the master is lost for good, such as `shutdown now`.
import { execFile } from 'node:child_process'
import type { Logger } from '../../platform/ports.ts'

/** Waits for its end, and never fails: the agent is about to end in any case. */
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
