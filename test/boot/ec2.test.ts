// User data boots an EC2 machine whose agent joins the master over verified TLS: cloud-init reads it from the metadata
// service, docker runs the agent's image.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createDevelopmentChain } from '../../src/pki/development-ca.ts'
import { type TestMaster, token } from '../support/master.ts'
import { gateway, type Machine } from './support/machine.ts'
import { Site } from './support/site.ts'

let site: Site
let master: TestMaster
beforeAll(async () => {
  site = await Site.open()
  master = await site.master()
})
afterAll(() => site?.dispose())

function userData(provider: Record<string, unknown> = {}, { listener, chain } = master) {
  return site.userData({ cloud: 'aws', port: listener.port, certificates: chain.chain, provider })
}

function connected(machine: Machine): Promise<boolean> {
  return site.until(machine, 'agent_connected', () => machine.stages().includes('agent_connected'))
}

describe.concurrent('an EC2 machine', () => {
  it('joins, reports each stage on its console, and keeps running', async () => {
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
    const requests = site.requests(machine)
    expect(requests.filter((call) => call.endsWith('401'))).toEqual([])
    expect(requests).toContain('GET /2021-03-23/user-data 200')
    expect(requests.at(-1)).toBe('GET /latest/meta-data/instance-id 200')
  })

  it('joins with user data that must be compressed', async () => {
    const ballast = Array.from({ length: 1000 }, (_, n) => `# line ${n} of a long startup script`).join('\n')
    const given = await userData({ startup_script: `#!/bin/bash\n${ballast}\necho unpacked >/srv/proof\n` })
    expect(given).toMatchObject({ encoding: 'gzip', bytes: { limit: 16_384 } })
    const { machine, id } = site.launch('aws', given)
    await site.joined(machine, master, id)
    expect(machine.disk('srv/proof')).toBe('unpacked\n')
  })

  it("runs the user's own scripts, on the machine and in the container, with any line ends", async () => {
    const startup = '#!/bin/bash\r\ncat /etc/hostname >/dev/null\r\necho "home $HOME" >>/srv/proof\r\n'
    const inContainer = '#!/bin/bash\r\necho "made ready for $DET_AGENT_ID"\r\n'
    const given = await userData({ startup_script: startup, container_startup_script: inContainer })
    const { machine, id } = site.launch('aws', given)
    await site.joined(machine, master, id)
    expect(machine.disk('srv/proof')).toBe('home /root\n')
    expect(machine.stages().slice(0, 2)).toEqual(['started', 'startup_script_done'])
    expect(machine.containers()).toContain(`made ready for ${id}`)
  })

  it('joins again after a reboot: the script runs again, startup_script does not', async () => {
    const given = await userData({ startup_script: '#!/bin/bash\necho run >>/srv/proof\n' })
    const { machine, id } = site.launch('aws', given)
    const { connection } = await site.joined(machine, master, id)
    await connected(machine)
    const before = machine.stages()
    await machine.stop()
    machine.boot()
    await site.joined(machine, master, id, connection)
    const again = before.filter((stage) => stage !== 'startup_script_done')
    await site.until(
      machine,
      'the second watch',
      () => machine.stages().length === before.length + again.length,
    )
    expect(machine.stages()).toEqual([...before, ...again])
    expect(machine.console()).toContain('agent_started already running')
    expect(machine.disk('srv/proof')).toBe('run\n')
  })
})

describe('an EC2 machine whose script is rerun while its agent has tasks', () => {
  it.each([
    ['unchanged', 'x', 'already running'],
    [
      'with other settings',
      's/RECONNECT_ATTEMPTS=.*/RECONNECT_ATTEMPTS=9/',
      'it has tasks and keeps its earlier configuration',
    ],
  ])('%s keeps both running', async (_, edit, note) => {
    const again = `sed '${edit === 'x' ? '' : edit}' /var/lib/cloud/instance/scripts/part-001 >/srv/again && bash /srv/again`
    // By hand, like a logged-in user; the job reports when.
    const startup = `#!/bin/bash
[ ! -e /srv/again ] || exit 0
(until grep -qzs ^DET_CONTAINER_ID= /proc/[0-9]*/environ; do sleep 1; done; ${again}) </dev/null >/dev/null 2>&1 &
`
    // With its own master: the job must be placed on this agent.
    const alone = await site.master()
    const { machine, id } = site.launch('aws', await userData({ startup_script: startup }, alone))
    const { connection } = await site.joined(machine, alone, id)
    await connected(machine)
    const order = { command: ['sh', '-c', 'sleep 30'], slots: 1 }
    const work = { host: gateway, token, method: 'POST', body: order }
    const answer = await alone.ask('/provision/v1/jobs', work)
    expect(answer.status, JSON.stringify(answer.json)).toBeLessThan(300)
    await site.until(machine, note, () => machine.console().includes(`agent_started ${note}`))
    const listed = async () =>
      JSON.stringify((await alone.ask('/provision/v1/jobs', { host: gateway, token })).json)
    await expect.poll(listed, { timeout: 90_000 }).toMatch(/finished|succeeded|completed/i)
    expect(alone.master.agents().find((agent) => agent.id === id)).toMatchObject({
      connection,
      phase: 'joined',
    })
  })
})

describe.concurrent('an EC2 machine that was stopped while the master changed its root', () => {
  async function stopped(provider: Record<string, unknown> = {}, files: Record<string, string> = {}) {
    const old = await site.master()
    const { port } = old.listener
    const given = await site.userData({ cloud: 'aws', port, certificates: old.chain.chain, provider })
    const { machine, id } = site.launch('aws', given, files)
    await site.joined(machine, old, id)
    await connected(machine)
    await machine.stop()
    await old.stop()
    const { chain, leaf } = await createDevelopmentChain({
      names: ['master.test'],
      ips: [],
      days: 30,
      now: Date.now(),
    })
    return { machine, id, chain, next: await site.master({ port, tls: { cert: chain, key: leaf.key } }) }
  }

  // Like an image on which the agent was installed.
  const command =
    '#!/bin/sh\ncd /run/share/agent && exec usr/local/bin/node opt/provision/dist/cli.cjs agent "$@"\n'
  it.each([
    ['a container', {}, {}],
    ['a process', { agent_runtime: 'process' }, { 'usr/local/bin/determined-agent': command }],
  ])('joins with new user data, its agent %s', async (_, provider, files) => {
    const {
      machine,
      id,
      next,
      chain: certificates,
    } = await stopped(provider, files as Record<string, string>)
    const { port } = next.listener
    site.changeUserData(machine, await site.userData({ cloud: 'aws', port, certificates, provider }))
    machine.boot()
    await site.joined(machine, next, id)
    const joined = () => machine.stages().filter((stage) => stage === 'agent_connected').length === 2
    await site.until(machine, 'the second watch', joined)
    expect(machine.isOn()).toBe(true)
  })

  it('powers itself off with the old user data', async () => {
    const { machine } = await stopped()
    machine.boot()
    expect(await site.lastStage(machine), machine.describe()).toBe('tls_unknown_ca')
  })
})
