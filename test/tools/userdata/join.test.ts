// The script gets a client certificate, on a VM with the real openssl and curl. Signatures are judged by botocore, requests by openssl.
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { publicKeyOf } from '../../support/join-endpoint.ts'
import { pythonWith } from '../../support/python.ts'
import type { ScriptRun } from '../../support/script-vm.ts'
import { folder, JoinWorld, modes, secret, session } from './join-vm.ts'

let world: JoinWorld
beforeEach(async () => {
  world = new JoinWorld()
  await world.open()
})
afterEach(() => world.close())

let python: string
beforeAll(async () => {
  python = await pythonWith('botocore-signer', join(import.meta.dirname, 'requirements.txt'))
})

const whole = [
  'started',
  'configuration_written',
  'certificate_issued',
  'tls_checked',
  'image_pulled',
  'agent_started',
]

/** It went through every stage, and printed nothing of what it proves itself with. */
function expectWhole({ status, stages, output }: ScriptRun): void {
  expect({ status, stages }, output).toEqual({ status: 0, stages: whole })
  expectSilent(output)
}

function expectSilent(output: string): void {
  for (const text of [secret, session.slice(0, 40), 'ASIA', 'eyJhbGciOiJS', 'one-time', 'PRIVATE KEY'])
    expect(output).not.toContain(text)
}

describe('an EC2 instance', () => {
  it('gets a certificate for its id and key before the agent starts', async () => {
    const vm = world.vm()
    expectWhole(await vm.run(world.setup()))
    const { endpoint } = world
    expect(endpoint.requests.map(({ path, status }) => [path, status])).toEqual([
      ['challenge', 200],
      ['join', 200],
    ])
    const [{ body, subject, publicKey }] = endpoint.to('join') as [(typeof endpoint.requests)[number]]
    expect(body!.id).toBe('i-0123456789abcdef0')
    expect(subject).toMatch(/^subject= ?CN ?= ?i-0123456789abcdef0$/)
    expect(publicKeyOf(vm.read(`${folder}/agent.crt`))).toBe(publicKey)
    expect(modes(vm)).toEqual({
      '.': '700',
      'agent.crt': '600',
      'agent.key': '600',
      error: '600',
      id: '600',
      renew: '600',
    })
    // The folder, because a file that is mounted alone would stay the old one.
    const mount = `${vm.root}/${folder}:/usr/local/determined/join:ro`
    expect(vm.tools.calls('docker').find(({ args }) => args[0] === 'run')!.args).toContain(mount)
  })

  it('signs as botocore does, and each attempt with its own challenge', async () => {
    world.endpoint.faults = [403, 503]
    expectWhole(await world.vm().run(world.setup()))
    const bodies = world.endpoint.to('join').map(({ body }) => body!)
    expect(new Set(bodies.map(({ nonce }) => nonce)).size).toBe(3)
    for (const { nonce, proof } of bodies) {
      expect(Object.keys(proof).sort()).toEqual(['authorization', 'date', 'kind', 'region', 'token'])
      expect(proof).toMatchObject({ kind: 'aws-sts', region: 'eu-central-1', token: session })
      expect(Math.abs(Date.parse(iso(proof['date']!)) - Date.now())).toBeLessThan(60_000)
      expect(proof['authorization']).toBe(
        await signed('eu-central-1', 'sts.eu-central-1.amazonaws.com', proof['date']!, nonce),
      )
    }
  })

  it('signs for the STS host of its partition', async () => {
    Object.assign(world.imds.values, {
      'placement/region': 'cn-north-1',
      'services/domain': 'amazonaws.com.cn',
    })
    expectWhole(await world.vm().run(world.setup()))
    const { nonce, proof } = world.endpoint.to('join')[0]!.body!
    expect(proof['authorization']).toBe(
      await signed('cn-north-1', 'sts.cn-north-1.amazonaws.com.cn', proof['date']!, nonce),
    )
  })

  it('sends its identity document where that proof is configured, in turn with the others', async () => {
    world.endpoint.faults = [503, 503]
    const changes = world.setup()
    const proofs = ['aws-identity-document', 'aws-sts']
    expectWhole(await world.vm().run({ ...changes, join: { ...changes.join!, proofs } }))
    const sent = world.endpoint.to('join').map(({ body }) => body!.proof)
    expect(sent.map(({ kind }) => kind)).toEqual([
      'aws-identity-document',
      'aws-sts',
      'aws-identity-document',
    ])
    expect(Buffer.from(sent[0]!['document']!, 'base64').toString()).toBe(
      world.imds.values['instance-identity/document'],
    )
    expect(sent[0]!['signature']).toBe('MIAGCSqGSIb3DQEHAqCAMIACAQExDzAN')
  })

  it('joins with an agent that is a process, whose configuration names the files', async () => {
    const vm = world.vm({
      'determined-agent': 'cat "$DET_CONFIG_FILE" >"$FAKES/agent-config"; exec "$REAL_SLEEP" 60',
    })
    const tls = {
      client_cert: '/usr/local/determined/join/agent.crt',
      client_key: '/usr/local/determined/join/agent.key',
    }
    const agentConfig = { security: { tls } }
    const run = await vm.run(world.setup({ runtime: 'process', command: ['determined-agent'], agentConfig }))
    expect(
      run.stages.filter((stage) => stage !== 'image_pulled'),
      run.output,
    ).toEqual(whole.filter((stage) => stage !== 'image_pulled'))
    expect(JSON.parse(vm.read('fakes/agent-config')).security.tls).toMatchObject({
      client_cert: `${vm.root}/${folder}/agent.crt`,
      client_key: `${vm.root}/${folder}/agent.key`,
    })
  })
})

