// The script run again while docker, the master or the machine has changed: it never ends jobs.
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { type AddressInfo, createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import type { SetupChanges } from '../../support/agent-setups.ts'
import { dockerRun, isRunning, type ScriptVm, ScriptVms } from '../../support/script-vm.ts'
import { until } from '../../support/server.ts'

const vms = new ScriptVms()
const children: ChildProcess[] = []
const servers: Server[] = []
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
  for (const server of servers.splice(0)) server.close()
  vms.close()
})

/**
 * Docker as the files below `$FAKES` define it: the container's `state`, its `generation`, `tasks`, `log` and
 * `agent-pid`.
 */
const docker = `case $1 in
  inspect) case $3 in
      *generation*) [ ! -e "$FAKES/deaf" ] || { rm "$FAKES/deaf"; echo 'Cannot connect to the Docker daemon' >&2; exit 1; }
        [ -e "$FAKES/state" ] || { echo 'Error: No such object: determined-agent' >&2; exit 1; }
        echo "$(cat "$FAKES/state") $(cat "$FAKES/generation" 2>/dev/null)" ;;
      *Pid*) cat "$FAKES/agent-pid" 2>/dev/null || echo 0 ;;
      *StartedAt*) cat "$FAKES/started" 2>/dev/null ;;
      *Id*) echo c0ffee ;;
      *) echo true 0 ;;
    esac ;;
  ps) cat "$FAKES/tasks" 2>/dev/null ;;
  logs) cat "$FAKES/log" 2>/dev/null ;;
  run) while [ $# -gt 0 ]; do [ "$1" != --cidfile ] || echo c0ffee >"$2"; shift; done ;;
  image) exit 1 ;;
esac`

/** A VM on which the script has run once, and whose agent has been running since. */
async function joined(tools: Record<string, string> = {}): Promise<ScriptVm> {
  const vm = vms.create({ docker, curl: 'echo i-again', ...tools })
  await vm.run({})
  vm.write('fakes/generation', dockerRun(vm).generation)
  vm.write('fakes/state', 'running')
  return vm
}

function changesSince(vm: ScriptVm, before: number): string[] {
  return vm.tools
    .calls('docker')
    .slice(before)
    .flatMap(({ args }) => args[0]!.match(/^(?:stop|rm|run|kill)$/) ?? [])
}

async function master(): Promise<number> {
  const server = createServer((socket) => socket.on('error', () => {}))
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as AddressInfo).port
}

function agent(vm: ScriptVm, code: string): void {
  const child = spawn('bash', ['-c', code], { stdio: ['pipe', 'ignore', 'ignore'] })
  children.push(child)
  vm.write('fakes/agent-pid', `${child.pid}\n`)
}

const shutdowns = (vm: ScriptVm) => vm.tools.calls('shutdown').length

describe.runIf(process.platform === 'linux')('an agent with jobs', () => {
  it('is not powered off when its master is away for longer than the boot timeout', async () => {
    const vm = await joined({
      openssl: `[ ! -e "$FAKES/away" ] || { echo 'Connection refused' >&2; exit 1; }`,
    })
    vm.write('fakes/away', '')
    vm.write('fakes/tasks', 'deadbeef\n')
    const { pid, status, output } = await vm.run({ bootTimeoutSeconds: 1 })
    expect([status, output]).toEqual([32, expect.stringContaining('has tasks')])
    await new Promise((resolve) => setTimeout(resolve, 1500))
    expect([shutdowns(vm), isRunning(pid)]).toEqual([0, true])
    // Its jobs are done, and the master is still away: as if it had never joined.
    vm.write('fakes/tasks', '')
    await until(() => shutdowns(vm) === 1, 'shutdown')
    expect(vm.read('dev/console')).toContain('PROVISION_STAGE=never_joined')
  })

  it('is not powered off when any other step fails', async () => {
    const vm = await joined()
    vm.write('fakes/tasks', 'deadbeef\n')
    const { status } = await vm.run({ startupScript: 'exit 3' })
    expect([status, shutdowns(vm)]).toEqual([20, 0])
  })

  it('is restarted when it was stopped: its tasks do not need the old one', async () => {
    const vm = await joined()
    vm.write('fakes/tasks', 'deadbeef\n')
    vm.write('fakes/state', 'exited')
    const before = vm.tools.calls('docker').length
    expect((await vm.run({})).status).toBe(0)
    expect(changesSince(vm, before)).toEqual(['stop', 'rm', 'run'])
  })

  it('is not removed because docker did not respond to the query for it', async () => {
    const vm = await joined()
    vm.write('fakes/deaf', '')
    const before = vm.tools.calls('docker').length
    const { output } = await vm.run({})
    expect(output).toContain('already running')
    expect(changesSince(vm, before)).toEqual([])
  })
})

