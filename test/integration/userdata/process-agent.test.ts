// The agent as a process of a cloud VM: started by the script, and still there when the script is done.
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
  it('outlives the script, in a session of its own, with its settings and a log', async () => {
    const vm = vms.create()
    const { pid, status, stages } = await vm.run(setup)
    expect({ status, stages }).toEqual({
      status: 0,
      stages: ['started', 'configuration_written', 'tls_checked', 'agent_started'],
    })
    expect(runs(agentOf(vm, pid))).toBe(true)
    expect(vm.tools.calls('setsid').map(({ args }) => args)).toEqual([['bash', '-c', agent]])
    expect(vm.tools.calls('docker')).toEqual([])
    const files = [`${vm.root}/etc/determined/agent.yaml`, `${vm.root}/usr/local/determined/master.crt`]
    await until(() => vm.read('var/log/determined-agent.log').includes('\n'), 'the agent')
    expect(vm.read('var/log/determined-agent.log')).toBe(`i-0123456789abcdef0 ${files.join(' ')}\n`)
  })

  it('is replaced when the script is run again', async () => {
    const vm = vms.create()
    const first = agentOf(vm, (await vm.run(setup)).pid)
    const second = agentOf(vm, (await vm.run(setup)).pid)
    await until(() => !runs(first), 'the end of the first agent')
    expect(runs(second)).toBe(true)
  })
})
