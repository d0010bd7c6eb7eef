// One bash for a whole page, as a reader has it: folder and variables last from one command to the next.
import { type ChildProcess, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

export interface Ran {
  /** Both streams, in order, as they stand on a terminal in the end. */
  printed: string
  status: number
}

const mark = 'the-end-of-a-command'

export class Session {
  private readonly bash: ChildProcess
  private output = ''
  private background = 0
  /** Where it is now. */
  folder: string
  private readonly logs: string

  /**
   * @param folder where it begins
   * @param logs a folder for what the commands that keep running print
   * @param env the whole environment
   */
  constructor(folder: string, logs: string, env: Record<string, string>) {
    this.folder = folder
    this.logs = logs
    // A group of its own, so that all of it can be ended.
    this.bash = spawn('bash', ['--noprofile', '--norc'], {
      cwd: folder,
      env,
      detached: true,
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    this.bash.stdout!.on('data', (part) => (this.output += part))
    this.bash.stdin!.write('exec 2>&1\n')
  }

  /** Runs it to its end. */
  async run(command: string): Promise<Ran> {
    this.output = ''
    this.bash.stdin!.write(`{ ${command}\n} </dev/null\nprintf '\\n%s %s %s\\n' ${mark} $? "$PWD"\n`)
    const ended = new RegExp(`\\n${mark} (\\d+) (.*)\\n$`)
    for (;;) {
      const [, status, folder] = ended.exec(this.output) ?? []
      if (folder !== undefined) {
        this.folder = folder
        return { printed: onScreen(this.output.replace(ended, '')), status: Number(status) }
      }
      if (this.bash.exitCode !== null) throw new Error(`bash has ended during ${command}: ${this.output}`)
      await pause(20)
    }
  }

  /** Starts it, as in a terminal of its own. What it has printed so far is read by the result. */
  async start(command: string): Promise<() => string> {
    const file = join(this.logs, `terminal-${++this.background}.log`)
    await this.run(`{ ${command}\n} >'${file}' 2>&1 &`)
    return () => onScreen(readFileSync(file, 'utf8'))
  }

  /** Stops everything, as the end of both terminals would. */
  async close(): Promise<void> {
    const group = -this.bash.pid!
    // A provisioner takes up to 10 s to terminate its local agents.
    for (let n = 0; n < 150 && running(group, n === 0 ? 'SIGTERM' : 0); n++) await pause(100)
    running(group, 'SIGKILL')
  }
}

/** A cursor that goes up and a screen that is cleared from there: what `provision` does to redraw its table. */
export function onScreen(written: string): string {
  let rows: string[] = ['']
  for (const [token] of written.matchAll(/\x1b\[\d*[A-Za-z]|\n|\r|[^\x1b\n\r]+/g)) {
    const [, count = '', letter] = /^\x1b\[(\d*)([A-Za-z])$/.exec(token) ?? []
    if (letter === 'A') rows = [...rows.slice(0, Math.max(0, rows.length - 1 - Number(count || 1))), '']
    else if (token === '\n') rows.push('')
    else if (!token.startsWith('\x1b') && token !== '\r') rows[rows.length - 1] += token
  }
  return rows.join('\n')
}

function running(group: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(group, signal)
  } catch {
    return false
  }
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))
