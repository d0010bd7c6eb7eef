// The script gets its client certificate at whichever of several masters gives one, with the real openssl and curl.
import { afterEach, beforeEach, expect, it } from 'vitest'
import type { SetupChanges } from '../../support/agent-setups.ts'
import { embed } from '../../support/masters.ts'
import { relay } from '../../support/running-agent.ts'
import type { ScriptVm } from '../../support/script-vm.ts'
import { authority, masterName } from '../../support/x509-profiles.ts'
import { JoinWorld } from './join-vm.ts'

let world: JoinWorld
beforeEach(async () => {
  world = new JoinWorld()
  await world.open()
})
afterEach(() => world.close())

type Endpoint = { url: string; name: string }
const nobody: Endpoint = { url: 'https://127.0.0.1:1', name: masterName }
const right = (): Endpoint => ({ url: `https://127.0.0.1:${world.port}`, name: masterName })
const misnamed = (): Endpoint => ({ ...right(), name: 'other.example.com' })

/** An instance on Compute Engine, whose proof has its address in it. */
function asking(first: Endpoint, ...others: Endpoint[]): SetupChanges {
  const changes = world.setup({ cloud: 'gcp' })
  return { ...changes, join: { ...changes.join!, ...first, others } }
}

/** Too short for a second attempt. */
const once = { bootTimeoutSeconds: 32 }

/** For whom the instance asked for a token. */
function audienceOf(vm: ScriptVm): string | undefined {
  return vm.tools
    .calls('curl')
    .flatMap(({ args }) => args)
    .find((arg) => arg.startsWith('audience='))
}

it.each([
  ['is gone', () => nobody],
  ['has the certificate of another name', misnamed],
])('asks the next when one %s, with a proof for that one', async (_, wrong) => {
  const vm = world.vm()
  const { status, stages, output } = await vm.run(asking(wrong(), right()))
  expect([status, stages.includes('certificate_issued')], output).toEqual([0, true])
  expect(world.endpoint.to('join').map(({ body }) => body!.url)).toEqual([right().url])
  expect(audienceOf(vm)).toContain(`audience=${right().url}/v1/join/`)
})

it('keeps to the one that answered, and asks no other', async () => {
  const { status, output } = await world.vm().run(asking(right(), nobody))
  expect(status, output).toBe(0)
  expect(output).not.toContain('127.0.0.1:1:')
})

it('fails when none gives one, and says about each why', async () => {
  const { status, output } = await world.vm().run({ ...asking(nobody, misnamed()), ...once })
  expect(status).toBe(42)
  const said = output.split('\n').find((line) => line.includes('PROVISION_STAGE=join_unreachable'))
  expect(said).toMatch(/https:\/\/127\.0\.0\.1:1: curl: \(7\).*; https:\/\/127\.0\.0\.1:\d+: curl: \(60\)/)
})

it('fails with a refusal where one refuses, and another is gone', async () => {
  Object.assign(world.endpoint, { faults: [403], stays: true })
  for (const order of [
    [right(), nobody],
    [nobody, right()],
  ] as const) {
    const { status, output } = await world.vm().run({ ...asking(...order), ...once })
    expect(status, output).toBe(43)
    expect(output).toMatch(/PROVISION_STAGE=join_refused https:/)
  }
})

it('trusts the same CAs at each', async () => {
  const changes = asking(right(), { url: `https://localhost:${world.port}`, name: masterName })
  const trust = embed(masterName, ['root', authority('Other').pem])
  const { status } = await world.vm().run({ ...changes, ...once, trust })
  expect(status).toBe(42)
  expect(world.endpoint.requests).toEqual([])
})

it('renews at the other when the first is gone', async () => {
  const wire = await relay(world.port)
  const first = { ...right(), url: `https://127.0.0.1:${wire.port}` }
  const run = await world.vm({}, 0.5).run(asking(first, right()))
  await wire.close()
  expect(run.status, run.output).toBe(0)
  expect(world.endpoint.to('join').map(({ body }) => body!.url)).toEqual([first.url])
  const before = world.endpoint.to('renew').length
  await expect.poll(() => world.endpoint.to('renew').length, { timeout: 30_000 }).toBeGreaterThan(before + 1)
  expect(world.endpoint.to('renew').every(({ status }) => status === 200)).toBe(true)
})
