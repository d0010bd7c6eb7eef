// The agent as a process of a cloud VM: started by the script, and still running when the script is done.
import { readFileSync } from 'node:fs'
import { afterEach, describe, expect, it } from 'vitest'
import type { SetupChanges } from '../../support/agent-setups.ts'
import { type ScriptVm, ScriptVms } from '../../support/script-vm.ts'
import { until } from '../../support/server.ts'

const vms = new ScriptVms()
afterEach(() => vms.close())

const agent = 'echo "$DET_AGENT_ID $DET_CONFIG_FILE $DET_SECURITY_TLS_MASTER_CERT"; while :; do sleep 1; done'
const setup: SetupChanges = { runtime: 'process', slotType: 'none', command: ['bash', '-c', agent] }

function agentOf(vm: ScriptVm, scriptPid: number): number {
  return Number(vm.read(`run/determined/${scriptPid}/agent`))
}

function runs(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}

describe.runIf(process.platform === 'linux')('an agent without docker', () => {
  it('keeps running after the script, in its own session, with its settings and a log', async () => {
    const vm = vms.create()
    const { pid, status, stages } = await vm.run(setup)
    expect({ status, stages }).toEqual({
      status: 0,
      stages: ['started', 'configuration_written', 'tls_checked', 'agent_started'],
    })
    expect(runs(agentOf(vm, pid))).toBe(true)
    expect(vm.tools.calls('setsid').map(({ args }) => args)).toEqual([
      ['bash', '-c', expect.stringContaining('while [ -e "$0" ]'), `${vm.root}/run/determined-agent/start`],
    ])
    expect(vm.tools.calls('docker')).toEqual([])
    const files = [`${vm.root}/etc/determined/agent.yaml`, `${vm.root}/usr/local/determined/master.crt`]
    await until(() => vm.read('var/log/determined-agent.log').includes('\n'), 'the agent')
    expect(vm.read('var/log/determined-agent.log')).toBe(`i-0123456789abcdef0 ${files.join(' ')}\n`)
  })

  it('is not changed when the script is run again', async () => {
    const vm = vms.create()
    const first = agentOf(vm, (await vm.run(setup)).pid)
    const { output, pid } = await vm.run(setup)
    expect(output).toContain('PROVISION_STAGE=agent_started already running')
    expect([agentOf(vm, pid), runs(first)]).toEqual([first, true])
  })

  it('is replaced by one with other settings', async () => {
    const vm = vms.create()
    const first = agentOf(vm, (await vm.run(setup)).pid)
    const second = agentOf(vm, (await vm.run({ ...setup, poolName: 'other' })).pid)
    await until(() => !runs(first), 'the end of the first agent')
    expect(runs(second)).toBe(true)
  })

  it('is not replaced while it has jobs', async () => {
    // An id of its own: other tests run at the same time.
    const vm = vms.create({ curl: 'echo i-busy' })
    const task = 'DET_CONTAINER_ID=c bash -c "while :; do sleep 1; done" &'
    const busy = { ...setup, command: ['bash', '-c', `${task} ${agent}`] }
    const first = agentOf(vm, (await vm.run(busy)).pid)
    const { output } = await vm.run({ ...busy, poolName: 'other' })
    expect(output).toContain('PROVISION_STAGE=agent_started it has tasks')
    expect(runs(first)).toBe(true)
  })

  it('is restarted when it exits', async () => {
    const vm = vms.create()
    const first = agentOf(vm, (await vm.run(setup)).pid)
    process.kill(first, 'SIGKILL')
    const pid = () => Number(vm.read('run/determined-agent/pid'))
    await until(() => pid() !== first && runs(pid()), 'the next agent')
  })

  it('is its own unit where systemd runs, whose stop does not end its tasks', async () => {
    const systemctl = 'case $1 in start) setsid bash "$FAKES/../run/determined-agent/start" & ;; esac'
    const vm = vms.create({ systemctl })
    const { status, output } = await vm.run(setup)
    expect(status, output).toBe(0)
    const unit = vm.read('run/systemd/system/determined-agent.service')
    expect(unit).toContain(`ExecStart=/bin/bash ${vm.root}/run/determined-agent/start\n`)
    expect(unit).toMatch(/^Restart=always$/m)
    expect(unit).toMatch(/^KillMode=process$/m)
    expect(vm.tools.calls('systemctl').map(({ args }) => args[0])).toEqual(
      expect.arrayContaining(['daemon-reload', 'start']),
    )
  })
})
