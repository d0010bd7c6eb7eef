// The life of an EC2 instance: its first boot, a reboot, and a stop and start after which its master has another root.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createDevelopmentChain } from '../../src/pki/development-ca.ts'
import type { TestMaster } from '../support/master.ts'
import { Region } from './support/region.ts'
import type { Vm } from './support/vm.ts'

let region: Region
let master: TestMaster
let vm: Vm
beforeAll(async () => {
  region = await Region.open()
  master = await region.master()
})
afterAll(() => region?.dispose())

const script = '/var/lib/cloud/instance/scripts/part-001'

// Each test continues with the VM of the previous one.
describe('an EC2 instance', () => {
  let connection: number

  it('joins over verified TLS, and reports each stage once', async () => {
    vm = await region.launch('aws', await region.userData('aws', master))
    const agent = await region.joined(vm, master)
    connection = agent.connection
    expect(agent.link.tls).toMatchObject({ version: 'TLSv1.3', serverName: 'master.test' })
    await region.reported(vm, 'agent_connected')
    expect(vm.stages()).toEqual([
      'started',
      'configuration_written',
      'tls_checked',
      'image_pulled',
      'agent_started',
      'agent_connected',
    ])
  })

  it('keeps its tasks when the script is rerun', async () => {
    const id = await region.busy(vm, master)
    expect((await vm.run(`${script} >/dev/null 2>&1`)).status).toBe(0)
    expect(await region.endOf(vm, master, id)).toBe('finished')
    expect(master.master.agent(vm.id)?.connection).toBe(connection)
  })

  it('joins again after a reboot, and the script keeps its tasks running', async () => {
    const stages = vm.stages().length
    await region.reboot(vm)
    const { connection: next } = await region.joined(vm, master, connection)
    const id = await region.busy(vm, master)
    await region.reported(vm, 'agent_connected', stages)
    expect(await region.endOf(vm, master, id)).toBe('finished')
    expect(master.master.agent(vm.id)?.connection).toBe(next)
  })

  it('stopped, and started with another root and new user data, joins or powers itself off', async () => {
    await vm.stop()
    await master.stop()
    const other = await createDevelopmentChain({ names: ['master.test'], ips: [], days: 30, now: Date.now() })
    const tls = { cert: other.chain, key: other.leaf.key }
    const renewed = { ...(await region.master({ tls, port: master.listener.port })), chain: other }
    region.give(vm, 'aws', await region.userData('aws', renewed, { boot_timeout: '5m' }))
    vm.boot()
    const joined = () => renewed.master.agents().some(({ id, phase }) => id === vm.id && phase === 'joined')
    await region.until(vm, 'it joins or powers itself off', () => joined() || !vm.isOn())
  })
})
