// Listing, terminating and querying VMs, through the real SDK.
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type AwsCloud, awsCloud, bothTypes } from '../../support/aws-cloud.ts'
import { offering } from '../../support/cloud-pools.ts'

let cloud: AwsCloud
beforeEach(async () => {
  cloud = await awsCloud()
})
afterEach(() => cloud.dispose())

const one = [offering('g5.xlarge', { zone: 'subnet-a' })]
const idsOf = (instances: { id: string }[]) => instances.map(({ id }) => id)

describe('list', () => {
  it('reads every page, 1,000 instances at a time', async () => {
    const provider = await cloud.open()
    const { instances } = await provider.launch(cloud.order(2050, one))
    const listing = await provider.list()
    expect(idsOf(listing.instances).sort()).toEqual(idsOf(instances).sort())
    expect(cloud.ec2.count('DescribeInstances')).toBe(3)
  })

  it('that loses a page reports that, and contains the other pages', async () => {
    const provider = await cloud.open()
    await provider.launch(cloud.order(2050, one))
    const code = 'UnauthorizedOperation'
    cloud.ec2.faults.push({ action: 'DescribeInstances', kind: 'error', code, status: 403, after: 2 })
    const listing = await provider.list()
    expect(listing).toMatchObject({ complete: false, problems: [{ code: 'PROVIDER_AUTH' }] })
    expect(listing.instances).toHaveLength(2000)
  })

  it('with pages in a circle is not complete, and ends', async () => {
    const provider = await cloud.open()
    const body =
      '<DescribeInstancesResponse><requestId>r</requestId><reservationSet/><nextToken>again</nextToken></DescribeInstancesResponse>'
    cloud.ec2.faults.push({ action: 'DescribeInstances', kind: 'body', body })
    expect(await provider.list()).toMatchObject({
      complete: false,
      problems: [{ code: 'PROVIDER_TRANSIENT' }],
    })
    expect(cloud.ec2.count('DescribeInstances')).toBe(2)
  })

  it('retries when it is throttled', async () => {
    const provider = await cloud.open()
    const code = 'RequestLimitExceeded'
    cloud.ec2.faults.push({ action: 'DescribeInstances', kind: 'error', code, status: 503, times: 1 })
    expect(await provider.list()).toMatchObject({ instances: [], complete: true, problems: [] })
  })

  it('converts states, zones and reasons', async () => {
    const provider = await cloud.open()
    const { instances } = await provider.launch(cloud.order(2, one))
    expect(instances.map(({ state }) => state)).toEqual(['starting', 'starting'])
    cloud.ec2.world.end(instances[0]!.id, 'Server.SpotInstanceTermination: Instance initiated termination')
    expect((await provider.list()).instances).toMatchObject([
      {
        state: 'terminated',
        stateReason: 'Server.SpotInstanceTermination: Instance initiated termination',
        zone: 'us-west-2a',
      },
      { state: 'running' },
    ])
  })

  it('reads the addresses of all interfaces, each once and in the form that sockets show', async () => {
    const provider = await cloud.open()
    const { instances } = await provider.launch(cloud.order(3, one))
    const [first, second, third] = idsOf(instances)
    cloud.ec2.world.vms.get(first!)!.interfaces = [
      {
        privateIps: ['10.0.0.9', '10.0.0.10'],
        publicIp: '198.51.100.7',
        ipv6: ['2001:DB8:0:0:0:0:0:9', '2001:db8::a'],
      },
      { privateIps: ['10.0.1.9'], ipv6: ['2001:db8::1:0:0:1'] },
    ]
    cloud.ec2.world.vms.get(second!)!.interfaces = [{ privateIps: ['10.0.0.11'] }]
    cloud.ec2.world.end(third!)
    for (const wholeVms of [false, true]) {
      cloud.ec2.world.wholeVms = wholeVms
      for (const listing of [await provider.list(), await provider.find!(idsOf(instances))]) {
        const shown = new Map(listing.instances.map(({ id, addresses }) => [id, addresses]))
        expect([...(shown.get(first!) ?? [])].sort()).toEqual([
          '10.0.0.10',
          '10.0.0.9',
          '10.0.1.9',
          '198.51.100.7',
          '2001:db8::1:0:0:1',
          '2001:db8::9',
          '2001:db8::a',
        ])
        expect(shown.get(second!)).toEqual(['10.0.0.11'])
        expect(listing.instances.find(({ id }) => id === third)).not.toHaveProperty('addresses')
      }
    }
  })

  it('reads the same from responses as long as the real ones', async () => {
    const provider = await cloud.open({ spot: { enabled: true, fallback: 'none' } })
    const offerings = bothTypes.map((each) => ({ ...each, capacityType: 'spot' as const }))
    const { instances } = await provider.launch(cloud.order(3, offerings))
    cloud.ec2.world.end(instances[0]!.id, 'Client.InstanceInitiatedShutdown: <by> itself & "so"')
    cloud.ec2.world.interrupt(instances[1]!.id)
    const short = await provider.list()
    cloud.ec2.world.wholeVms = true
    expect({ ...(await provider.list()), at: short.at }).toEqual(short)
    expect(short.instances[0]).toMatchObject({
      stateReason: 'Client.InstanceInitiatedShutdown: <by> itself & "so"',
      capacityType: 'spot',
    })
  })

  it('treats a pool name with wildcards literally', async () => {
    const provider = await cloud.open()
    await (await cloud.open({}, { ...cloud.owner, pool: 'GPU pool 1' })).launch(
      cloud.order(1, one, { ...cloud.owner, pool: 'GPU pool 1' }),
    )
    expect((await provider.list()).instances).toEqual([])
    const asked = cloud.ec2.calls.find(({ action }) => action === 'DescribeInstances')!
    expect(JSON.stringify(asked.params)).toContain(JSON.stringify('GPU pool \\*'))
  })
})

