// The script really runs, on a VM made of a temporary folder, and starts the agent as a container.
import { type ChildProcess, spawn } from 'node:child_process'
import { statSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { anchorsOf, type TrustMode } from '../../../src/pki/trust-plan.ts'
import { agentSetup, type SetupChanges, trustPlan } from '../../support/agent-setups.ts'
import { dockerRun, type ScriptVm, ScriptVms } from '../../support/script-vm.ts'

const vms = new ScriptVms()
afterEach(() => vms.close())

function mode(vm: ScriptVm, path: string): string {
  return (statSync(join(vm.root, path)).mode & 0o777).toString(8)
}

describe('an EC2 VM with GPUs and a private CA', () => {
  it('goes through every stage and starts the agent as Determined expects it', async () => {
    const vm = vms.create()
    const { status, stages } = await vm.run({})
    expect({ status, stages }).toEqual({
      status: 0,
      stages: ['started', 'configuration_written', 'tls_checked', 'image_pulled', 'agent_started'],
    })
    expect(dockerRun(vm)).toEqual({
      image: 'determinedai/determined-agent:0.38.1',
      generation: expect.stringMatching(/^[0-9a-f]{64}$/),
      environment: {
        DET_AGENT_ID: 'i-0123456789abcdef0',
        DET_MASTER_HOST: '10.0.0.5',
        DET_MASTER_PORT: '8443',
        DET_RESOURCE_POOL: 'default',
        DET_SLOT_TYPE: 'cuda',
        DET_AGENT_RECONNECT_ATTEMPTS: '5',
        DET_AGENT_RECONNECT_BACKOFF: '5',
        DET_SECURITY_TLS_ENABLED: 'true',
        DET_SECURITY_TLS_MASTER_CERT: '/usr/local/determined/master.crt',
        DET_SECURITY_TLS_MASTER_CERT_NAME: 'determined-master.example.com',
      },
      mounts: Object.fromEntries(
        [
          '/etc/determined/agent.yaml',
          '/usr/local/determined/master.crt',
          '/sys/fs/cgroup',
          '/run/systemd/system',
          '/var/run/docker.sock',
          '/var/run/dbus/system_bus_socket',
          '/usr/sbin/shutdown',
        ].map((path) => [path, path]),
      ),
      options: [
        ...['--init', '--detach', '--name', 'determined-agent', '--privileged', '--restart', 'always'],
        ...['--network', 'default', '--runtime', 'runc', '--gpus', 'all'],
      ],
    })
  })

  it('writes the chain and the configuration before they are read', async () => {
    const vm = vms.create()
    await vm.run({})
    const setup = agentSetup()
    expect(vm.read('usr/local/determined/master.crt')).toBe(anchorsOf(setup.trust))
    expect(JSON.parse(vm.read('etc/determined/agent.yaml'))).toEqual(setup.agentConfig)
    expect([mode(vm, 'usr/local/determined/master.crt'), mode(vm, 'etc/determined/agent.yaml')]).toEqual([
      '644',
      '600',
    ])
  })

  it('never makes a file readable for others, not even before its mode is set', async () => {
    const vm = vms.create({ chmod: '/bin/ls -l "$2" >>"$FAKES/modes"; /bin/chmod "$@"' })
    await vm.run({ startupScript: 'echo', containerStartupScript: 'echo' })
    const modes = vm
      .read('fakes/modes')
      .trim()
      .split('\n')
      .map((line) => line.split(' ')[0])
    expect(modes).toEqual(Array(4).fill(expect.stringMatching(/^-rw-------/)))
  })

  it('repeats every stage on the serial console, where the cloud shows it', async () => {
    const vm = vms.create()
    const { stages } = await vm.run({})
    expect(
      Array.from(vm.read('dev/console').matchAll(/^\S+Z PROVISION_STAGE=(\S+)$/gm), (m) => m[1]),
    ).toEqual(stages)
  })

  it('requests its instance id with a session token, bypassing any proxy', async () => {
    const vm = vms.create()
    const { output } = await vm.run({})
    const [token, id] = vm.tools.calls('curl').map(({ args }) => args.join(' '))
    expect(token).toContain('-X PUT -H X-aws-ec2-metadata-token-ttl-seconds: 60')
    expect(id).toContain('http://169.254.169.254/latest/meta-data/instance-id')
    expect(id).toContain('-H X-aws-ec2-metadata-token: secret-token')
    expect([token, id].every((args) => args?.includes('--noproxy *'))).toBe(true)
    expect(output).not.toContain('secret-token')
  })

  it('pulls nothing when the image exists', async () => {
    const vm = vms.create({ docker: '[ "$1" != inspect ] || echo true 0' })
    expect((await vm.run({})).status).toBe(0)
    expect(vm.tools.calls('docker').map(({ args }) => args[0])).not.toContain('pull')
  })

  it('retries when metadata, docker and the registry are late', async () => {
    const late = (what: string) => `echo >>"$FAKES/${what}"; [ "$(grep -c '' "$FAKES/${what}")" -ge 3 ]`
    const vm = vms.create({
      curl: `case "$*" in *api/token*) echo t ;; *) ${late('metadata')} && echo i-1 ;; esac`,
      docker: `case $1 in info) ${late('info')} ;; pull) ${late('pull')} ;; image) exit 1 ;; inspect) echo true 0 ;; esac`,
    })
    const { status, output } = await vm.run({})
    expect(status, output).toBe(0)
    const pauses = vm.tools.calls('sleep').map(({ args }) => args[0])
    // Metadata and docker are late twice each, the registry once after the early pull. The watch pauses for 5 s.
    expect(pauses.filter((pause) => pause !== '5')).toEqual(['1', '1', '1', '1', '1'])
  })
})

describe('differences between VMs', () => {
  it('uses the instance name as the agent id on Compute Engine', async () => {
    const vm = vms.create()
    expect((await vm.run({ cloud: 'gcp' })).status).toBe(0)
    expect(vm.tools.calls('curl')[0]!.args).toContain('Metadata-Flavor: Google')
    expect(dockerRun(vm).environment['DET_AGENT_ID']).toBe('det-agent-1')
  })

  it('requests GPUs from docker only if there are slots for them', async () => {
    const vm = vms.create()
    await vm.run({ slotType: 'cpu' })
    expect(dockerRun(vm).options).not.toContain('--gpus')
    expect(dockerRun(vm).environment['DET_SLOT_TYPE']).toBe('cpu')
  })

  it('passes on log options, network and runtime', async () => {
    const vm = vms.create()
    const logOptions = ['--log-driver=awslogs', '--log-opt=awslogs-group=my group']
    await vm.run({ docker: { logOptions, network: 'host', runtime: 'nvidia' }, slotType: 'none' })
    expect(dockerRun(vm).options.slice(7)).toEqual([
      '--network',
      'host',
      '--runtime',
      'nvidia',
      ...logOptions,
    ])
  })

  it("mounts the pool's container_startup_script, as a script its user can run", async () => {
    const vm = vms.create()
    await vm.run({ containerStartupScript: 'echo in the container' })
    const path = '/usr/local/determined/container_startup_script'
    expect(dockerRun(vm).mounts[path]).toBe(path)
    expect([vm.read(path), mode(vm, path)]).toEqual(['echo in the container\n', '700'])
  })

  it('mounts no path that the machine does not have, because docker would create a folder there', async () => {
    const vm = vms.create()
    await vm.runScript(`rm -rf "$PROVISION_ROOT"/run/systemd "$PROVISION_ROOT"/var/run/dbus`)
    await vm.run({})
    expect(Object.keys(dockerRun(vm).mounts)).toEqual([
      '/etc/determined/agent.yaml',
      '/usr/local/determined/master.crt',
      '/sys/fs/cgroup',
      '/var/run/docker.sock',
      '/usr/sbin/shutdown',
    ])
  })

  it('puts the address of an IPv6 master into brackets, because agents join host and port with a colon', async () => {
    const vm = vms.create()
    await vm.run({ master: { host: 'fd00::5' } })
    expect(dockerRun(vm).environment['DET_MASTER_HOST']).toBe('[fd00::5]')
  })

  it.each<[TrustMode, Record<string, string>]>([
    ['system', { DET_SECURITY_TLS_ENABLED: 'true', DET_SECURITY_TLS_MASTER_CERT_NAME: 'm.example.com' }],
    [
      'skip_verify',
      {
        DET_SECURITY_TLS_ENABLED: 'true',
        DET_SECURITY_TLS_SKIP_VERIFY: 'true',
        DET_SECURITY_TLS_MASTER_CERT_NAME: 'm.example.com',
      },
    ],
    ['off', {}],
  ])('tells the agent about trust mode %s, and embeds nothing', async (trust, expected) => {
    const vm = vms.create()
    const name = trust === 'off' ? undefined : 'm.example.com'
    vm.write('etc/ssl/cert.pem', anchorsOf(trustPlan('embed')))
    const { status, stages } = await vm.run({ trust: trustPlan(trust, name) })
    expect([status, stages.includes('tls_checked')]).toEqual([0, trust !== 'off'])
    const tls = Object.entries(dockerRun(vm).environment).filter(([key]) => key.startsWith('DET_SECURITY'))
    expect(Object.fromEntries(tls)).toEqual(expected)
    expect(vm.has('usr/local/determined/master.crt')).toBe(false)
  })
})

describe('an image whose /usr is read-only', () => {
  it('gets its files below /var/lib, and its container sees them in their usual places', async () => {
    const vm = vms.create()
    vm.write('usr/local', 'a file in its place: no folder can be made')
    const { status, output } = await vm.run({ startupScript: 'echo here', containerStartupScript: 'echo' })
    expect(status, output).toBe(0)
    expect(output).toContain('here\n')
    expect(dockerRun(vm).mounts).toMatchObject({
      '/usr/local/determined/master.crt': '/var/lib/determined/master.crt',
      '/usr/local/determined/container_startup_script': '/var/lib/determined/container_startup_script',
    })
    expect(vm.tools.calls('openssl')[0]!.args).toContain(`${vm.root}/var/lib/determined/master.crt`)
  })

  it('and that is read-only elsewhere too has its own code, reported once', async () => {
    const vm = vms.create()
    for (const path of ['usr/local', 'var/lib']) vm.write(path, 'a file in its place')
    const { status, stages } = await vm.run({})
    expect([status, stages]).toEqual([28, ['started', 'disk_not_writable']])
    expect(vm.tools.calls('shutdown')).toHaveLength(1)
  })
})

describe("the pool's startup_script", () => {
  it('runs first, with HOME and without a terminal', async () => {
    const vm = vms.create()
    const startupScript = '#!/bin/bash\necho "HOME=$HOME"; read -r line || echo "no input"'
    const { output, stages } = await vm.run({ startupScript })
    expect(stages.slice(0, 3)).toEqual(['started', 'startup_script_done', 'configuration_written'])
    expect(output).toContain('HOME=/root\nno input\n')
  })

  it('runs with any line endings', async () => {
    const vm = vms.create()
    const { output } = await vm.run({ startupScript: '\uFEFF\r\n#!/bin/bash\r\necho one\r\necho two\r\n' })
    expect(output).toContain('one\ntwo\n')
  })
})

/** Docker with a container of an earlier run; `$FAKES` contains the requests to it. */
const again = (state: string, tasks = '') => `case $1 in
  inspect) case $3 in *generation*) echo "${state} $(cat "$FAKES/generation")" ;; *Id*) echo c0ffee ;; *) echo true 0 ;; esac ;;
  ps) printf '%s' '${tasks}' ;;
  image) exit 1 ;;
esac`

/** A process that runs while the test does, with this environment, as a task of the agent would. */
function task(env: Record<string, string>): ChildProcess {
  const child = spawn('bash', ['-c', 'read -r _'], { stdio: ['pipe', 'ignore', 'ignore'], env })
  tasks.push(child)
  return child
}
const tasks: ChildProcess[] = []
afterEach(() => {
  for (const child of tasks.splice(0)) child.kill('SIGKILL')
})

describe('the script run again', () => {
  /** A VM whose docker has the container of the default setup, or another one. */
  async function second(state: string, { same = true, running = '' } = {}) {
    const vm = vms.create({ docker: again(state, running), curl: 'echo i-again' })
    // Mounts are below the VM's own folder, and part of the hash.
    vm.write('fakes/generation', '')
    await vm.run({})
    const { generation } = dockerRun(vm)
    vm.write('fakes/generation', same ? generation : 'other')
    vm.write('usr/local/determined/master.crt', 'scribbled over')
    const before = vm.tools.calls('docker').length
    const run = await vm.run({})
    const calls = vm.tools.calls('docker').slice(before)
    return {
      vm,
      run,
      calls,
      changes: calls.flatMap(({ args }) => args[0]!.match(/^(?:stop|rm|run|kill)$/) ?? []),
    }
  }

  it('does not change a correct agent, and rewrites the files', async () => {
    const { vm, run, changes } = await second('running')
    expect(run.status).toBe(0)
    expect(run.output).toContain('PROVISION_STAGE=agent_started already running')
    expect(changes).toEqual([])
    expect(vm.read('usr/local/determined/master.crt')).toBe(anchorsOf(agentSetup().trust))
  })

  it.each([
    ['of other settings', 'running', false],
    ['that docker starts again and again', 'restarting', true],
    ['that was stopped', 'exited', true],
  ])('replaces one %s, and asks it to end first', async (_, state, same) => {
    const { run, changes } = await second(state, { same })
    expect(run.status).toBe(0)
    expect(changes).toEqual(['stop', 'rm', 'run'])
  })

  it('does not change one with other settings whose tasks are containers', async () => {
    const { run, calls, changes } = await second('running', { same: false, running: 'deadbeef' })
    expect(run.output).toContain(
      'PROVISION_STAGE=agent_started it has tasks and keeps its earlier configuration',
    )
    expect(changes).toEqual([])
    const asked = calls.find(({ args }) => args[0] === 'ps')
    expect(asked?.args).toContain('label=ai.determined.container.agent=i-again')
  })

  it.runIf(process.platform === 'linux')(
    'does not change one whose tasks are processes, and no other',
    async () => {
      task({ DET_CONTAINER_ID: 'c', DET_AGENT_ID: 'i-0' })
      const idle = await second('running', { same: false })
      expect(idle.changes).toContain('stop')
      task({ DET_CONTAINER_ID: 'c', DET_AGENT_ID: 'i-again' })
      const busy = await second('running', { same: false })
      expect(busy.run.output).toContain('it has tasks')
      expect(busy.changes).toEqual([])
    },
  )

  it('treats another chain, image or configuration as another generation', async () => {
    const vm = vms.create()
    const changes: SetupChanges[] = [
      {},
      { docker: { image: 'agent:2' } },
      { agentConfig: { label: 'x' } },
      { trust: trustPlan('embed', 'other.example.com') },
      { containerStartupScript: 'echo' },
    ]
    const generations: string[] = []
    for (const change of changes) {
      await vm.run(change)
      generations.push(dockerRun(vm).generation)
    }
    expect(new Set(generations).size).toBe(changes.length)
    await vm.run({})
    expect(dockerRun(vm).generation).toBe(generations[0])
  })
})
