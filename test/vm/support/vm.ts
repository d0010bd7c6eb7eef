// A VM of a cloud under QEMU: its disk is kept while it is off, its serial console can be read at any time, and a second
// serial line takes commands.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { stagesIn } from '../../support/script-vm.ts'
import { root as repository } from '../../support/sources.ts'

export interface VmOptions {
  cloud: 'aws' | 'gcp'
  id: string
  /** Kernel arguments that change the machine image: `lane.no_docker`, `lane.usr_read_only`. */
  image?: string
}

/** The result of a command on the VM. */
export interface CommandResult {
  status: number
  output: string
}

const script = join(repository, 'test/vm/machine/qemu.sh')
const second = 1000

/** Root file system of the VMs' host. Throws outside the lane. */
export function host(): string {
  const folder = process.env['VM_HOST']
  if (!folder) throw new Error('VM_HOST is not set: start these tests with npm run test:vm')
  return folder
}

export class Vm {
  readonly id: string
  readonly #options: VmOptions
  readonly #folder: string
  #process: ChildProcess | undefined
  #output = ''
  #commands = 0

  constructor(options: VmOptions) {
    this.id = options.id
    this.#options = options
    this.#folder = join(host(), 'vm', options.id)
    mkdirSync(this.#folder)
  }

  /** Starts it. `clock` is the time of its hardware clock then, in milliseconds since the epoch; default: now. */
  boot(clock?: number): void {
    if (this.#process) throw new Error('the VM is on')
    const { id, cloud, image = '' } = this.#options
    const base = clock === undefined ? 'utc' : new Date(clock).toISOString().slice(0, 19)
    rmSync(join(this.#folder, 'hand'), { force: true })
    const started = spawn(script, [host(), id, cloud, base, image], { stdio: ['ignore', 'pipe', 'pipe'] })
    this.#process = started
    for (const stream of [started.stdout, started.stderr])
      stream.on('data', (part) => {
        this.#output += part
      })
    started.once('close', () => {
      this.#process = undefined
    })
  }

  /** False once it has been powered off. */
  isOn(): boolean {
    return this.#process !== undefined
  }

  console(): string {
    const file = join(this.#folder, 'console')
    return existsSync(file) ? readFileSync(file, 'utf8') : ''
  }

  stages(): string[] {
    return stagesIn(this.console())
  }

  /** Runs a bash script on the VM as root, once its systemd is running. Rejects when the VM is powered off. */
  async run(command: string): Promise<CommandResult> {
    const line = await this.#line()
    try {
      // Input before the other end listens is lost: repeats the command until there is an answer, which is harmless.
      while (!(await line.ask('true', 3 * second)));
      const result = await line.ask(command)
      if (!result) throw new Error(`the VM went off during: ${command}`)
      return result
    } finally {
      line.close()
    }
  }

  /** An orderly power-off from outside. */
  async stop(): Promise<void> {
    await this.run('systemctl poweroff --no-block')
    await this.ended()
  }

  async ended(): Promise<void> {
    if (this.#process) await once(this.#process, 'close')
  }

  /** Powers it off at once, and removes the disk. */
  async dispose(): Promise<void> {
    this.#process?.kill('SIGKILL')
    await this.ended()
    rmSync(this.#folder, { recursive: true, force: true })
  }

  /** For the message of a failed expectation. */
  async describe(): Promise<string> {
    const logs = [
      'docker ps -a; docker logs --tail 20 determined-agent',
      'tail -n 30 /var/log/cloud-init-output.log',
      'journalctl --no-pager -n 40 -u docker -u google-startup-scripts -u cloud-final; systemctl --failed; date',
    ]
    const parts = [`--- qemu\n${this.#output}`, `--- console\n${this.console().slice(-12_000)}`]
    const late = () => new Promise<undefined>((resolve) => setTimeout(() => resolve(undefined), 60 * second))
    for (const command of this.isOn() ? logs : []) {
      const result = await Promise.race([this.run(command).catch(() => undefined), late()])
      parts.push(`--- ${command}\n${result?.output ?? 'no answer'}`)
    }
    return parts.join('\n')
  }

  async #line(): Promise<Line> {
    for (;;) {
      const socket = connect(join(this.#folder, 'hand'))
      try {
        await once(socket, 'connect')
        return new Line(socket, () => ++this.#commands)
      } catch (error) {
        if (!this.isOn()) throw error
        await new Promise((resolve) => setTimeout(resolve, second))
      }
    }
  }
}

/** The second serial line. */
class Line {
  readonly #socket: Socket
  readonly #nextId: () => number
  readonly #answers = new Map<string, CommandResult>()
  #isOpen = true

  constructor(socket: Socket, nextId: () => number) {
    this.#socket = socket
    this.#nextId = nextId
    let text = ''
    socket.setEncoding('latin1').on('data', (part: string) => {
      const lines = (text + part).split('\n')
      text = lines.pop() ?? ''
      for (const line of lines) this.#take(line)
    })
    socket.on('error', () => {})
    socket.on('close', () => {
      this.#isOpen = false
    })
  }

  /** undefined when nothing came within this many milliseconds. Rejects when the VM is off. */
  async ask(command: string, timeoutMs = Number.POSITIVE_INFINITY): Promise<CommandResult | undefined> {
    const id = `c${this.#nextId()}`
    this.#socket.write(`${id} ${Buffer.from(command).toString('base64')}\n`)
    for (const end = Date.now() + timeoutMs; Date.now() < end; ) {
      const answer = this.#answers.get(id)
      if (answer) return answer
      if (!this.#isOpen) throw new Error(`the VM is off: ${command}`)
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    return undefined
  }

  close(): void {
    this.#socket.destroy()
  }

  #take(line: string): void {
    const [, id, status, output] = /(c\d+) (\d+) ([A-Za-z0-9+/=]*)\r?$/.exec(line) ?? []
    if (id)
      this.#answers.set(id, { status: Number(status), output: Buffer.from(output!, 'base64').toString() })
  }
}
