// A cloud machine made of namespaces: its disk is kept over reboots, its console can be read at any time.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { stagesIn } from '../../support/script-vm.ts'
import { root as repository } from '../../support/sources.ts'
import { controlGroup, workFolder } from './work-folder.ts'

/** `image` creates the disk with which the others start. */
export type MachineKind = 'aws' | 'gcp' | 'image'

const script = join(repository, 'test/boot/machine/vm.sh')
/** The address of masters; machines know it as `master.test`. */
export const gateway = '10.0.0.1'

export class Machine {
  readonly address: string
  readonly mac: string
  readonly folder: string
  readonly #kind: MachineKind
  readonly #number: number
  #process: ChildProcess | undefined
  #output = ''

  /** @param files executables of the machine image, by path, in addition to those of every machine */
  constructor(kind: MachineKind, files: Record<string, string | Uint8Array> = {}) {
    this.#kind = kind
    this.#number = nextNumber()
    this.address = `10.0.1.${this.#number}`
    this.mac = `02:00:00:00:00:${this.#number.toString(16).padStart(2, '0')}`
    this.folder = folderOf(this.#number)
    if (kind !== 'image') copyImageDisk(this.folder)
    for (const [path, text] of Object.entries(files)) {
      const file = join(this.folder, 'disk/upper', path)
      mkdirSync(dirname(file), { recursive: true })
      writeFileSync(file, text, { mode: 0o755, flag: 'wx' })
      chmodSync(file, 0o755)
    }
  }

  /** Starts it; does not wait. */
  boot(): void {
    if (this.#process) throw new Error('the machine is on')
    const group = join(controlGroup(), `machine-${this.#number}`)
    const [root, share] = [join(workFolder(), 'machine'), join(workFolder(), 'share')]
    const started = spawn(script, [root, this.folder, share, group, String(this.#number), this.#kind], {
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.#process = started
    for (const stream of [started.stdout, started.stderr])
      stream.on('data', (part) => {
        this.#output += part
      })
    started.once('close', () => {
      this.#process = undefined
    })
  }

  isOn(): boolean {
    return this.#process !== undefined
  }

  /** An orderly shutdown, like the cloud's. */
  async stop(): Promise<void> {
    writeFileSync(join(this.folder, 'init'), 'poweroff\n')
    await this.ended()
  }

  async ended(): Promise<void> {
    if (this.#process) await once(this.#process, 'close')
  }

  /** Powers it off at once, and removes the disk. */
  async dispose(): Promise<void> {
    this.#process?.kill('SIGKILL')
    await this.ended()
    rmSync(join(this.folder, 'disk'), { recursive: true, force: true })
  }

  /** The output of the serial console, over all boots. */
  console(): string {
    return this.#read('console')
  }

  stages(): string[] {
    return stagesIn(this.console())
  }

  /** A file on the machine's disk; '' if it does not exist. */
  disk(path: string): string {
    return this.#read(join('disk/upper', path))
  }

  /** The output of its containers. */
  containers(): string {
    const folder = join(this.folder, 'disk/docker/containers')
    const ids = existsSync(folder) ? readdirSync(folder) : []
    return ids.map((id) => this.#read(join('disk/docker/containers', id, `${id}-json.log`))).join('')
  }

  /** When docker last started each container, by its id. */
  containerStarts(): Record<string, string> {
    const folder = 'disk/docker/containers'
    const starts = readdirSync(join(this.folder, folder)).map((id) => {
      const { State } = JSON.parse(this.#read(join(folder, id, 'config.v2.json'))) as {
        State: { StartedAt: string }
      }
      return [id, State.StartedAt]
    })
    return Object.fromEntries(starts)
  }

  /** For the message of a failed expectation. */
  describe(): string {
    const logs = ['var/log/boot.log', 'var/log/cloud-init.log', 'var/log/dockerd.log']
    const parts = [
      ['its end', this.#output],
      ['console', this.console()],
      ['containers', tail(this.containers())],
      ...logs.map((path) => [path, tail(this.disk(path))]),
    ]
    return parts.map(([title, text]) => `--- ${title}\n${text}`).join('\n')
  }

  #read(path: string): string {
    const file = join(this.folder, path)
    return existsSync(file) ? readFileSync(file, 'utf8') : ''
  }
}

/** Docker like on the machine image, with the agent's image. */
function copyImageDisk(folder: string): void {
  mkdirSync(join(folder, 'disk'))
  execFileSync('cp', ['-a', join(imageDisk(), 'docker'), join(folder, 'disk/docker')])
}

export function imageDisk(): string {
  return join(workFolder(), 'image-disk')
}

function tail(text: string): string {
  return text.split('\n').slice(-40).join('\n')
}

function folderOf(number: number): string {
  return join(workFolder(), 'machines', String(number))
}

/** Test files run one after the other in separate processes, and share the network. */
function nextNumber(): number {
  for (let number = 1; ; number++)
    try {
      mkdirSync(folderOf(number))
      return number
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    }
}
