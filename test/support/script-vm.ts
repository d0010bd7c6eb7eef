// A scratch VM: a folder as `/`, fake tools, and the rendered script run by bash.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { renderScript } from '../../src/agent-setup/render.ts'
import { processGroup, processStart } from '../../src/platform/processes.ts'
import { agentSetup, type SetupChanges } from './agent-setups.ts'
import { type FakeTools, recording, type ToolBehaviour, writeFakeTools, writeTool } from './fake-tools.ts'

export interface ScriptRun {
  /** Pid of the script, which leads its process group. */
  pid: number
  status: number | null
  /** Standard out and standard error, as the console of a local VM. */
  output: string
  /** Codes of the stages in `output`, in order. */
  stages: string[]
}

/** Paths of a VM that the script mounts or calls. */
const furniture = [
  'dev/console',
  'sys/fs/cgroup/here',
  'run/systemd/system/here',
  'var/run/docker.sock',
  'var/run/dbus/system_bus_socket',
]

/** Scratch VMs of one test; `close` removes them all. */
export class ScriptVms {
  readonly #vms: ScriptVm[] = []

  create(behaviour?: ToolBehaviour): ScriptVm {
    const vm = new ScriptVm(behaviour)
    this.#vms.push(vm)
    return vm
  }

  close(): void {
    for (const vm of this.#vms.splice(0)) vm.close()
  }
}

/** One scratch VM; `close` terminates the remaining processes of its scripts and removes it. */
export class ScriptVm {
  readonly root = mkdtempSync(join(tmpdir(), 'vm-'))
  readonly tools: FakeTools
  readonly #running = new Set<ChildProcess>()

  constructor(behaviour: ToolBehaviour = {}) {
    this.tools = writeFakeTools(join(this.root, 'fakes'), behaviour, process.env['PATH'] ?? '')
    for (const path of furniture) this.write(path, '')
    for (const path of ['sbin/shutdown', 'usr/sbin/shutdown']) {
      this.write(path, '')
      writeTool(join(this.root, path), `FAKES='${this.tools.folder}'\n${recording('shutdown')}`)
    }
  }

  /** Renders the setup and runs the script to its end. */
  async run(changes: SetupChanges, environment: Record<string, string> = {}): Promise<ScriptRun> {
    return this.runScript(await rendered(changes), environment)
  }

  async runScript(script: string, environment: Record<string, string> = {}): Promise<ScriptRun> {
    const started = this.start(script, environment)
    const [status] = (await once(started.child, 'close')) as [number | null]
    return { pid: started.child.pid!, status, ...started.soFar() }
  }

  /** Starts the script as the leader of its own process group, as the local provider does. */
  start(script: string, environment: Record<string, string> = {}) {
    const file = join(this.root, 'script')
    writeFileSync(file, script)
    const child = spawn('bash', [file], {
      cwd: tmpdir(),
      detached: true,
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { PATH: this.tools.path, PROVISION_ROOT: this.root, ...environment },
    })
    this.#running.add(child)
    // No part of a script may wait for input.
    child.stdin.on('error', () => {}).write('typed\n')
    let output = ''
    const keep = (chunk: Buffer) => {
      output += chunk.toString()
    }
    child.stdout.on('data', keep)
    child.stderr.on('data', keep)
    return { child, soFar: () => ({ output, stages: stagesIn(output) }) }
  }

  read(path: string): string {
    return readFileSync(join(this.root, path), 'utf8')
  }

  has(path: string): boolean {
    return existsSync(join(this.root, path))
  }

  write(path: string, text: string): void {
    mkdirSync(dirname(join(this.root, path)), { recursive: true })
    writeFileSync(join(this.root, path), text)
  }

  close(): void {
    for (const { pid } of this.#running)
      try {
        process.kill(-pid!, 'SIGKILL')
      } catch {
        // No process of it was left.
      }
    rmSync(this.root, { recursive: true, force: true, maxRetries: 5 })
  }
}

export async function rendered(changes: SetupChanges): Promise<string> {
  const { script, problems } = await renderScript(agentSetup(changes))
  if (script === undefined) throw new Error(problems.map(({ message }) => message).join('\n'))
  return script
}

export function stagesIn(output: string): string[] {
  return Array.from(output.matchAll(/PROVISION_STAGE=([a-z_]+)/g), ([, code]) => code!)
}

/** Whether a process of a script still runs: its watch, or a local agent. Zombies do not count. */
export function isRunning(pid: number): boolean {
  try {
    process.kill(-pid, 0)
  } catch {
    return false
  }
  if (process.platform !== 'linux') return true
  const pids = readdirSync('/proc').map(Number).filter(Number.isInteger)
  return pids.some((other) => processGroup(other) === pid && processStart(other) !== undefined)
}

export interface DockerRun {
  image: string
  environment: Record<string, string>
  /** Host path (without the scratch root) by path in the container. */
  mounts: Record<string, string>
  /** The hash by which a later run identifies the container. */
  generation: string
  /** All other arguments, in order. */
  options: string[]
}

/** The one `docker run` of a VM's scripts. */
export function dockerRun({ tools, root }: ScriptVm): DockerRun {
  const runs = tools.calls('docker').filter(({ args }) => args[0] === 'run')
  const args = runs.at(-1)?.args.slice(1) ?? []
  // The last but one: a value may also be `--`.
  const end = args.length - 2
  const run: DockerRun = {
    image: args.slice(end + 1).join(' '),
    environment: {},
    mounts: {},
    generation: '',
    options: [],
  }
  for (let at = 0; at < end; at++) {
    const [option, value = ''] = [args[at]!, args[at + 1]]
    if (option === '--env') run.environment[value.split('=', 1)[0]!] = value.slice(value.indexOf('=') + 1)
    else if (option === '--volume') {
      const [from = '', to = ''] = value.split(':')
      run.mounts[to] = from.slice(root.length)
    } else if (option === '--label') run.generation = value.replace('provision.generation=', '')
    else if (option !== '--cidfile') run.options.push(option)
    if (['--env', '--volume', '--label', '--cidfile'].includes(option)) at++
  }
  return run
}
