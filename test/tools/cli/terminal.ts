// The command line on its own terminal, as a person uses it.
import { join } from 'node:path'
import { inject } from 'vitest'
import { cleanEnv, converse } from '../tls/run.ts'

export interface Session {
  status: number
  /** All output, including prompts and answers. */
  screen: string
  /** The expected text that did not appear. */
  unanswered: [string, string][]
}

/** `answers`: a text to wait for, and the input for it. */
export function onTerminal(
  args: string[],
  env: Record<string, string>,
  answers: [string, string][] = [],
): Promise<Session> {
  const argv = [process.execPath, '--no-warnings', inject('cli'), ...args]
  const kept = { PATH: cleanEnv['PATH'] ?? '', TERM: 'xterm', NO_COLOR: '1' }
  const job = { argv, env: { ...kept, ...env }, cwd: '/', answers }
  return converse<Session>('python3', [join(import.meta.dirname, 'terminal.py')], job)
}
