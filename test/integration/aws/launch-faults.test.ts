// Launches when calls fail, responses are lost and tokens are repeated: no extra VM, and none forgotten.
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { type AwsCloud, awsCloud, bothTypes } from '../../support/aws-cloud.ts'
import { offering } from '../../support/cloud-pools.ts'
import type { Fault } from '../../support/fake-ec2/server.ts'

let cloud: AwsCloud
beforeEach(async () => {
  cloud = await awsCloud()
})
afterEach(() => cloud.dispose())

const one = [offering('g5.xlarge', { zone: 'subnet-a' })]
const vms = () => [...cloud.ec2.world.vms.values()]

describe.each([
  ['RunInstances', one],
  ['CreateFleet', bothTypes],
])('%s', (action, offerings) => {
  const fault = (more: Partial<Fault>) => cloud.ec2.faults.push({ action, kind: 'error', ...more } as Fault)

  it('that took effect before its response was lost returns those VMs, and no others', async () => {
    fault({ kind: 'lose_reply', times: 1 })
    const result = await (await cloud.open()).launch(cloud.order(3, offerings))
    expect(result.failures).toEqual([])
    expect(result.instances.map(({ id }) => id).sort()).toEqual(vms().map(({ id }) => id))
    expect(vms()).toHaveLength(3)
  })

  it.each(['drop', 'html'] as const)('that failed (%s) is retried', async (kind) => {
    fault({ kind, times: 2 })
    const result = await (await cloud.open()).launch(cloud.order(3, offerings))
    expect(result).toMatchObject({ failures: [], instances: [{}, {}, {}] })
    expect(cloud.clock.waited).toEqual([1000, 2000])
  })

  it('that is throttled is retried with the same token, and then fails as throttled', async () => {
    fault({ code: 'RequestLimitExceeded', status: 503, times: 3 })
    const provider = await cloud.open()
    const order = cloud.order(3, offerings)
    const result = await provider.launch(order)
    expect(result).toMatchObject({ instances: [], failures: [{ class: 'throttle', missing: 3 }] })
    const tokens = cloud.ec2.calls
      .filter((call) => call.action === action)
      .map(({ params }) => params['ClientToken'])
    expect(tokens).toEqual([order.intent.id, order.intent.id, order.intent.id])
    expect((await provider.launch(order)).instances).toHaveLength(3)
  })

  it('that is not allowed names the action to allow, and is not retried', async () => {
    fault({
      code: 'UnauthorizedOperation',
      status: 403,
      message: `You are not authorized to perform this operation. User: arn:aws:iam::1:user/x is not authorized to perform: ec2:${action} on resource: *. Encoded authorization failure message: AAAAblob`,
    })
    const { failures } = await (await cloud.open()).launch(cloud.order(1, offerings))
    expect(failures).toMatchObject([{ class: 'auth', problem: { code: 'PROVIDER_AUTH' } }])
    expect(failures[0]!.problem.message).not.toContain('AAAAblob')
    expect(failures[0]!.problem.remedy).toContain(`Allow ec2:${action}`)
    expect(failures[0]!.problem.remedy).toContain('decode-authorization-message --encoded-message AAAAblob')
    expect(cloud.ec2.count(action)).toBe(1)
  })

  it('whose token was used with another image returns the VMs of that launch', async () => {
    const order = cloud.order(2, offerings)
    const first = await (await cloud.open()).launch(order)
    const again = await (await cloud.open({ image: { id: 'ami-1' } })).launch(order)
    expect(again.instances.map(({ id }) => id).sort()).toEqual(first.instances.map(({ id }) => id).sort())
    expect(again.failures).toEqual([])
    expect(vms()).toHaveLength(2)
  })

  it('whose token was used with another image waits for VMs that EC2 shows late', async () => {
    const order = cloud.order(1, offerings)
    cloud.ec2.world.hideNewVms = true
    await (await cloud.open()).launch(order)
    const sleep = cloud.clock.sleep
    cloud.clock.sleep = async (ms, signal) => {
      for (const vm of vms()) vm.visible = true
      await sleep(ms, signal)
    }
    const again = await (await cloud.open({ image: { id: 'ami-1' } })).launch(order)
    expect(again.instances).toHaveLength(1)
    expect(cloud.clock.waited).toEqual([5000])
  })
})

