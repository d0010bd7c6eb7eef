// The built-in agent as a separate process, as only there an open handle shows.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { inject } from 'vitest'

export interface AgentProcess {
  process: ChildProcess
  /** Everything it has logged. */
  said(): string
  /** Resolves with the exit status, or the signal that killed it; `alive` if it still runs after `seconds`. */
  end(seconds: number): Promise<number | NodeJS.Signals | 'alive'>
}

export function agentProcess(env: Record<string, string | number>): AgentProcess {
  const child = spawn(process.execPath, ['--no-warnings', inject('cli'), 'agent', 'run'], {
    env: {
      PATH: process.env['PATH'],
      DET_MASTER_HOST: '127.0.0.1',
      DET_AGENT_ID: 'a',
      DET_ARTIFICIAL_SLOTS: '1',
      ...Object.fromEntries(Object.entries(env).map(([name, value]) => [name, String(value)])),
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let text = ''
  child.stdout.on('data', (chunk) => {
    text += chunk
  })
  child.stderr.on('data', (chunk) => {
    text += chunk
  })
  // 'exit', not 'close': a task that runs longer than the agent may hold its streams.
  const exited = once(child, 'exit').then(([code, signal]) => (code ?? signal) as number | NodeJS.Signals)
  return {
    process: child,
    said: () => text,
    async end(seconds) {
      let timer: NodeJS.Timeout | undefined
      const late = new Promise<'alive'>((resolve) => {
        timer = setTimeout(() => resolve('alive'), seconds * 1000)
      })
      return Promise.race([exited, late]).finally(() => clearTimeout(timer))
    },
  }
}
