// Instances whose clock is wrong when they start, and is set while the script waits, like NTP does.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { TestMaster } from '../support/master.ts'
import { Region } from './support/region.ts'

let region: Region
let master: TestMaster
beforeAll(async () => {
  region = await Region.open()
  master = await region.master()
})
afterAll(() => region?.dispose())

const day = 86_400_000

describe('an instance whose clock', () => {
  it.each([
    ['is two days behind', -2 * day, 'tls_not_yet_valid'],
    ['is 400 days ahead', 400 * day, 'tls_expired'],
  ])('%s joins once it is set', async (_, off, fault) => {
    const given = await region.userData('gcp', master)
    const vm = await region.launch('gcp', given, { clock: Date.now() + off })
    await region.until(vm, `the script to meet ${fault}`, () => vm.console().includes(fault))
    await region.setClock(vm)
    await region.joined(vm, master)
    await region.reported(vm, 'agent_connected')
    expect(vm.isOn()).toBe(true)
    expect(vm.stages()).not.toContain('never_joined')
  })
})