describe('a launch', () => {
  it('is not lost to EC2’s rate limits, however many there are at once', async () => {
    cloud.ec2.throttle()
    const provider = await cloud.open()
    const results = await Promise.all(Array.from({ length: 12 }, () => provider.launch(cloud.order(1, one))))
    expect(results.flatMap(({ failures }) => failures)).toEqual([])
    expect(vms()).toHaveLength(12)
    expect(cloud.ec2.count('RunInstances')).toBeGreaterThan(12)
  })

  it('whose VMs have terminated since returns those, and launches no others', async () => {
    const order = cloud.order(2, one)
    const provider = await cloud.open()
    await provider.launch(order)
    for (const { id } of vms()) cloud.ec2.world.end(id)
    const result = await provider.launch(order)
    expect(result).toMatchObject({
      failures: [],
      instances: [{ state: 'terminated' }, { state: 'terminated' }],
    })
    expect(vms()).toHaveLength(2)
  })

  it('that was carried out, but whose VMs are not shown, has an unknown outcome', async () => {
    const order = cloud.order(2, one)
    await (await cloud.open()).launch(order)
    for (const vm of vms()) vm.visible = false
    const result = await (await cloud.open({ image: { id: 'ami-1' } })).launch(order)
    expect(result).toMatchObject({
      instances: [],
      failures: [{ class: 'transient', missing: 2, problem: { code: 'PROVIDER_LAUNCH_SPENT' } }],
    })
    expect(cloud.clock.waited).toEqual([5000, 5000])
  })

  it('is abandoned at once when it is aborted while EC2 does not respond', async () => {
    cloud.ec2.faults.push({ action: 'RunInstances', kind: 'hang' })
    const stop = new AbortController()
    const provider = await cloud.open()
    const launching = provider.launch(cloud.order(1, one), stop.signal)
    await expect.poll(() => cloud.ec2.count('RunInstances')).toBe(1)
    stop.abort(new Error('shutting down'))
    await expect(launching).rejects.toThrow('shutting down')
  })

  it('over no network is transient', async () => {
    const provider = await cloud.open()
    await provider.launch(cloud.order(1, one))
    await cloud.ec2.close()
    const result = await provider.launch(cloud.order(1, one))
    expect(result.failures).toMatchObject([
      { class: 'transient', problem: { details: { code: 'ECONNREFUSED' } } },
    ])
  })

  it('without credentials, or with expired ones, reports that', async () => {
    const provider = await cloud.open()
    cloud.ec2.faults.push({ action: 'RunInstances', kind: 'error', code: 'ExpiredToken', status: 403 })
    const expired = await provider.launch(cloud.order(1, one))
    expect(expired.failures).toMatchObject([
      { class: 'auth', problem: { remedy: 'Renew the session credentials.' } },
    ])
    vi.stubEnv('AWS_ACCESS_KEY_ID', undefined)
    vi.stubEnv('AWS_SHARED_CREDENTIALS_FILE', '/nowhere')
    vi.stubEnv('AWS_CONFIG_FILE', '/nowhere')
    const none = await (await cloud.open()).launch(cloud.order(1, one))
    expect(none.failures).toMatchObject([
      { class: 'auth', problem: { details: { code: 'CredentialsProviderError' } } },
    ])
  })

  it('rejects what EC2 would refuse before the call', async () => {
    const custom_tags = [{ key: 'aws:mine', value: '' }]
    const result = await (await cloud.open({ custom_tags })).launch(cloud.order(2, one))
    expect(result).toMatchObject({
      instances: [],
      failures: [{ class: 'config', missing: 2, problem: { code: 'REQUEST_TAGS_REFUSED' } }],
    })
    expect(cloud.ec2.count('RunInstances')).toBe(0)
  })
})

describe('launch templates', () => {
  it('are created once for all launches of the same VMs, also by the next provisioner', async () => {
    const provider = await cloud.open()
    await provider.launch(cloud.order(1))
    await provider.launch(cloud.order(2))
    await (await cloud.open()).launch(cloud.order(1))
    expect(cloud.ec2.world.templates.size).toBe(1)
    expect(cloud.ec2.count('CreateLaunchTemplate')).toBe(2)
  })

  it('are removed an hour after they were replaced; others are kept', async () => {
    const provider = await cloud.open()
    const { world } = cloud.ec2
    await provider.launch(cloud.order(1))
    world.templates.set('someone-else', {
      ...[...world.templates.values()][0]!,
      name: 'someone-else',
      tags: {},
    })
    await (await cloud.open({ ssh_key_name: 'new' })).launch(cloud.order(1))
    expect(world.templates.size).toBe(3)
    cloud.clock.now = () => Date.now() + 3_700_000
    await (await cloud.open({ ssh_key_name: 'newer' })).launch(cloud.order(1))
    expect([...world.templates.keys()].filter((name) => name !== 'someone-else')).toHaveLength(1)
    expect(world.templates.has('someone-else')).toBe(true)
  })

  it('are kept while they are used: one for spot VMs, one for on-demand VMs', async () => {
    const spot = bothTypes.map((each) => ({ ...each, capacityType: 'spot' as const }))
    const provider = await cloud.open({ spot: { enabled: true, fallback: 'on_demand' } })
    for (let hour = 0; hour < 3; hour++) {
      cloud.clock.now = () => Date.now() + hour * 3_700_000
      await provider.launch(cloud.order(1, spot))
      await provider.launch(cloud.order(1))
    }
    expect(vms()).toHaveLength(6)
    expect(cloud.ec2.world.templates.size).toBe(2)
    expect(cloud.ec2.count('CreateLaunchTemplate')).toBe(2)
  })

  it('that somebody removed are created again, without a second VM', async () => {
    const provider = await cloud.open()
    await provider.launch(cloud.order(1))
    cloud.ec2.world.templates.clear()
    const result = await provider.launch(cloud.order(2))
    expect(result).toMatchObject({ failures: [], instances: [{}, {}] })
    expect(vms()).toHaveLength(3)
  })

  it('that cannot be removed are kept, and the launch continues', async () => {
    cloud.ec2.faults.push({
      action: 'DescribeLaunchTemplates',
      kind: 'error',
      code: 'UnauthorizedOperation',
      status: 403,
    })
    const said: string[] = []
    const quiet = () => {}
    const logger = { debug: quiet, info: quiet, error: quiet, warn: (message: string) => said.push(message) }
    const provider = await cloud.open({}, undefined, logger)
    expect((await provider.launch(cloud.order(1))).instances).toHaveLength(1)
    expect(said).toEqual(['outdated launch templates were not removed'])
  })
})
