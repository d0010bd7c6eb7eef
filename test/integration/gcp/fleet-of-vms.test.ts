// Listing, terminating and querying VMs, through Google's client.
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { offering } from '../../support/cloud-pools.ts'
import { type GcpCloud, gcpCloud, zone } from '../../support/gcp-cloud.ts'

let cloud: GcpCloud
beforeEach(async () => {
  cloud = await gcpCloud()
})
afterEach(() => cloud.dispose())

const one = [offering('g2-standard-8', { zone })]
const spot = [{ ...one[0]!, capacityType: 'spot' as const }]
const idsOf = (instances: { id: string }[]) => instances.map(({ id }) => id).sort()

describe('list', () => {
  it('reads every page, 500 VMs at a time', async () => {
    const provider = await cloud.open()
    const { instances } = await provider.launch(cloud.order(600, one))
    cloud.gce.calls.length = 0
    expect(idsOf((await provider.list()).instances)).toEqual(idsOf(instances))
    expect(cloud.gce.count('list')).toBe(2)
  })

  it('that loses a page reports that, and contains the other pages', async () => {
    const provider = await cloud.open()
    await provider.launch(cloud.order(600, one))
    cloud.gce.faults.push({ action: 'list', kind: 'error', reason: 'forbidden', status: 403, after: 1 })
    const listing = await provider.list()
    expect(listing).toMatchObject({ complete: false, problems: [{ code: 'PROVIDER_AUTH' }] })
    expect(listing.instances).toHaveLength(500)
  })

  it('with pages in a circle is not complete, and ends', async () => {
    const provider = await cloud.open()
    const body = JSON.stringify({ kind: 'compute#instanceAggregatedList', items: {}, nextPageToken: 'again' })
    cloud.gce.faults.push({ action: 'list', kind: 'body', body })
    expect(await provider.list()).toMatchObject({
      complete: false,
      problems: [{ code: 'PROVIDER_TRANSIENT' }],
    })
    expect(cloud.gce.count('list')).toBe(2)
  })

  it('with a zone that does not respond contains the others, names the zone, and is not complete', async () => {
    const provider = await cloud.open()
    await provider.launch(cloud.order(2, one))
    cloud.gce.world.silent.add('us-central1-b')
    const listing = await provider.list()
    expect(listing).toMatchObject({ complete: false, instances: [{}, {}] })
    expect(listing.problems[0]!.message).toContain('zones/us-central1-b')
  })

  it('is not affected by a zone of another region', async () => {
    const provider = await cloud.open()
    const { instances } = await provider.launch(cloud.order(2, one))
    cloud.gce.world.silent.add('asia-east1-a')
    expect(await provider.list()).toMatchObject({ complete: true, problems: [], instances: [{}, {}] })
    expect((await provider.terminate(idsOf(instances))).failures).toEqual([])
  })

  it.each([
    ['a page of a portal instead of an answer', { kind: 'html', status: 200 }],
    ['a gateway that fails', { kind: 'html' }],
    ['no answer at all', { kind: 'drop' }],
  ] as const)('is not complete after %s', async (_, fault) => {
    const provider = await cloud.open()
    await provider.launch(cloud.order(1, one))
    cloud.gce.faults.push({ action: 'list', ...fault })
    expect(await provider.list()).toMatchObject({
      complete: false,
      problems: [{ code: 'PROVIDER_TRANSIENT' }],
    })
  })

  it.each([
    ['an empty object', '{}', 'JSON without a known kind'],
    ['another list', '{"kind":"compute#operationList"}', 'a compute#operationList'],
    ['an empty body', '', 'an empty body'],
    ['an HTML page', '<html></html>', 'an HTML page'],
  ])('is not complete after %s, and says that it was one', async (_, body, content) => {
    const provider = await cloud.open()
    cloud.gce.faults.push({ action: 'list', kind: 'body', body })
    const listing = await provider.list()
    expect(listing).toMatchObject({ complete: false, problems: [{ code: 'PROVIDER_TRANSIENT' }] })
    expect(listing).not.toHaveProperty('account')
    expect(listing.problems[0]!.message).toContain(`answered HTTP 200 with ${content}`)
  })

  it('retries when requests are limited', async () => {
    const provider = await cloud.open()
    const limited = { kind: 'error', reason: 'rateLimitExceeded', status: 403, times: 2 } as const
    cloud.gce.faults.push({ action: 'list', ...limited })
    expect(await provider.list()).toMatchObject({ instances: [], complete: true, problems: [] })
  })

  it('reads the addresses of all interfaces, each once and in the form that sockets show', async () => {
    const provider = await cloud.open()
    const { instances } = await provider.launch(cloud.order(3, one))
    const [first, second, third] = idsOf(instances)
    cloud.gce.world.vms.get(first!)!.interfaces = [
      {
        networkIP: '10.0.0.9',
        ipv6Address: 'fd20:0:0:0:0:0:0:9',
        accessConfigs: [{ type: 'ONE_TO_ONE_NAT', natIP: '198.51.100.7' }],
        ipv6AccessConfigs: [
          { type: 'DIRECT_IPV6', externalIpv6: '2600:1900:4000:8a2c:0:0:0:0', externalIpv6PrefixLength: 96 },
        ],
      },
      { networkIP: '10.0.1.9', accessConfigs: [{ type: 'ONE_TO_ONE_NAT' }] },
    ]
    cloud.gce.world.vms.get(second!)!.interfaces = [{ networkIP: '10.0.0.11' }]
    cloud.gce.world.vms.get(third!)!.interfaces = []
    for (const listing of [await provider.list(), await provider.find!(idsOf(instances))]) {
      const shown = new Map(listing.instances.map(({ id, addresses }) => [id, addresses]))
      expect([...(shown.get(first!) ?? [])].sort()).toEqual([
        '10.0.0.9',
        '10.0.1.9',
        '198.51.100.7',
        '2600:1900:4000:8a2c::',
        'fd20::9',
      ])
      expect(shown.get(second!)).toEqual(['10.0.0.11'])
      expect(listing.instances.find(({ id }) => id === third)).not.toHaveProperty('addresses')
    }
  })

  it('does not request what it does not read, such as user data', async () => {
    const provider = await cloud.open()
    await provider.launch(cloud.order(1, one))
    const asked = cloud.gce.calls.find(({ action }) => action === 'list')!.query.get('fields')!
    expect(asked).toContain('labels')
    expect(asked).not.toContain('metadata')
  })

  it.each([
    ['PENDING', 'starting'],
    ['PROVISIONING', 'running'],
    ['STAGING', 'starting'],
    ['RUNNING', 'running'],
    ['STOPPING', 'stopping'],
    ['SUSPENDING', 'stopping'],
    ['TERMINATED', 'stopped'],
    ['SUSPENDED', 'stopped'],
    ['REPAIRING', 'unknown'],
    ['NEW_WORD', 'unknown'],
  ])('tells %s in our words: %s', async (status, state) => {
    const provider = await cloud.open()
    const { instances } = await provider.launch(cloud.order(1, one))
    cloud.gce.world.vms.get(instances[0]!.id)!.status = status
    expect((await provider.list()).instances).toMatchObject([{ state, zone, instanceType: 'g2-standard-8' }])
  })

  it('keeps a VM whose time cannot be read, with a warning and the time of its first observation', async () => {
    const provider = await cloud.open()
    const { instances } = await provider.launch(cloud.order(1, one))
    cloud.gce.world.vms.get(instances[0]!.id)!.createdAt = 8.64e15 + 1
    const later = await cloud.open()
    const first = await later.list()
    expect(first).toMatchObject({
      complete: true,
      problems: [{ code: 'PROVIDER_TIME_UNREADABLE', severity: 'warning' }],
    })
    expect(Math.abs(first.instances[0]!.launchedAt - cloud.clock.now())).toBeLessThan(10_000)
    await cloud.clock.sleep(60_000)
    expect((await later.list()).instances[0]!.launchedAt).toBe(first.instances[0]!.launchedAt)
  })

  it('returns pool names that no label can contain', async () => {
    const by = { ...cloud.owner, pool: `Größe ${'x'.repeat(80)} & mehr` }
    const provider = await cloud.open({}, by)
    await provider.launch(cloud.order(1, one, by))
    expect((await provider.list()).instances).toMatchObject([{ pool: by.pool, writerId: by.writerId }])
  })
})

