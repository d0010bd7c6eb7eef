// A local VM: the script and its agent, in their own process group and folder.
import { once } from 'node:events'
import { afterEach, describe, expect, it } from 'vitest'
import type { SetupChanges } from '../../support/agent-setups.ts'
import { isRunning, rendered, type ScriptVm, ScriptVms } from '../../support/script-vm.ts'
import { until } from '../../support/server.ts'

const vms = new ScriptVms()
afterEach(() => vms.close())

/** An agent that records its environment and runs until it is stopped. */
const patient = `trap 'echo asked >>"$PROVISION_ROOT/asked"; exit 0' TERM
env -0 >"$PROVISION_ROOT/seen"; echo agent is here; while :; do sleep 1; done`

function local(agent = patient, changes: SetupChanges = {}): SetupChanges {
  return { cloud: 'local', runtime: 'process', slotType: 'auto', command: ['bash', '-c', agent], ...changes }
}

const id = { PROVISION_INSTANCE_ID: 'local-00000001-1' }

/** Runs until the agent is up; `says` is its output then. */
async function started(vm: ScriptVm, changes = local(), says = 'agent is here\n') {
  const run = vm.start(await rendered(changes), id)
  await until(() => run.soFar().stages.includes('agent_started'), 'agent_started')
  await until(() => vm.read('var/log/determined-agent.log').endsWith(says), 'the agent')
  return run
}

function environment(vm: ScriptVm): Record<string, string> {
  const settings = vm.read('seen').split('\0').slice(0, -1)
  return Object.fromEntries(settings.map((setting) => setting.split(/=([\s\S]*)/, 2)))
}

describe('a local VM', () => {
  it('starts the agent with its settings and paths below the root', async () => {
    const vm = vms.create()
    const { soFar } = await started(vm)
    expect(soFar().stages).toEqual(['started', 'configuration_written', 'tls_checked', 'agent_started'])
    const { root } = vm
    expect(environment(vm)).toMatchObject({
      HOME: root,
      DET_AGENT_ID: 'local-00000001-1',
      DET_MASTER_HOST: '10.0.0.5',
      DET_CONFIG_FILE: `${root}/etc/determined/agent.yaml`,
      DET_SECURITY_TLS_MASTER_CERT: `${root}/usr/local/determined/master.crt`,
    })
    expect(vm.has('etc/determined/agent.yaml')).toBe(true)
    expect(vm.read('var/log/determined-agent.log')).toBe('agent is here\n')
    expect(vm.tools.calls('setsid')).toEqual([])
    expect(vm.read('dev/console')).toBe('')
  })

  it('passes SIGTERM on to its agent and waits for it', async () => {
    const vm = vms.create()
    const { child } = await started(vm)
    child.kill('SIGTERM')
    expect(await once(child, 'close')).toEqual([143, null])
    expect(vm.read('asked')).toBe('asked\n')
    await nothingIsLeft(child.pid!)
  })

  it('exits with its agent, and reports its exit status', async () => {
    const vm = vms.create({ sleep: 'exec "$REAL_SLEEP" 0.2' })
    const agent = 'while [ ! -e "$PROVISION_ROOT/go" ]; do sleep 1; done; exit 7'
    const { child, soFar } = await started(vm, local(agent), '')
    vm.write('go', '')
    expect(await once(child, 'close')).toEqual([26, null])
    expect(soFar().output).toContain('PROVISION_STAGE=agent_failed its exit status is 7')
    await nothingIsLeft(child.pid!)
  })

  it('ends completely, like a machine that is powered off, when its agent never connects', async () => {
    const vm = vms.create()
    const { status, stages } = await vm.run(local(patient, { bootTimeoutSeconds: 2 }), id)
    expect({ status, last: stages.at(-1) }).toEqual({ status: 41, last: 'never_joined' })
    expect(vm.read('asked')).toContain('asked')
    expect(vm.tools.calls('shutdown')).toEqual([])
  })

  it('ends completely when its startup_script hangs', async () => {
    const vm = vms.create()
    const hanging = local(patient, { bootTimeoutSeconds: 1, startupScript: 'while :; do sleep 1; done' })
    const { pid, status, stages } = await vm.run(hanging, id)
    expect({ status, last: stages.at(-1) }).toEqual({ status: 41, last: 'never_joined' })
    await nothingIsLeft(pid)
  })

  it('kills an agent that ignores SIGTERM', async () => {
    const vm = vms.create()
    const { child } = await started(vm, local(`trap '' TERM; while :; do sleep 1; done`), '')
    child.kill('SIGTERM')
    await once(child, 'close')
    await nothingIsLeft(child.pid!)
  })

  it('ends completely when a step fails', async () => {
    const vm = vms.create()
    const run = await vm.run(local('exit 1'), id)
    expect([run.status, run.stages.at(-1)]).toEqual([26, 'agent_failed'])
    expect(vm.tools.calls('shutdown')).toEqual([])
  })

  it('can be run again in the same folder', async () => {
    const vm = vms.create()
    const first = await started(vm)
    first.child.kill('SIGTERM')
    await once(first.child, 'close')
    const second = await started(vm)
    expect(second.soFar().stages.at(-1)).toBe('agent_started')
  })

  it("runs the pool's startup_script in its folder", async () => {
    const vm = vms.create()
    await started(vm, local(patient, { startupScript: 'pwd >where' }))
    expect(vm.read('where')).toBe(`${vm.root}\n`)
  })
})

describe('a local VM is never the machine itself', () => {
  it.each([
    ['no root', { PROVISION_ROOT: '' }],
    ['the root of the machine', { PROVISION_ROOT: '/' }],
    ['the root of the machine, by a detour', { PROVISION_ROOT: '/usr/..' }],
    ['a folder that is not there', { PROVISION_ROOT: '/no/such/folder' }],
    ['no instance id', { PROVISION_INSTANCE_ID: '' }],
  ])('and refuses to run with %s', async (_, environment) => {
    const vm = vms.create()
    const { status, stages } = await vm.run(local(), { ...id, ...environment })
    expect({ status, stages }).toEqual({ status: 1, stages: ['internal_error'] })
  })
})

const nothingIsLeft = (pid: number) => until(() => !isRunning(pid), 'the end of the process group')
