// A process that loses its lease sends nothing more that changes anything: asked after the signature, for each attempt.
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ec2Client } from '../../../src/providers/aws/client.ts'
import { type AwsCloud, awsCloud, bothTypes } from '../../support/aws-cloud.ts'
import { offering } from '../../support/cloud-pools.ts'

let cloud: AwsCloud
let isHeld: boolean
beforeEach(async () => {
  cloud = await awsCloud()
  isHeld = true
  cloud.mayAct = () => isHeld
})
afterEach(() => cloud.dispose())

const one = [offering('g5.xlarge', { zone: 'subnet-a' })]
const changes = () => cloud.ec2.calls.filter(({ action }) => !/^(?:Describe|Get)/.test(action))

/** Ends the lease once this call has arrived at EC2. */
function loseAfter(action: string): void {
  cloud.mayAct = () => cloud.ec2.count(action) === 0
}

describe('a lease that ends', () => {
  it('while a request is signed stops that request', async () => {
    let signed = 0
    const sign = async <T>(request: T): Promise<T> => {
      signed++
      isHeld = false
      return request
    }
    const options = { signer: { sign }, mayAct: () => isHeld }
    const api = ec2Client('us-west-2', cloud.env, options)
    const failing = api.terminateInstances({ InstanceIds: ['i-00000001'] })
    await expect(failing).rejects.toMatchObject({ code: 'STATE_RIGHT_LOST' })
    await expect(failing).rejects.toThrow('TerminateInstances was not sent')
    expect([signed, cloud.ec2.calls]).toEqual([1, []])
    api.close()
  })

  it('between two attempts of the SDK stops the second', async () => {
    cloud.ec2.faults.push({ action: 'TerminateInstances', kind: 'error', code: 'InternalError', status: 500 })
    const provider = await cloud.open()
    const { id } = (await provider.launch(cloud.order(1, one))).instances[0]!
    loseAfter('TerminateInstances')
    const { terminated, failures } = await provider.terminate([id])
    expect(terminated).toEqual([])
    expect(failures).toMatchObject([{ id, class: 'transient', problem: { code: 'STATE_RIGHT_LOST' } }])
    expect(cloud.ec2.count('TerminateInstances')).toBe(1)
  })

  it.each([
    ['RunInstances', one],
    ['CreateFleet', bothTypes],
  ])('between two attempts of %s leaves its outcome unknown', async (action, offerings) => {
    cloud.ec2.faults.push({ action, kind: 'lose_reply', times: 1 })
    loseAfter(action)
    const { instances, failures } = await (await cloud.open()).launch(cloud.order(2, offerings))
    expect(instances).toEqual([])
    expect(failures).toMatchObject([
      { class: 'transient', missing: 2, problem: { code: 'STATE_RIGHT_LOST' } },
    ])
    expect(failures[0]!.notSent).toBeUndefined()
    expect([cloud.ec2.count(action), cloud.ec2.world.vms.size]).toEqual([1, 2])
  })

  it('after a refused attempt leaves a launch that certainly had no effect', async () => {
    cloud.ec2.faults.push({
      action: 'RunInstances',
      kind: 'error',
      code: 'RequestLimitExceeded',
      status: 503,
    })
    loseAfter('RunInstances')
    const { failures } = await (await cloud.open()).launch(cloud.order(2, one))
    expect(failures).toMatchObject([{ class: 'transient', missing: 2, notSent: true }])
    expect(cloud.ec2.count('RunInstances')).toBe(1)
  })

  it.each([
    ['for one offering', one, {}],
    ['for several', bothTypes, {}],
    ['in a placement group', one, { placement_group: 'per_gang' as const }],
  ])('before a launch %s sends nothing, and says so', async (_, offerings, config) => {
    isHeld = false
    const provider = await cloud.open(config)
    const order = cloud.order(2, offerings)
    const gang = { ...order, intent: { ...order.intent, gang: true } }
    const { instances, failures } = await provider.launch(gang)
    expect(instances).toEqual([])
    expect(failures).toMatchObject([
      { class: 'transient', missing: 2, notSent: true, problem: { code: 'STATE_RIGHT_LOST' } },
    ])
    expect(failures[0]!.offering).toBeUndefined()
    expect(changes()).toEqual([])
    isHeld = true
    expect((await provider.launch(gang)).instances).toHaveLength(2)
  })

  it('does not keep anything from being read', async () => {
    const provider = await cloud.open()
    const { id } = (await provider.launch(cloud.order(1, one))).instances[0]!
    isHeld = false
    expect((await provider.list()).instances.map((instance) => instance.id)).toEqual([id])
    expect((await provider.find!([id])).complete).toBe(true)
    expect(await provider.hasTraces!()).toBe(true)
    expect(await provider.slotsOf('g5.xlarge')).toBe(1)
    expect(await provider.consoleStage(id)).toBeUndefined()
  })

  it('stops what a whole cluster terminates and deletes', async () => {
    const provider = await cloud.open({ placement_group: 'per_gang' })
    const order = cloud.order(2, one)
    const { instances } = await provider.launch({ ...order, intent: { ...order.intent, gang: true } })
    const ids = instances.map(({ id }) => id)
    const before = changes().length
    isHeld = false
    const cluster = await cloud.openCluster(cloud.owner.clusterId)
    const { failures } = await cluster.terminate(ids)
    expect(failures.map(({ problem: { code } }) => code)).toEqual(['STATE_RIGHT_LOST', 'STATE_RIGHT_LOST'])
    const refusal = await cluster.deleteUnused!(() => false).catch((error) => error)
    expect(refusal.code).toBe('STATE_RIGHT_LOST')
    expect((await cluster.list()).instances).toHaveLength(2)
    expect(changes()).toHaveLength(before)
    await cluster.close()
  })
})