describe('a spot VM that was interrupted', () => {
  it.each(['STOPPING', 'TERMINATED'])('is listed with the reason while it is %s', async (status) => {
    const provider = await cloud.open()
    const { instances } = await provider.launch(cloud.order(2, spot))
    cloud.gce.world.preempt(instances[0]!.id, status)
    const listed = (await provider.list()).instances.find(({ id }) => id === instances[0]!.id)!
    expect(listed).toMatchObject({ capacityType: 'spot', stateReason: expect.stringContaining('preempted') })
    expect(listed.interruptedAt).toBeGreaterThan(0)
  })

  it('is not queried while none is stopping', async () => {
    const provider = await cloud.open()
    const { instances } = await provider.launch(cloud.order(1, spot))
    await provider.list()
    expect(cloud.gce.count('operations')).toBe(0)
    cloud.gce.world.preempt(instances[0]!.id)
    cloud.gce.faults.push({ action: 'operations', kind: 'error', reason: 'forbidden', status: 403 })
    expect(await provider.list()).toMatchObject({ complete: true, problems: [{ code: 'PROVIDER_AUTH' }] })
  })
})

describe('terminate', () => {
  it('deletes each VM once, with its own request id, after reading whose they are', async () => {
    const provider = await cloud.open()
    const { instances } = await provider.launch(cloud.order(120, one))
    cloud.gce.calls.length = 0
    const result = await provider.terminate(idsOf(instances))
    expect(result.terminated.sort()).toEqual(idsOf(instances))
    expect(cloud.gce.count('list')).toBe(1)
    const deletes = cloud.gce.calls.filter(({ action }) => action === 'delete')
    expect(new Set(deletes.map(({ query }) => query.get('requestId'))).size).toBe(120)
    expect(deletes).toHaveLength(120)
  })

  it('retries a delete whose response was lost, with the same request id', async () => {
    const provider = await cloud.open()
    const { instances } = await provider.launch(cloud.order(1, one))
    cloud.gce.faults.push({ action: 'delete', kind: 'lose_reply', times: 1 })
    expect(await provider.terminate(idsOf(instances))).toEqual({ terminated: idsOf(instances), failures: [] })
    const ids = cloud.gce.calls
      .filter(({ action }) => action === 'delete')
      .map(({ query }) => query.get('requestId'))
    expect(ids).toHaveLength(2)
    expect(new Set(ids).size).toBe(1)
  })

  it('counts a VM that has disappeared meanwhile as terminated', async () => {
    const provider = await cloud.open()
    const { instances } = await provider.launch(cloud.order(1, one))
    cloud.gce.faults.push({ action: 'delete', kind: 'error', reason: 'notFound', status: 404 })
    expect(await provider.terminate(idsOf(instances))).toEqual({ terminated: idsOf(instances), failures: [] })
  })

  it("does not mistake a proxy's page for a proof that a VM is gone", async () => {
    const provider = await cloud.open()
    const { instances } = await provider.launch(cloud.order(1, one))
    cloud.gce.faults.push({ action: 'delete', kind: 'html', status: 404 })
    const result = await provider.terminate(idsOf(instances))
    expect(result).toMatchObject({ terminated: [], failures: [{ class: 'transient' }] })
    expect(result.failures[0]!.problem.message).toContain('HTTP 404 with an HTML page')
  })

  it('reports a protected VM, and terminates the others', async () => {
    const provider = await cloud.open()
    const { instances } = await provider.launch(cloud.order(4, one))
    const [first, guarded, ...others] = idsOf(instances)
    cloud.gce.world.vms.get(guarded!)!.protected = true
    const result = await provider.terminate(idsOf(instances))
    expect(result.terminated.sort()).toEqual([first, ...others].sort())
    expect(result.failures).toMatchObject([{ id: guarded, class: 'config' }])
    expect(result.failures[0]!.problem.remedy).toContain('deletion protection')
  })

  it('terminates a VM that no listing shows yet, because it was launched here', async () => {
    cloud.gce.world.hideNewVms = true
    const provider = await cloud.open()
    const { instances } = await provider.launch(cloud.order(1, one))
    expect(await provider.terminate(idsOf(instances))).toEqual({ terminated: idsOf(instances), failures: [] })
    expect(cloud.gce.world.vms.get(instances[0]!.id)!.status).toBe('DEPROVISIONING')
  })

  it('terminates nothing when it cannot read whose VMs they are', async () => {
    const provider = await cloud.open()
    const { instances } = await provider.launch(cloud.order(2, one))
    cloud.gce.faults.push({ action: 'list', kind: 'error', reason: 'forbidden', status: 403 })
    const result = await provider.terminate(idsOf(instances))
    expect(result).toMatchObject({ terminated: [], failures: [{ class: 'auth' }, { class: 'auth' }] })
    expect(cloud.gce.count('delete')).toBe(0)
  })

  it('sends no query for ids that cannot be names', async () => {
    const provider = await cloud.open()
    const strange = ['i-0123", (name = "x', 'ÄÖ', '']
    expect(await provider.terminate(strange)).toEqual({ terminated: strange, failures: [] })
    expect(cloud.gce.calls).toEqual([])
  })
})

