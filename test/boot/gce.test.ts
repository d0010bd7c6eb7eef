// The startup-script of Compute Engine boots a machine whose agent joins: Google's runner fetches and runs it at
// every boot.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { TestMaster } from '../support/master.ts'
import type { Machine } from './support/machine.ts'
import { Site } from './support/site.ts'

let site: Site
let master: TestMaster
beforeAll(async () => {
  site = await Site.open()
  master = await site.master()
})
afterAll(() => site?.dispose())

function userData(provider: Record<string, unknown> = {}) {
  const { listener, chain } = master
  return site.userData({ cloud: 'gcp', port: listener.port, certificates: chain.chain, provider })
}

function times(machine: Machine, stage: string): number {
  return machine.stages().filter((each) => each === stage).length
}

describe.concurrent('a Compute Engine machine', () => {
  it('joins, and after a reboot joins again with the same container', async () => {
    const given = await userData()
    expect(given.encoding).toBe('plain')
    const { machine, id } = site.launch('gcp', given)
    const first = await site.joined(machine, master, id)
    expect(first.link).toMatchObject({ address: machine.address, tls: { serverName: 'master.test' } })
    await site.until(machine, 'agent_connected', () => times(machine, 'agent_connected') === 1)
    const stages = machine.stages()

    await machine.stop()
    machine.boot()
    await site.until(machine, 'the script runs again', () => times(machine, 'agent_connected') === 2)
    await site.joined(machine, master, id, first.connection)
    expect(machine.stages()).toEqual([...stages, ...stages])
    expect(machine.console()).toContain('agent_started already running')
  })

  it('joins with a long script, which a stub must unpack', async () => {
    const ballast = Array.from({ length: 8000 }, (_, n) => `# line ${n} of a long startup script`).join('\n')
    const given = await userData({ startup_script: `#!/bin/bash\n${ballast}\necho unpacked >/srv/proof\n` })
    expect(given).toMatchObject({ encoding: 'gzip-stub', bytes: { limit: 262_144 } })
    const { machine, id } = site.launch('gcp', given)
    await site.joined(machine, master, id)
    expect(machine.disk('srv/proof')).toBe('unpacked\n')
  })

  it("runs the user's own scripts although the runner does not support their line ends", async () => {
    const startup = '#!/bin/bash\r\necho "home $HOME" >>/srv/proof\r\n'
    const inContainer = '#!/bin/bash\r\necho "made ready for $DET_AGENT_ID"\r\n'
    const given = await userData({ startup_script: startup, container_startup_script: inContainer })
    const { machine, id } = site.launch('gcp', given)
    await site.joined(machine, master, id)
    expect(machine.disk('srv/proof')).toBe('home /root\n')
    expect(machine.containers()).toContain(`made ready for ${id}`)
  })

  it('joins with the agent as a process, which keeps running after the script, and again after a reboot', async () => {
    // Like an image on which the agent was installed.
    const command =
      '#!/bin/sh\ncd /run/share/agent && exec usr/local/bin/node opt/provision/dist/cli.cjs agent "$@"\n'
    const given = await userData({ agent_runtime: 'process' })
    const { machine, id } = site.launch('gcp', given, { 'usr/local/bin/determined-agent': command })
    const first = await site.joined(machine, master, id)
    await site.until(machine, 'agent_connected', () => times(machine, 'agent_connected') === 1)
    await machine.stop()
    machine.boot()
    await site.joined(machine, master, id, first.connection)
    expect(machine.containers()).toBe('')
    // The agent logs it a moment after it has joined.
    const joins = () => machine.disk('var/log/determined-agent.log').match(/joined the master/g)?.length
    await site.until(machine, 'it logs the second join', () => joins() === 2)
  })
})