it('a Compute Engine instance sends a token for this endpoint and challenge', async () => {
  expectWhole(await world.vm().run(world.setup({ cloud: 'gcp' })))
  const { id, nonce, proof } = world.endpoint.to('join')[0]!.body!
  expect({ id, proof }).toEqual({
    id: 'det-agent-1',
    proof: {
      kind: 'gcp-identity-token',
      token: world.imds.values['instance/service-accounts/default/identity'],
    },
  })
  const asked = world.imds.calls.find((call) => call.includes('service-accounts/default/identity'))!
  const query = new URL(asked.split(' ')[1]!, 'http://metadata').searchParams
  expect(Object.fromEntries(query)).toEqual({
    audience: `https://127.0.0.1:${world.port}/v1/join/${nonce}`,
    format: 'full',
  })
})

it('a local instance sends the secret of its parent, which its agent does not get', async () => {
  const vm = world.vm({ agent: 'env >"$FAKES/agent-env"; "$REAL_SLEEP" 6' })
  const environment = { PROVISION_INSTANCE_ID: 'local-1', PROVISION_JOIN_SECRET: 'one-time' }
  const setup = world.setup({ cloud: 'local', runtime: 'process', command: ['agent'], startupScript: 'env' })
  const { status, stages, output } = await vm.run(setup, environment)
  expect(status, output).toBe(0)
  expect(stages).toContain('agent_started')
  expect(world.endpoint.to('join')[0]!.body).toMatchObject({
    id: 'local-1',
    proof: { kind: 'local-secret', secret: 'one-time' },
  })
  expect(vm.read('fakes/agent-env')).not.toContain('one-time')
  expectSilent(output)
})

function iso(date: string): string {
  return date.replace(/^(\d{4})(\d\d)(\d\dT\d\d)(\d\d)/, '$1-$2-$3:$4:')
}

async function signed(region: string, host: string, date: string, nonce: string): Promise<string> {
  const script = join(import.meta.dirname, 'signature.py')
  const args = [script, region, host, date, 'ASIAIOSFODNN7EXAMPLE', secret, session, nonce]
  const { stdout } = await promisify(execFile)(python, args)
  return stdout.trim()
}
