// The command line on a terminal of its own, as a person uses it.
import { join } from 'node:path'
import { inject } from 'vitest'
import { cleanEnv, converse } from '../tls/run.ts'

export interface Session {
  status: number
  /** All that was shown, questions and answers too. */
  screen: string
  /** What was waited for in vain. */
  unanswered: [string, string][]
}

/** `answers`: a text to wait for, and what to type then. */
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