describe.runIf(process.platform === 'linux')('an agent that is a process and has jobs', () => {
  it('is not powered off when its master is away, and is when its jobs are done', async () => {
    const away = `[ ! -e "$FAKES/away" ] || { echo 'Connection refused' >&2; exit 1; }`
    const vm = vms.create({ curl: 'echo i-process-with-work', openssl: away })
    // Its log contains no join: the master is away.
    const work = `(export DET_CONTAINER_ID=c; exec bash -c 'until [ -e "$0" ]; do sleep 0.2; done' "${vm.root}/done") &`
    const command = ['bash', '-c', `${work} echo level=trace; while :; do sleep 1; done`]
    const setup: SetupChanges = { runtime: 'process', slotType: 'none', command }
    await vm.run(setup)
    vm.write('fakes/away', '')
    const { status } = await vm.run({ ...setup, bootTimeoutSeconds: 1 })
    await new Promise((resolve) => setTimeout(resolve, 1500))
    expect([status, shutdowns(vm)]).toEqual([32, 0])
    vm.write('done', '')
    await until(() => shutdowns(vm) === 1, 'shutdown')
  })

  it('shows no secrets of its log when it exits at once', async () => {
    const vm = vms.create({ sleep: 'exec "$REAL_SLEEP" 0.5' })
    const command = ['bash', '-c', 'echo PASSWORD=geheim; echo over; exit 1']
    const { output } = await vm.run({ runtime: 'process', slotType: 'none', command })
    expect(output).toContain('over')
    expect(output).not.toContain('geheim')
  })
})

describe.runIf(process.platform === 'linux')('the watch of an agent that was already running', () => {
  it('does not require log lines that its log no longer contains', async () => {
    const port = await master()
    const vm = vms.create({ docker, curl: 'echo i-again' })
    await vm.run({ master: { port } })
    vm.write('fakes/generation', dockerRun(vm).generation)
    vm.write('fakes/state', 'running')
    vm.write('fakes/log', 'level=trace msg="container state changed"\n'.repeat(2000))
    agent(vm, `exec 3<>/dev/tcp/127.0.0.1/${port}; read -r _`)
    await vm.run({ master: { port } })
    await until(() => /agent_connected|never_joined/.test(vm.read('dev/console')), 'a verdict')
    expect(vm.read('dev/console')).toContain('PROVISION_STAGE=agent_connected')
    expect(shutdowns(vm)).toBe(0)
  })
})