describe('queries', () => {
  it('slots are GPUs that are built in or attached, else one CPU slot if `cpu_slots_allowed`', async () => {
    const provider = await cloud.open()
    expect(await provider.slotsOf('g2-standard-48')).toBe(4)
    expect(await provider.slotsOf('g2-standard-48')).toBe(4)
    expect(cloud.gce.count('machineType')).toBe(1)
    expect(await provider.slotsOf('n1-standard-8')).toBe(1)
    expect(await provider.slotsOf('e2-standard-8')).toBe(0)
    expect(await (await cloud.open({ cpu_slots_allowed: true })).slotsOf('e2-standard-8')).toBe(1)
  })

  it('that Google does not answer throw the reason', async () => {
    cloud.gce.faults.push({ action: 'machineType', kind: 'error', reason: 'forbidden', status: 403 })
    await expect((await cloud.open()).slotsOf('n1-standard-8')).rejects.toMatchObject({
      code: 'PROVIDER_AUTH',
    })
  })

  it('the console is read from its end, also by a provisioner that has just started', async () => {
    const { instances } = await (await cloud.open()).launch(cloud.order(1, one))
    const { id } = instances[0]!
    cloud.gce.world.vms.get(id)!.serial = `${'boot\r\n'.repeat(50_000)}PROVISION_STAGE=tls_unknown_ca\r\n`
    expect(await (await cloud.open()).consoleStage(id)).toBe('tls_unknown_ca')
    expect(cloud.gce.calls.at(-1)!.query.get('start')).toBe('-65536')
  })
})
