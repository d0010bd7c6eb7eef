// The life of a Compute Engine instance, whose startup script runs at every boot.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
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

// Each test continues with the VM of the previous one.
describe('a Compute Engine instance', () => {
  let connection: number

  it('joins at its first boot', async () => {
    vm = await region.launch('gcp', await region.userData('gcp', master))
    const agent = await region.joined(vm, master)
    connection = agent.connection
    expect(agent.link.tls).toMatchObject({ version: 'TLSv1.3', serverName: 'master.test' })
    await region.reported(vm, 'agent_connected')
  })

  it('joins at its second boot, and the script keeps its tasks running', async () => {
    const stages = vm.stages().length
    await region.reboot(vm)
    const { connection: next } = await region.joined(vm, master, connection)
    const id = await region.busy(vm, master)
    await region.reported(vm, 'agent_connected', stages)
    expect(await region.endOf(vm, master, id)).toBe('finished')
    expect(master.master.agent(vm.id)?.connection).toBe(next)
    connection = next
  })

  it('keeps its tasks when the script is rerun by hand', async () => {
    const id = await region.busy(vm, master)
    await vm.run('google_metadata_script_runner startup >/dev/null 2>&1')
    expect(await region.endOf(vm, master, id)).toBe('finished')
    expect(master.master.agent(vm.id)?.connection).toBe(connection)
  })
})
