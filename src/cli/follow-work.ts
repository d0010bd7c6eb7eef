// Work followed on a terminal: what it prints where it belongs, what becomes of it for people.
import { setTimeout as wait } from 'node:timers/promises'
import type { Client } from '../http/client.ts'
import type { LogLine, WorkView } from '../http/job-view.ts'
import { followWork } from '../http/work-client.ts'
import type { Clock } from '../platform/ports.ts'
import type { Terminal } from './terminal.ts'
import { stateSentence } from './work-text.ts'

/** The machine's; a command that waits is ended by its user, so no signal is needed. */
export const waitingClock: Clock = { now: Date.now, sleep: (ms) => wait(ms) }

/** With `json` standard out is left to the result. */
export function followOnTerminal(
  client: Client,
  id: string,
  format: 'text' | 'json',
  terminal: Terminal,
): Promise<WorkView> {
  return followWork(
    client,
    id,
    {
      onLine: (line, work) => printLine(line, work, terminal, format),
      onState: (work) => terminal.say(stateSentence(work)),
      onSilence: (error) => terminal.say(`${error.message}; trying again`),
    },
    waitingClock,
  )
}

/** Lines of work with several containers say whose they are. */
export function printLine(line: LogLine, work: WorkView, terminal: Terminal, format: 'text' | 'json'): void {
  const { agent } = work.containers.find(({ id }) => id === line.containerId) ?? {}
  const whose = work.containers.length > 1 && agent ? `[${agent}] ` : ''
  const text = `${whose}${line.text}${line.text.endsWith('\n') ? '' : '\n'}`
  if (line.stream === 'stdout' && format === 'text') terminal.out(text)
  else terminal.write(text)
}
