// Instances that cannot become agents: each reports why once, and is really powered off, so that it costs nothing.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { TestMaster } from '../support/master.ts'
import { firewall, Region } from './support/region.ts'

let region: Region
let master: TestMaster
beforeAll(async () => {
  region = await Region.open()
  master = await region.master()
})
afterAll(() => region?.dispose())

const day = 86_400_000

/** Milliseconds between the first lines with these two stages, by the VM's clock. */
function between(console: string, first: string, then: string): number {
  const at = (stage: string) => {
    const line = new RegExp(`(\\S+Z) PROVISION_STAGE=${stage}\\b`).exec(console)
    return Date.parse(line?.[1] ?? '')
  }
  return at(then) - at(first)
}

describe('an instance is powered off', () => {
  it('when its agent never joins, also if its clock is set back while it waits', async () => {
    const provider = { boot_timeout: '2m', startup_script: firewall(master) }
    const clock = Date.now() + day / 2
    const vm = await region.launch('aws', await region.userData('aws', master, provider), { clock })
    await region.reported(vm, 'started')
    await region.setClock(vm)
    expect(await region.lastStage(vm), vm.console()).toBe('never_joined')
    expect(master.master.agents()).toEqual([])
  })

  it('when it has no docker, without waiting for it', async () => {
    const given = await region.userData('aws', master)
    const vm = await region.launch('aws', given, { image: 'lane.no_docker' })
    expect(await region.lastStage(vm), vm.console()).toBe('no_docker')
    // Repeated attempts would take 105 s.
    expect(between(vm.console(), 'tls_checked', 'no_docker')).toBeLessThan(90_000)
  })

  it('or joins, if /usr is read-only', async () => {
    const given = await region.userData('aws', master)
    const vm = await region.launch('aws', given, { image: 'lane.usr_read_only' })
    const joined = () => master.master.agents().some(({ id, phase }) => id === vm.id && phase === 'joined')
    await region.until(vm, 'it joins or powers itself off', () => joined() || !vm.isOn())
    const stages = vm.stages()
    expect(stages, vm.console()).not.toContain('internal_error')
    expect(new Set(stages).size).toBe(stages.length)
  })
})
