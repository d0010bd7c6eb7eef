// Instances whose clock is wrong when they start, and is set while the script waits, as NTP does.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { TestMaster } from '../support/master.ts'
import { firewall, Region } from './support/region.ts'
import type { Vm } from './support/vm.ts'

let region: Region
let master: TestMaster
beforeAll(async () => {
  region = await Region.open()
  master = await region.master()
})
afterAll(() => region?.dispose())

const day = 86_400_000

async function setClock(vm: Vm): Promise<void> {
  expect((await vm.run(`date -s @${Math.floor(Date.now() / 1000)}`)).status).toBe(0)
}

describe('an instance whose clock', () => {
  it.each([
    ['is two days behind', -2 * day, 'tls_not_yet_valid'],
    ['is 400 days ahead', 400 * day, 'tls_expired'],
  ])('%s joins once it is set', async (_, off, fault) => {
    const given = await region.userData('gcp', master)
    const vm = await region.launch('gcp', given, { clock: Date.now() + off })
    await region.until(vm, `the script to meet ${fault}`, () => vm.console().includes(fault))
    await setClock(vm)
    await region.joined(vm, master)
    await region.told(vm, 'agent_connected')
    expect(vm.isOn()).toBe(true)
    expect(vm.stages()).not.toContain('never_joined')
  })

  it('jumps by a day while the watch waits: the timeout is neither over at once nor put off', async () => {
    const provider = { boot_timeout: '5m', startup_script: firewall(master) }
    const vm = await region.launch('gcp', await region.userData('gcp', master, provider), {
      clock: Date.now() + day / 2,
    })
    await region.told(vm, 'agent_started')
    await setClock(vm)
    expect(await region.lastStage(vm), vm.console()).toBe('never_joined')
  })
})
