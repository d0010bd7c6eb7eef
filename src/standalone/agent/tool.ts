// Runs a vendor's tool that lists accelerators.
import { execFile } from 'node:child_process'

export type Environment = Readonly<Record<string, string | undefined>>

export type ToolAnswer =
  | { kind: 'answered'; text: string }
  | { kind: 'missing' }
  | { kind: 'failed'; reason: string }

/** A driver that hangs must not keep the agent from joining for ever. */
const timeoutMs = 60_000

/** `command` is looked up on the PATH of `env`. */
export function askTool(command: string, args: string[], env: Environment): Promise<ToolAnswer> {
  return new Promise((resolve) => {
    execFile(command, args, { env, timeout: timeoutMs, maxBuffer: 16 * 1024 * 1024 }, (error, text, told) => {
      if (!error) resolve({ kind: 'answered', text })
      else if (error.code === 'ENOENT') resolve({ kind: 'missing' })
      else resolve({ kind: 'failed', reason: (told || text || error.message).trim().slice(0, 500) })
    })
  })
}
