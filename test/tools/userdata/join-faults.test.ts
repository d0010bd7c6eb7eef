// Why an instance gets no client certificate, by its stage; and what it does with the certificate that it has.
import { readdirSync, readFileSync, renameSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type FailureStage, failureStages } from '../../../src/agent-setup/stages.ts'
import type { SetupChanges } from '../../support/agent-setups.ts'
import type { ToolBehaviour } from '../../support/fake-tools.ts'
import { type Fault, issuedFor, publicKeyOf } from '../../support/join-endpoint.ts'
import { embed } from '../../support/masters.ts'
import type { ScriptVm } from '../../support/script-vm.ts'
import { authority, masterName } from '../../support/x509-profiles.ts'
import { credentials, folder, JoinWorld, modes, root, secret, session } from './join-vm.ts'

let world: JoinWorld
beforeEach(async () => {
  world = new JoinWorld()
  await world.open()
})
afterEach(() => world.close())

const identity = 'identity-credentials/ec2/security-credentials/ec2-instance'

interface Case {
  what: string
  stage: FailureStage
  /** Part of its reason. */
  reason: string
  prepare?: () => void
  changes?: () => SetupChanges
  tools?: ToolBehaviour
}

function always(...faults: Fault[]): () => void {
  return () => Object.assign(world.endpoint, { faults, stays: true })
}

/** Asks another address, under another name or with other CAs. */
function asking(more: Partial<NonNullable<SetupChanges['join']>>): SetupChanges {
  return { join: { ...world.setup().join!, ...more } }
}

const cases: Case[] = [
  { what: 'refusals', stage: 'join_refused', reason: 'status 403', prepare: always(403) },
  { what: 'a limit', stage: 'join_unreachable', reason: 'status 429', prepare: always(429) },
  { what: 'no state', stage: 'join_unreachable', reason: 'status 503', prepare: always(503) },
  {
    what: 'a certificate of another key',
    stage: 'join_unreachable',
    reason: 'not a certificate of this instance',
    prepare: always('foreign'),
  },
  {
    what: 'another page for the challenge',
    stage: 'join_unreachable',
    reason: 'no nonce',
    prepare: () => Object.assign(world.endpoint, { challengeFaults: Array(9).fill('no nonce') }),
  },
  {
    what: 'no listener',
    stage: 'join_unreachable',
    reason: 'curl: (7)',
    changes: () => asking({ url: 'https://127.0.0.1:1' }),
  },
  {
    what: 'a certificate of another CA',
    stage: 'join_unreachable',
    reason: 'curl: (60)',
    changes: () => asking({ chain: authority('Other').pem }),
  },
  {
    what: 'a certificate for another name',
    stage: 'join_unreachable',
    reason: 'curl: (60)',
    changes: () => asking({ name: 'other.example.com' }),
  },
  {
    what: 'no credentials of the instance',
    stage: 'proof_unavailable',
    reason: '404',
    prepare: () => delete world.imds.values[identity],
  },
  {
    what: 'credentials without a token',
    stage: 'proof_unavailable',
    reason: 'no Token for this instance',
    prepare: () => {
      world.imds.values[identity] = credentials.replace('"Token"', '"Session"')
    },
  },
  {
    what: 'no curl after the instance id',
    stage: 'proof_unavailable',
    reason: 'curl is not on this instance',
    changes: () => ({
      cloud: 'local',
      runtime: 'process',
      command: ['agent'],
      join: { ...world.setup().join!, proofs: ['local-secret'] },
    }),
    tools: { curl: undefined },
  },
  {
    what: 'no openssl',
    stage: 'proof_unavailable',
    reason: 'openssl is not on this instance',
    tools: { openssl: undefined },
  },
  {
    what: 'no secret of the parent',
    stage: 'proof_unavailable',
    reason: 'PROVISION_JOIN_SECRET',
    changes: () => ({
      cloud: 'local',
      runtime: 'process',
      command: ['agent'],
      join: { ...world.setup().join!, proofs: ['local-secret'] },
    }),
  },
]

