// Child processes with an open state: see state-child.ts.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { onTestFinished } from 'vitest'
import type { ChildSettings, ChildTask } from './state-child.ts'

export interface Child {
  lines(): string[]
  process: ChildProcess
  kill(): Promise<void>
}

/** It is killed at the end of the test. */
export function startChild(task: ChildTask, settings: ChildSettings, before = ':'): Child {
  const script = fileURLToPath(import.meta.resolve('./state-child.ts'))
  const child = spawn(
    'bash',
    [
      '-c',
      `${before}; exec "$@"`,
      'bash',
      process.execPath,
      '--no-warnings',
      script,
      task,
      JSON.stringify(settings),
    ],
    {
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  )
  let text = ''
  child.stdout.on('data', (part) => (text += part))
  child.stderr.on('data', (part) => (text += part))
  const exited = once(child, 'exit')
  const kill = async () => {
    child.kill('SIGKILL')
    await exited
  }
  onTestFinished(kill)
  return { lines: () => text.split('\n').filter(Boolean), process: child, kill }
}
