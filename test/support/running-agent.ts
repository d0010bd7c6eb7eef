// The built-in agent with a master of the test; all its output is kept.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '../../src/platform/clock.ts'
import type { Clock } from '../../src/platform/index.ts'
import { processesWith, sendSignal } from '../../src/platform/processes.ts'
import { readAgentOptions } from '../../src/standalone/agent/options.ts'
import { runAgent } from '../../src/standalone/agent/run-agent.ts'
import { capturingLogger } from './capturing-logger.ts'

export interface RunningAgent {
  lines: string[]
  said(): string
  /** Resolves with the exit status. */
  exit: Promise<0 | 1>
  stop(): Promise<0 | 1>
}

export interface AgentHome {
  dir: string
  /** Writes a file and returns its path. */
  file(name: string, text: string): string
  /** `yaml` is agent.yaml; `env` is added to `DET_MASTER_HOST=127.0.0.1` and a PATH. */
  run(env: Record<string, string | number>, yaml?: string, clock?: Clock): RunningAgent
  dispose(): Promise<void>
}

export function agentHome(): AgentHome {
  const dir = mkdtempSync(join(tmpdir(), 'agent-'))
  const running: RunningAgent[] = []

  function file(name: string, text: string): string {
    writeFileSync(join(dir, name), text)
    return join(dir, name)
  }

  return {
    dir,
    file,
    run(given, yaml = '', clock = systemClock) {
      const env = {
        PATH: process.env['PATH'],
        DET_CONFIG_FILE: file('agent.yaml', yaml),
        PROVISION_ROOT: dir,
        DET_MASTER_HOST: '127.0.0.1',
        DET_ARTIFICIAL_SLOTS: '2',
        DET_AGENT_RECONNECT_BACKOFF: '0',
        ...Object.fromEntries(Object.entries(given).map(([name, value]) => [name, String(value)])),
      }
      const { options, problems } = readAgentOptions({ argv: [], env })
      if (!options) throw new Error(JSON.stringify(problems))
      const logger = capturingLogger()
      const stop = new AbortController()
      const exit = runAgent({
        options,
        env,
        version: '0.1.0',
        clock,
        logger,
        signal: stop.signal,
      })
      const agent: RunningAgent = {
        lines: logger.lines,
        said: () => logger.lines.join('\n'),
        exit,
        stop: () => {
          stop.abort(new Error('ended by the test'))
          return exit
        },
      }
      running.push(agent)
      return agent
    },
    async dispose() {
      await Promise.all(running.map((agent) => agent.stop()))
      // Tasks keep running without their agent.
      for (const pid of processesWith(`PROVISION_ROOT=${dir}`)) sendSignal(pid, 'SIGKILL')
      rmSync(dir, { recursive: true, force: true, maxRetries: 10 })
    },
  }
}

export interface Relay {
  port: number
  /** Breaks the open connections. */
  cut(): void
  /** Breaks them, and accepts no new ones. */
  close(): Promise<void>
}

/** A relay between agents and a master of this machine that a test can disconnect. */
export async function relay(target: number, address = '127.0.0.1'): Promise<Relay> {
  const ends = new Set<Socket>()
  const server: Server = createServer((near) => {
    const far = connect(target, '127.0.0.1')
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      ends.add(one)
      one.on('error', () => {})
      one.on('close', () => {
        ends.delete(one)
        other.destroy()
      })
      one.pipe(other)
    }
  })
  await new Promise<void>((resolve) => server.listen(0, address, resolve))
  const cut = () => {
    for (const end of ends) end.destroy()
  }
  return {
    port: (server.address() as { port: number }).port,
    cut,
    async close() {
      const closed = new Promise((resolve) => server.close(resolve))
      cut()
      await closed
    },
  }
}