describe('spot notices', () => {
  const spot = bothTypes.map((each) => ({ ...each, capacityType: 'spot' as const }))

  it('are found if there are spot VMs', async () => {
    const provider = await cloud.open({ spot: { enabled: true, fallback: 'none' } })
    const { instances } = await provider.launch(cloud.order(3, spot))
    cloud.ec2.world.interrupt(instances[1]!.id)
    const listing = await provider.list()
    expect(listing.instances.map(({ interruptedAt }) => interruptedAt !== undefined)).toEqual([
      false,
      true,
      false,
    ])
    expect(listing.instances.every(({ capacityType }) => capacityType === 'spot')).toBe(true)
  })

  it('are not queried otherwise', async () => {
    const provider = await cloud.open()
    await provider.launch(cloud.order(3, one))
    await provider.list()
    expect(cloud.ec2.count('DescribeSpotInstanceRequests')).toBe(0)
  })

  it('that are not available leave the listing complete, with a warning', async () => {
    const provider = await cloud.open()
    await provider.launch(cloud.order(1, spot))
    const code = 'UnauthorizedOperation'
    cloud.ec2.faults.push({ action: 'DescribeSpotInstanceRequests', kind: 'error', code, status: 403 })
    expect(await provider.list()).toMatchObject({ complete: true, problems: [{ code: 'PROVIDER_AUTH' }] })
  })
})

