// Whether the agent has a connection to the master. The watch reads real sockets, so these tests open real ones.
import { type ChildProcess, spawn } from 'node:child_process'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { afterAll, describe, it } from 'vitest'
import type { SetupChanges } from '../../support/agent-setups.ts'
import type { ToolBehaviour } from '../../support/fake-tools.ts'
import { isRunning, rendered, ScriptVm } from '../../support/script-vm.ts'
import { until } from '../../support/server.ts'

/** One VM, one master that accepts connections, and a replacement for the agent's container. */
class Scene {
  readonly vm: ScriptVm
  readonly sockets: Socket[] = []
  readonly #master: Server
  readonly #agents: ChildProcess[] = []

  static async open(behaviour?: ToolBehaviour): Promise<Scene> {
    const master = createServer()
    await new Promise<void>((resolve) => master.listen(0, '127.0.0.1', resolve))
    return new Scene(new ScriptVm(behaviour), master)
  }

  private constructor(vm: ScriptVm, master: Server) {
    this.vm = vm
    this.#master = master.on('connection', (socket) => this.sockets.push(socket.on('error', () => {})))
    scenes.push(this)
  }

  get port(): number {
    return (this.#master.address() as AddressInfo).port
  }

  /** Bash that opens a connection to the master. */
  get dial(): string {
    return `exec 3<>/dev/tcp/127.0.0.1/${this.port}`
  }

  setup(changes: SetupChanges = {}): SetupChanges {
    return { master: { port: this.port }, bootTimeoutSeconds: 2, ...changes }
  }

  /** A process in place of the agent's container; docker returns its process id. */
  container(code: string, env: Record<string, string> = {}): void {
    const child = spawn('bash', ['-c', code], { stdio: ['pipe', 'ignore', 'ignore'], env })
    this.#agents.push(child)
    this.vm.write('fakes/agent-pid', `${child.pid}\n`)
  }

  console(): string {
    return this.vm.read('dev/console')
  }

  heard(stage: string): Promise<void> {
    return until(() => this.console().includes(`PROVISION_STAGE=${stage}`), stage)
  }

  async powerOff(): Promise<void> {
    await this.heard('never_joined')
    await until(() => this.vm.tools.calls('shutdown').length === 1, 'shutdown')
  }

  /** Runs the script and waits for the end of its watch; returns how often the machine was powered off. */
  async watched(changes: SetupChanges = {}): Promise<number> {
    const { pid } = await this.vm.run(this.setup(changes))
    await until(() => !isRunning(pid), 'the end of the watch')
    return this.vm.tools.calls('shutdown').length
  }

  close(): void {
    for (const agent of this.#agents) agent.kill('SIGKILL')
    for (const socket of this.sockets) socket.destroy()
    this.#master.close()
    this.vm.close()
  }
}

function runs(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

const scenes: Scene[] = []
afterAll(() => {
  for (const scene of scenes) scene.close()
})

// Boot timeouts are whole seconds of bash's own count, whose first may be short: two, and the tests wait together.
describe.runIf(process.platform === 'linux')('the watch of an agent', { concurrent: true }, () => {
  it('reports when it is connected, and does not power off', async ({ expect }) => {
    const scene = await Scene.open()
    scene.container(`${scene.dial}; read -r _`)
    expect(await scene.watched({ bootTimeoutSeconds: 600 })).toBe(0)
    expect(scene.console()).toContain('PROVISION_STAGE=agent_connected')
  })

  it('finds one that is connected to another of several masters', async ({ expect }) => {
    const scene = await Scene.open()
    scene.container(`${scene.dial}; read -r _`)
    const otherMasters = [{ scheme: 'https', host: '127.0.0.1', port: scene.port }] as const
    expect(await scene.watched({ master: { port: 1 }, otherMasters, bootTimeoutSeconds: 600 })).toBe(0)
    expect(scene.console()).toContain('PROVISION_STAGE=agent_connected')
  })

  it('finds one of a local VM that is connected to another of several masters', async () => {
    const scene = await Scene.open()
    const otherMasters = [{ scheme: 'https', host: '127.0.0.1', port: scene.port }] as const
    const command = ['bash', '-c', `${scene.dial}; while :; do sleep 1; done`]
    const local = { cloud: 'local', runtime: 'process', slotType: 'auto', command } satisfies SetupChanges
    const several = { master: { port: 1 }, otherMasters, bootTimeoutSeconds: 600 }
    const script = await rendered(scene.setup({ ...local, ...several }))
    const { soFar } = scene.vm.start(script, { PROVISION_INSTANCE_ID: 'local-1' })
    await until(() => soFar().stages.includes('agent_connected'), 'agent_connected')
  })

  it('finds one that runs without docker, and behind a wrapper', async () => {
    const scene = await Scene.open()
    const command = ['bash', '-c', `bash -c '${scene.dial}; while :; do sleep 1; done'; exit`]
    scene.vm.start(await rendered(scene.setup({ runtime: 'process', command, bootTimeoutSeconds: 600 })))
    await scene.heard('agent_connected')
  })

  it('does not mistake the connection of another local VM for that of its own agent', async ({ expect }) => {
    const scene = await Scene.open()
    scene.container(`${scene.dial}; read -r _`)
    const command = ['bash', '-c', 'while :; do sleep 1; done']
    const { status } = await scene.vm.run(scene.setup({ cloud: 'local', runtime: 'process', command }), {
      PROVISION_INSTANCE_ID: 'local-2',
    })
    expect(status).toBe(41)
  })

  it('powers off the machine of one that never connects', async () => {
    const scene = await Scene.open()
    scene.container('read -r _')
    await scene.vm.run(scene.setup())
    await scene.powerOff()
  })

  it('powers off the machine of one that docker restarts again and again', async () => {
    const scene = await Scene.open()
    await scene.vm.run(scene.setup())
    await scene.powerOff()
  })

  it('powers off when the boot itself hangs', async () => {
    const scene = await Scene.open()
    scene.vm.start(await rendered(scene.setup({ startupScript: `${scene.dial}; read -r _ <&3` })))
    await scene.powerOff()
  })

  it('does not mistake a connection of the machine for that of a missing agent', async () => {
    const scene = await Scene.open({ docker: 'exit 1' })
    scene.container(`${scene.dial}; read -r _`)
    const hanging = scene.setup({ startupScript: 'while :; do sleep 1; done' })
    scene.vm.start(await rendered(hanging))
    await scene.powerOff()
  })

  it('ignores connections that do not last', async ({ expect }) => {
    const scene = await Scene.open({ sleep: 'exec "$REAL_SLEEP" 0.5' })
    scene.container(`while ${scene.dial}; do read -rt 0.1 _ <&3; done`)
    await scene.vm.run(scene.setup())
    await scene.powerOff()
    // A busy machine opens fewer of them; a single one would count as lasting.
    expect(scene.sockets.length).toBeGreaterThan(1)
    expect(scene.console()).not.toContain('agent_connected')
  })

  const logging = (text: string) =>
    `case $1 in logs) printf '%s\\n' '${text}' ;; run) while [ $# -gt 0 ]; do [ "$1" != --cidfile ] || echo c >"$2"; shift; done ;;
image) exit 1 ;; inspect) case $3 in *Pid*) cat "$FAKES/agent-pid" ;; *) echo true 0 ;; esac ;; esac`

  it.each([
    'time="2026-11-28T10:00:00Z" level=trace msg="writing agent started message" component=agent',
    '2026-11-28T10:00:00Z info joined the master cluster=c1',
  ])('takes its word for it: %s', async (words) => {
    const scene = await Scene.open({ docker: logging(words) })
    scene.container(`${scene.dial}; read -r _`)
    await scene.vm.run(scene.setup({ bootTimeoutSeconds: 600 }))
    await scene.heard('agent_connected')
    await until(() => /agent_connected$/m.test(scene.console()), 'no doubt about it')
  })

  it.each([
    'time="2026-11-28T10:00:00Z" level=trace msg="connecting to master" component=agent',
    '2026-11-28T10:00:00Z info connecting to the master agent=i-1',
  ])('does not take a connection for a join where the log would say so: %s', async (words) => {
    const scene = await Scene.open({ docker: logging(words) })
    scene.container(`${scene.dial}; read -r _`)
    await scene.vm.run(scene.setup())
    await scene.powerOff()
  })

  it('reports it if only the connection shows it', async ({ expect }) => {
    const scene = await Scene.open()
    scene.container(`${scene.dial}; read -r _`)
    expect(await scene.watched({ bootTimeoutSeconds: 600 })).toBe(0)
    expect(scene.console()).toContain('agent_connected by its connection')
  })

  it('does not mistake an agent that is kept waiting and refused for one that joined, and reports its log', async ({
    expect,
  }) => {
    const words =
      'error could not join the master reason="it answered with status 403: Forbidden" url=https://me:geheim@proxy token=geheim'
    const scene = await Scene.open({ docker: logging(words), sleep: 'exec "$REAL_SLEEP" 0.2' })
    scene.container(`while ${scene.dial}; do read -rt 0.3 _ <&3; done`)
    await scene.vm.run(scene.setup())
    await scene.powerOff()
    expect(scene.console()).toMatch(
      /never_joined the agent did not join the master in 2 s: .*status 403: Forbidden/,
    )
    expect(scene.console()).not.toContain('geheim')
    expect(scene.console()).not.toContain('agent_connected')
  })

  it('restarts an agent that the master rejects until the time is over', async ({ expect }) => {
    const words =
      'level=fatal msg="initial connection to master failed: error dialing master: {"message":"Forbidden"}: websocket: bad handshake"'
    const scene = await Scene.open({ docker: logging(words).replace('*) echo true 0', '*) echo true 1') })
    const { status, output } = await scene.vm.run(scene.setup())
    expect([status, output]).toEqual([
      0,
      expect.stringContaining('agent_started it exited and is restarted: level=fatal'),
    ])
    await scene.powerOff()
  })

  it('powers off though startup_script ignores every signal it can, and says one reason', async ({
    expect,
  }) => {
    const scene = await Scene.open({ systemctl: '' })
    const startupScript = `#!/bin/bash\ntrap '' TERM INT HUP\necho $$ >"$PROVISION_ROOT/startup"; while :; do sleep 1; done`
    const { child } = scene.vm.start(await rendered(scene.setup({ startupScript })))
    await scene.powerOff()
    await until(() => child.exitCode !== null, 'the end of the script')
    await until(() => !runs(Number(scene.vm.read('startup'))), 'the end of startup_script')
    await until(
      () => scene.vm.tools.calls('systemctl').some(({ args }) => args.join(' ') === 'poweroff -ff'),
      'force',
    )
    expect(scene.console().match(/PROVISION_STAGE=(?!started)\w+/g)).toEqual(['PROVISION_STAGE=never_joined'])
  })

  it('only reports it if poweroff_if_never_joined is off', async ({ expect }) => {
    const scene = await Scene.open()
    scene.container('read -r _')
    expect(await scene.watched({ poweroffIfNeverJoined: false })).toBe(0)
    expect(scene.console()).toContain('PROVISION_STAGE=never_joined')
  })

  it('ignores an agent behind a proxy, whose connection it cannot recognise', async ({ expect }) => {
    const scene = await Scene.open()
    scene.container('read -r _', { https_proxy: 'http://proxy:3128' })
    expect(await scene.watched()).toBe(0)
    expect(scene.console()).not.toContain('never_joined')
  })

  it('ignores an agent whose process it cannot see, as on a remote docker', async ({ expect }) => {
    const scene = await Scene.open()
    scene.vm.write('fakes/agent-pid', '4194999\n')
    expect(await scene.watched()).toBe(0)
    expect(scene.console()).not.toContain('never_joined')
  })

  it('ends when the script is started again', async ({ expect }) => {
    const scene = await Scene.open()
    scene.container('read -r _')
    const setup = scene.setup({ bootTimeoutSeconds: 600 })
    const first = await scene.vm.run(setup)
    expect(isRunning(first.pid)).toBe(true)
    const second = await scene.vm.run(setup)
    await until(() => !isRunning(first.pid), 'the end of the first watch')
    expect(isRunning(second.pid)).toBe(true)
    expect(scene.console()).not.toContain('never_joined')
  })
})