describe('a boot ends with its reason for', () => {
  it.each(cases)('$what: $stage', async ({ stage, reason, prepare, changes, tools }) => {
    prepare?.()
    const vm = world.vm(tools)
    const setup = world.setup({ bootTimeoutSeconds: 31, ...changes?.() })
    const { status, stages, output } = await vm.run(setup, { PROVISION_INSTANCE_ID: 'local-1' })
    expect(status, output).toBe(failureStages[stage].exit)
    expect(stages.at(-1)).toBe(stage)
    expect(output.split('\n').find((line) => line.includes(`PROVISION_STAGE=${stage}`))).toContain(reason)
    for (const text of [secret, session.slice(0, 40), 'ASIA']) expect(output).not.toContain(text)
    // No container of an agent was started.
    expect(vm.tools.calls('docker').filter(({ args }) => args[0] === 'run')).toEqual([])
  })

  it('an endpoint of another CA, which gets no proof', async () => {
    const vm = world.vm()
    await vm.run(world.setup({ bootTimeoutSeconds: 14, ...asking({ chain: authority('Other').pem }) }))
    expect(world.endpoint.requests).toEqual([])
  })
})

it('verifies the endpoint by its own chain where it differs from that of the master', async () => {
  const other = embed(masterName, ['root', authority('Other').pem])
  const changes = { trust: other, ...asking({ chain: root.pem }), bootTimeoutSeconds: 14 }
  const { stages } = await world.vm().run(world.setup(changes))
  expect(stages).toContain('certificate_issued')
  expect(stages.at(-1)).toBe('tls_unknown_ca')
})

describe('a later run', () => {
  async function booted(vm = world.vm()): Promise<ScriptVm> {
    const { status, output } = await vm.run(world.setup())
    expect(status, output).toBe(0)
    world.endpoint.requests.length = 0
    return vm
  }
  const asked = () => world.endpoint.requests.map(({ path, status }) => [path, status])

  it('renews the certificate with the same key, by the present one', async () => {
    const vm = await booted()
    const before = [vm.read(`${folder}/agent.key`), vm.read(`${folder}/agent.crt`)]
    await vm.run(world.setup())
    expect(asked()).toEqual([['renew', 200]])
    expect(vm.read(`${folder}/agent.key`)).toBe(before[0])
    expect(vm.read(`${folder}/agent.crt`)).not.toBe(before[1])
  })

  it('continues with a valid certificate while nobody answers', async () => {
    const vm = await booted()
    await world.endpoint.stop()
    const { status, stages, output } = await vm.run(world.setup({ bootTimeoutSeconds: 14 }))
    expect({ status, last: stages.at(-1) }, output).toEqual({ status: 0, last: 'agent_started' })
    await world.endpoint.listen()
  })

  it('proves itself again, with the same key, after the certificate expired', async () => {
    const vm = await booted()
    const key = vm.read(`${folder}/agent.key`)
    const expired = issuedFor(world.endpoint.ca, join(vm.root, folder, 'agent.key'), true)
    vm.write(`${folder}/agent.crt`, expired)
    await vm.run(world.setup())
    expect(asked()).toEqual([
      ['challenge', 200],
      ['join', 200],
    ])
    expect(vm.read(`${folder}/agent.key`)).toBe(key)
    expect(publicKeyOf(vm.read(`${folder}/agent.crt`))).toBe(world.endpoint.to('join')[0]!.publicKey)
  })

  it('proves itself again if its certificate is not accepted any more', async () => {
    const vm = await booted()
    world.endpoint.faults = [403]
    await vm.run(world.setup())
    expect(asked()).toEqual([
      ['renew', 403],
      ['challenge', 200],
      ['join', 200],
    ])
  })

  it('makes a key of its own on a disk of another instance', async () => {
    const vm = await booted()
    const key = vm.read(`${folder}/agent.key`)
    world.imds.values['instance-id'] = 'i-0000000000000000f'
    await vm.run(world.setup())
    expect(asked()).toEqual([
      ['challenge', 200],
      ['join', 200],
    ])
    expect(world.endpoint.to('join')[0]!.subject).toMatch(/i-0000000000000000f$/)
    expect(vm.read(`${folder}/agent.key`)).not.toBe(key)
  })

  it('replaces a key that is damaged', async () => {
    const vm = await booted()
    vm.write(`${folder}/agent.key`, '-----BEGIN EC PRIVATE KEY-----\nMHcC\n')
    await vm.run(world.setup())
    expect(asked()).toContainEqual(['join', 200])
  })

  it('makes its files where /usr is read-only', async () => {
    const vm = world.vm({ mkdir: `case "$*" in *usr/local*) exit 1 ;; esac; exec /bin/mkdir "$@"` })
    const { status, output } = await vm.run(world.setup())
    expect(status, output).toBe(0)
    expect(vm.has('var/lib/determined/join/agent.crt')).toBe(true)
    const mount = `${vm.root}/var/lib/determined/join:/usr/local/determined/join:ro`
    expect(vm.tools.calls('docker').find(({ args }) => args[0] === 'run')!.args).toContain(mount)
  })
})