describe('terminate', () => {
  it('terminates 1,000 in one call, 2,500 in three', async () => {
    const provider = await cloud.open()
    const { instances } = await provider.launch(cloud.order(2500, one))
    const result = await provider.terminate(idsOf(instances))
    expect(result.terminated.sort()).toEqual(idsOf(instances).sort())
    expect(cloud.ec2.count('TerminateInstances')).toBe(3)
  })

  it('reports a protected VM, and terminates the others', async () => {
    const provider = await cloud.open()
    const { instances } = await provider.launch(cloud.order(4, one))
    const [first, guarded, ...others] = idsOf(instances)
    cloud.ec2.world.vms.get(guarded!)!.protected = true
    const result = await provider.terminate(idsOf(instances))
    expect(result.terminated.sort()).toEqual([first, ...others].sort())
    expect(result.failures).toMatchObject([{ id: guarded, class: 'config' }])
    expect(result.failures[0]!.problem.remedy).toContain('termination protection')
    expect(cloud.ec2.count('TerminateInstances')).toBe(2)
  })

  it('finds by bisection the one that EC2 does not name', async () => {
    const provider = await cloud.open()
    const { instances } = await provider.launch(cloud.order(5, one))
    const [bad] = idsOf(instances).slice(3)
    const terminate = 'TerminateInstances'
    const real = cloud.ec2.world.vms.get(bad!)!
    Object.defineProperty(real, 'protected', { get: () => true })
    Object.defineProperty(real, 'id', { get: () => 'unnamed' })
    const result = await provider.terminate(idsOf(instances))
    expect(result.failures.map(({ id }) => id)).toEqual([bad])
    expect(result.terminated).toHaveLength(4)
    expect(cloud.ec2.count(terminate)).toBeGreaterThan(2)
  })

  it('terminates a VM that EC2 shows late, and does not treat it as gone', async () => {
    cloud.ec2.world.hideNewVms = true
    const provider = await cloud.open()
    const { instances } = await provider.launch(cloud.order(1, one))
    const id = instances[0]!.id
    expect(await provider.terminate([id])).toMatchObject({
      terminated: [],
      failures: [{ id, class: 'transient' }],
    })
    cloud.ec2.world.vms.get(id)!.visible = true
    expect(await provider.terminate([id])).toEqual({ terminated: [id], failures: [] })
  })

  it('terminates nothing when it cannot read whose VMs they are', async () => {
    const provider = await cloud.open()
    const { instances } = await provider.launch(cloud.order(2, one))
    const code = 'UnauthorizedOperation'
    cloud.ec2.faults.push({ action: 'DescribeInstances', kind: 'error', code, status: 403 })
    const result = await provider.terminate(idsOf(instances))
    expect(result).toMatchObject({ terminated: [], failures: [{ class: 'auth' }, { class: 'auth' }] })
    expect(cloud.ec2.count('TerminateInstances')).toBe(0)
  })
})

describe('queries', () => {
  it('slots are NVIDIA GPUs, else one CPU slot if `cpu_slots_allowed`, queried once', async () => {
    const provider = await cloud.open()
    expect(await provider.slotsOf('g5.12xlarge')).toBe(4)
    expect(await provider.slotsOf('g5.12xlarge')).toBe(4)
    expect(cloud.ec2.count('DescribeInstanceTypes')).toBe(1)
    expect(await provider.slotsOf('m5.large')).toBe(0)
    expect(await provider.slotsOf('g4ad.xlarge')).toBe(0)
    expect(await (await cloud.open({ cpu_slots_allowed: true })).slotsOf('m5.large')).toBe(1)
  })

  it('that EC2 does not answer throw the reason', async () => {
    cloud.ec2.faults.push({
      action: 'DescribeInstanceTypes',
      kind: 'error',
      code: 'AuthFailure',
      status: 401,
    })
    await expect((await cloud.open()).slotsOf('g5.xlarge')).rejects.toMatchObject({ code: 'PROVIDER_AUTH' })
  })

  it('the console of an older type is read without `Latest`', async () => {
    cloud.ec2.world.oldConsole.add('g5.xlarge')
    const provider = await cloud.open()
    const { instances } = await provider.launch(cloud.order(1, one))
    cloud.ec2.world.vms.get(instances[0]!.id)!.console = 'boot\r\nPROVISION_STAGE=tls_unknown_ca\r\n'
    expect(await provider.consoleStage(instances[0]!.id)).toBe('tls_unknown_ca')
  })
})