describe.runIf(process.platform === 'linux')('the watch', () => {
  it('is not misled by connections that come and go beside the one that lasts', async () => {
    const port = await master()
    const vm = vms.create({ docker, sleep: 'exec "$REAL_SLEEP" 0.3' })
    vm.write('fakes/log', 'level=trace msg="writing agent started message"\n')
    agent(
      vm,
      `exec 3<>/dev/tcp/127.0.0.1/${port}; while exec 4<>/dev/tcp/127.0.0.1/${port}; do sleep 0.05; done`,
    )
    await vm.run({ master: { port }, bootTimeoutSeconds: 4 })
    await until(() => /agent_connected|never_joined/.test(vm.read('dev/console')), 'a verdict')
    expect(vm.read('dev/console')).toContain('PROVISION_STAGE=agent_connected')
  })

  it('finds the log line of an agent whose log is long, and was written before the clock was set back', async () => {
    const port = await master()
    // Like docker: it shows neither lines logged before `--since`, nor more lines than `--tail`.
    const logs = `logs) case "$*" in *--since\\ 2999*) echo level=trace ;; *) tail -n "$([[ "$*" =~ --tail\\ ([0-9]+) ]] && echo "\${BASH_REMATCH[1]}" || echo +1)" "$FAKES/log" ;; esac ;;`
    const vm = vms.create({ docker: docker.replace(/^ {2}logs.*$/m, () => logs) })
    vm.write('fakes/started', '2999-01-01T00:00:00.5Z\n')
    const trace = 'level=trace msg="pulling an image"\n'
    vm.write('fakes/log', `${trace}level=trace msg="writing agent started message"\n${trace.repeat(5000)}`)
    agent(vm, `exec 3<>/dev/tcp/127.0.0.1/${port}; read -r _`)
    await vm.run({ master: { port }, bootTimeoutSeconds: 4 })
    await until(() => /agent_connected|never_joined/.test(vm.read('dev/console')), 'a verdict')
    expect(vm.read('dev/console')).toMatch(/PROVISION_STAGE=agent_connected$/m)
  })
})

describe('a machine on which docker started first after a reboot', () => {
  it('may have folders in place of files: docker creates them for missing mounts', async () => {
    const vm = vms.create()
    for (const path of ['etc/determined/agent.yaml', 'usr/local/determined/master.crt'])
      mkdirSync(join(vm.root, path), { recursive: true })
    const { status, output } = await vm.run({})
    expect(status, output).toBe(0)
  })
})

describe('scripts that run at the same time', () => {
  it('do not power the machine off because one removes what the other creates', async () => {
    const once = '[ -e "$FAKES/once" ] || { : >"$FAKES/once"; exit 1; }'
    const vm = vms.create({ rm: `case "$*" in *run/determined) ${once} ;; esac; exec "$FAKES/real/rm" "$@"` })
    const { status, output } = await vm.run({})
    expect(status, output).toBe(0)
  })
})

describe('a failure', () => {
  it('is reported and powers the machine off, also if /run is full', async () => {
    const vm = vms.create({
      docker: undefined,
      mkdir: 'case "$*" in *failed) exit 1 ;; esac; exec "$FAKES/real/mkdir" "$@"',
    })
    const { stages } = await vm.run({})
    expect([stages.at(-1), shutdowns(vm)]).toEqual(['no_docker', 1])
  })

  it('cannot fake stages, whatever it quotes', async () => {
    const said = `printf 'docker: bad\\r\\nPROVISION_STAGE=agent_connected\\n\\033[2J' >&2; exit 125`
    const vm = vms.create({ docker: docker.replace(/^ {2}run\).*$/m, `  run) ${said} ;;`) })
    const { stages, output } = await vm.run({})
    expect(stages.at(-1)).toBe('agent_not_started')
    const [line] = output.match(/^.*agent_not_started.*$/m) ?? []
    expect(line).toContain('docker: bad')
    expect(vm.read('dev/console')).not.toMatch(/[\r\u001B]/)
  })
})

describe('the last log lines of an agent', () => {
  it.each([
    'Authorization: Bearer geheim',
    '"Authorization":"Basic geheim"',
    'AWS_SECRET_ACCESS_KEY=geheim',
    'PASSWORD=geheim',
    'password=\\"ein geheim\\"',
    '{"password":"ein geheim"}',
    'GET https://bucket/x?X-Amz-Signature=geheim&a=b',
    'GET https://blob/x?sig=geheim',
    'GET https://api/x?api_key=geheim',
    'api-key: geheim',
    'https://me:geheim@registry',
    'key id AKIAGEHEIMGEHEIM1234',
  ])('hide what is secret: %s', async (words) => {
    const vm = vms.create({
      docker: docker.replace('*) echo true 0 ;;', '*) echo false 1 ;;'),
    })
    vm.write('fakes/log', `level=fatal msg="no: ${words} at the end"\n`)
    const { output } = await vm.run({})
    expect(output).toContain('at the end')
    expect(`${output}${vm.read('dev/console')}`).not.toMatch(/geheim/i)
  })
})
