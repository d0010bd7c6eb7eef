// User data as EC2 hands it out boots a machine whose agent joins the master over verified TLS: cloud-init reads it from
// the metadata service, docker runs the agent's image.
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
  return site.userData({ cloud: 'aws', port: listener.port, certificates: chain.chain, provider })
}

function connected(machine: Machine): Promise<boolean> {
  return site.until(machine, 'agent_connected', () => machine.stages().includes('agent_connected'))
}

describe.concurrent('an EC2 machine', () => {
  it('joins by itself, says each step on its console, and stays', async () => {
    const given = await userData()
    expect(given.encoding).toBe('plain')
    const { machine, id } = site.launch('aws', given)
    const agent = await site.joined(machine, master, id)
    expect(agent).toMatchObject({
      pool: 'default',
      devices: [{ type: 'cpu' }],
      link: { address: machine.address, tls: { version: 'TLSv1.3', serverName: 'master.test' } },
    })
    await connected(machine)
    expect(machine.stages()).toEqual([
      'started',
      'configuration_written',
      'tls_checked',
      'image_pulled',
      'agent_started',
      'agent_connected',
    ])
    expect(machine.isOn()).toBe(true)
    const asked = site.asked(machine)
    expect(asked.filter((call) => call.endsWith('401'))).toEqual([])
    expect(asked).toContain('GET /2021-03-23/user-data 200')
    expect(asked.at(-1)).toBe('GET /latest/meta-data/instance-id 200')
  })

  it('joins with user data that has to be packed', async () => {
    const ballast = Array.from({ length: 1000 }, (_, n) => `# line ${n} of a long startup script`).join('\n')
    const given = await userData({ startup_script: `#!/bin/bash\n${ballast}\necho unpacked >/root/proof\n` })
    expect(given).toMatchObject({ encoding: 'gzip', bytes: { limit: 16_384 } })
    const { machine, id } = site.launch('aws', given)
    await site.joined(machine, master, id)
    expect(machine.disk('root/proof')).toBe('unpacked\n')
  })

  it("runs the user's own scripts, on the machine and in the container, whatever their line ends", async () => {
    const startup = '#!/bin/bash\r\ncat /etc/hostname >/dev/null\r\necho "home $HOME" >>/root/proof\r\n'
    const inContainer = '#!/bin/bash\r\necho "made ready for $DET_AGENT_ID"\r\n'
    const given = await userData({ startup_script: startup, container_startup_script: inContainer })
    const { machine, id } = site.launch('aws', given)
    await site.joined(machine, master, id)
    expect(machine.disk('root/proof')).toBe('home /root\n')
    expect(machine.stages().slice(0, 2)).toEqual(['started', 'startup_script_done'])
    expect(machine.containers()).toContain(`made ready for ${id}`)
  })

  it('joins again after a reboot, by docker alone: cloud-init runs the script once', async () => {
    const given = await userData({ startup_script: '#!/bin/bash\necho run >>/root/proof\n' })
    const { machine, id } = site.launch('aws', given)
    const { connection } = await site.joined(machine, master, id)
    await connected(machine)
    const before = machine.stages()
    await machine.stop()
    machine.boot()
    await site.joined(machine, master, id, connection)
    const boots = () => machine.disk('var/log/cloud-init-output.log').split(' finished at ').length - 1
    await site.until(machine, 'cloud-init ends', () => boots() === 2)
    expect(machine.disk('root/proof')).toBe('run\n')
    expect(machine.stages()).toEqual(before)
  })
})