describe('renewal', () => {
  it('replaces the file in its folder, again and again, and after errors', async () => {
    const vm = world.vm({}, 0.1)
    const { status, output } = await vm.run(world.setup())
    expect(status, output).toBe(0)
    const first = { ino: statSync(join(vm.root, folder)).ino, pem: vm.read(`${folder}/agent.crt`) }
    await expect.poll(() => world.endpoint.to('renew').length).toBeGreaterThan(2)
    expect(vm.read(`${folder}/agent.crt`)).not.toBe(first.pem)
    expect(statSync(join(vm.root, folder)).ino).toBe(first.ino)
    expect(publicKeyOf(vm.read(`${folder}/agent.crt`))).toBe(world.endpoint.to('join')[0]!.publicKey)
    world.endpoint.faults = [503, 429, 500, 'foreign']
    const before = world.endpoint.to('renew').length
    await expect.poll(() => world.endpoint.to('renew').length).toBeGreaterThan(before + 6)
    expect(world.endpoint.to('join')).toHaveLength(1)
    expect(publicKeyOf(vm.read(`${folder}/agent.crt`))).toBe(world.endpoint.to('join')[0]!.publicKey)
  })

  it('makes a new proof with the same key when the certificate has expired', async () => {
    const vm = world.vm({}, 0.1)
    await vm.run(world.setup())
    const { endpoint } = world
    always(503)()
    const refused = () => endpoint.to('renew').some(({ status }) => status === 503)
    await expect.poll(refused).toBe(true)
    // From here on no renewal replaces the file.
    const expired = issuedFor(endpoint.ca, join(vm.root, folder, 'agent.key'), true)
    vm.write(`${folder}/late`, expired)
    renameSync(join(vm.root, folder, 'late'), join(vm.root, folder, 'agent.crt'))
    await expect.poll(() => endpoint.to('join').length).toBeGreaterThan(1)
    Object.assign(endpoint, { faults: [], stays: false })
    const isNew = () => vm.read(`${folder}/agent.crt`) !== expired
    await expect.poll(isNew).toBe(true)
    const [first, second] = endpoint.to('join')
    expect(second!.publicKey).toBe(first!.publicKey)
    expect(second!.body!.nonce).not.toBe(first!.body!.nonce)
    expect(publicKeyOf(vm.read(`${folder}/agent.crt`))).toBe(first!.publicKey)
  })

  it('is a unit of systemd, which a later run restarts', async () => {
    const vm = world.vm({ systemctl: '' })
    const { status, output } = await vm.run(world.setup())
    expect(status, output).toBe(0)
    const unit = vm.read('run/systemd/system/determined-join.service')
    expect(unit).toContain(`\nExecStart=/bin/bash ${vm.root}/${folder}/renew\nRestart=always\n`)
    const calls = vm.tools.calls('systemctl').map(({ args }) => args.join(' '))
    expect(calls.filter((call) => call.includes('determined-join') || call === 'daemon-reload')).toEqual([
      'daemon-reload',
      'restart determined-join',
    ])
    expect(modes(vm)['renew']).toBe('600')
    // Nothing in the folder is a proof.
    for (const name of readdirSync(join(vm.root, folder)))
      for (const text of [secret, session.slice(0, 40), 'one-time'])
        expect(vm.read(`${folder}/${name}`)).not.toContain(text)
  })

  it('runs once without systemd, also after a later run', async () => {
    const vm = world.vm()
    await vm.run(world.setup())
    const first = Number(vm.read('run/determined-join'))
    await vm.run(world.setup())
    const second = Number(vm.read('run/determined-join'))
    expect(second).not.toBe(first)
    await expect.poll(() => isAlive(first)).toBe(false)
    expect(isAlive(second)).toBe(true)
  })
})

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}
