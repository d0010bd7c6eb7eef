// EC2 machines whose clock is wrong at boot and is set while the script runs, like NTP does: before and during each of its waits.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { UserData } from '../../src/agent-setup/pack.ts'
import type { TestMaster } from '../support/master.ts'
import { Site } from './support/site.ts'

let site: Site
let master: TestMaster
beforeAll(async () => {
  site = await Site.open()
  master = await site.master()
})
afterAll(() => site?.dispose())

/** Corrects the clock some seconds after the start of the script. */
const setAfter = (seconds: number) =>
  `#!/bin/bash\n(sleep ${seconds}; echo +0 >/etc/faketimerc) </dev/null >/dev/null 2>&1 &\n`

/** So wrong that no certificate is valid. */
const wrong = { behind: '-4000d', ahead: '+4000d' }

function userData(
  startup: string,
  more: Record<string, unknown> = {},
  port = master.listener.port,
): Promise<UserData> {
  const provider = { startup_script: startup, boot_timeout: '60s', ...more }
  return site.userData({ cloud: 'aws', port, certificates: master.chain.chain, provider })
}

function launch(given: UserData, clock: string) {
  return site.launch('aws', given, { 'etc/faketimerc': `${clock}\n` })
}

describe.concurrent('an EC2 machine', () => {
  it.each([
    ['behind', 'tls_not_yet_valid'],
    ['ahead', 'tls_expired'],
  ] as const)('whose clock is %s waits until it is set, then joins', async (way, fault) => {
    const { machine, id } = launch(await userData(setAfter(12)), wrong[way])
    await site.joined(machine, master, id)
    await site.until(machine, 'agent_connected', () => machine.stages().includes('agent_connected'))
    expect(machine.console()).toMatch(
      new RegExp(`${fault}, trying again: this clock says \\S+Z, not(Before|After)=`),
    )
    expect(machine.stages()).not.toContain('never_joined')
  })

  it.each(['-1d', '+1d'])(
    'whose clock is set from %s during the watch ends at the right time',
    async (clock) => {
      const port = master.listener.port
      const firewall = `iptables -I FORWARD -p tcp --dport ${port} -j DROP\n`
      const { machine } = launch(await userData(`${setAfter(15)}${firewall}`, { boot_timeout: '40s' }), clock)
      await site.until(machine, 'started', () => machine.stages().includes('started'))
      const start = Date.now()
      expect(await site.lastStage(machine), machine.describe()).toBe('never_joined')
      const took = (Date.now() - start) / 1000
      expect(took).toBeGreaterThan(35)
      expect(took).toBeLessThan(75)
    },
  )

  it('whose clock is set back while nothing listens on the master port ends in time', async () => {
    const { machine } = launch(await userData(setAfter(8), { boot_timeout: '40s' }, 1), '+1d')
    await site.until(machine, 'started', () => machine.stages().includes('started'))
    const start = Date.now()
    expect(await site.lastStage(machine), machine.describe()).toBe('tls_refused')
    expect((Date.now() - start) / 1000).toBeLessThan(60)
  })
})
