// The contract of all providers as tests, for built-in providers and those of others: see src/providers/contract.ts.

import { randomUUID } from 'node:crypto'
import { afterEach, beforeEach, describe, expect } from 'vitest'
import type { Instance } from '../planner/index.ts'
import { codeInfo } from '../problems/index.ts'
import type { Provider } from '../providers/index.ts'
import { clausesFor, eventually } from './clauses.ts'
import { checkHarness, type ProviderHarness, type ProviderSubject } from './provider-harness.ts'
import { describeWholeCluster } from './whole-cluster-contract.ts'

const goneStates = ['stopping', 'terminated', 'stopped']

/** The clauses as tests of Vitest. */
export function describeProviderContract(name: string, subject: ProviderSubject): void {
  let harness: ProviderHarness

  async function listed(provider: Provider = harness.provider): Promise<Instance[]> {
    const listing = await provider.list()
    expect(listing.problems).toEqual([])
    expect(listing.complete).toBe(true)
    return listing.instances
  }

  /** VMs for a clause that is not about launching: from several launches if one launch gives a single VM. */
  async function some(count: number): Promise<Instance[]> {
    const orders = subject.can.includes('max_count')
      ? [harness.order(count)]
      : Array.from({ length: count }, () => harness.order(1))
    const instances: Instance[] = []
    for (const order of orders) instances.push(...(await harness.provider.launch(order)).instances)
    expect(instances).toHaveLength(count)
    return instances
  }

  async function liveIds(provider?: Provider): Promise<string[]> {
    const instances = await listed(provider)
    return idsOf(instances.filter((instance) => !goneStates.includes(instance.state)))
  }

  describe(`the provider contract on ${name}`, () => {
    const clause = clausesFor(name, subject.can)

    beforeEach(async () => {
      harness = await subject.open()
      checkHarness(harness, subject.can)
    })
    afterEach(async () => {
      await harness.dispose()
    })

    describe('launch', () => {
      clause('returns exactly the requested number of VMs, each once', ['max_count'], async () => {
        const result = await harness.provider.launch(harness.order(3))
        expect(result.failures).toEqual([])
        expect(new Set(idsOf(result.instances)).size).toBe(3)
        await eventually(() => liveIds()).toEqual(idsOf(result.instances))
      })

      clause('reports the type, owner and intent of each VM', [], async () => {
        const order = harness.order(1)
        const { instances } = await harness.provider.launch(order)
        const expected = {
          pool: harness.owner.pool,
          writerId: harness.owner.writerId,
          intentId: order.intent.id,
          instanceType: order.intent.offerings[0]!.instanceType,
          capacityType: order.intent.offerings[0]!.capacityType,
        }
        expect(instances).toMatchObject([expected])
        await eventually(() => listed()).toMatchObject([{ ...expected, id: instances[0]!.id }])
        expect(Number.isFinite(instances[0]!.launchedAt)).toBe(true)
      })

      clause(
        'launches the instances of a gang, and no second set of them',
        ['token_idempotency'],
        async () => {
          const order = harness.order(2)
          const gang = { ...order, intent: { ...order.intent, gang: true } }
          const first = await harness.provider.launch(gang)
          expect(first.failures).toEqual([])
          expect(first.instances).toHaveLength(2)
          const second = await (await harness.open(harness.owner)).launch(gang)
          expect(idsOf(second.instances)).toEqual(idsOf(first.instances))
          await eventually(() => liveIds()).toEqual(idsOf(first.instances))
        },
      )

      clause('launches no second set for an intent sent twice', ['token_idempotency'], async () => {
        const order = harness.order(2)
        const first = await harness.provider.launch(order)
        const second = await harness.provider.launch(order)
        expect(idsOf(second.instances)).toEqual(idsOf(first.instances))
        await eventually(() => liveIds()).toEqual(idsOf(first.instances))
      })

      clause(
        'launches no second set for an intent sent twice at the same time',
        ['token_idempotency'],
        async () => {
          const order = harness.order(2)
          const both = await Promise.all([harness.provider.launch(order), harness.provider.launch(order)])
          const ids = new Set(both.flatMap((result) => idsOf(result.instances)))
          expect(ids.size).toBe(2)
          await eventually(() => liveIds()).toEqual([...ids].sort())
        },
      )

      clause(
        'launches no second set for an intent sent again after a restart',
        ['token_idempotency'],
        async () => {
          const order = harness.order(2)
          const first = await harness.provider.launch(order)
          const second = await (await harness.open(harness.owner)).launch(order)
          expect(idsOf(second.instances)).toEqual(idsOf(first.instances))
          await eventually(() => liveIds()).toEqual(idsOf(first.instances))
        },
      )

      clause(
        'launches no second set for an intent whose VMs are terminated',
        ['token_idempotency'],
        async () => {
          const order = harness.order(1)
          const { instances } = await harness.provider.launch(order)
          await harness.provider.terminate(idsOf(instances))
          await eventually(() => liveIds()).toEqual([])
          await harness.provider.launch(order)
          expect(await liveIds()).toEqual([])
        },
      )

      clause('reports missing VMs beside those it launched', ['partial_launch'], async () => {
        const order = harness.order(3)
        harness.partialLaunch!(order, 1)
        const result = await harness.provider.launch(order)
        expect(result.instances).toHaveLength(1)
        expect(sum(result.failures.map((failure) => failure.missing))).toBe(2)
        expect(codeInfo(result.failures[0]!.problem.code).severity).toBe('error')
        await eventually(() => liveIds()).toEqual(idsOf(result.instances))
      })

      clause('continues with the next offering when one is out of stock', ['capacity_errors'], async () => {
        const order = harness.order(3)
        harness.outOfStock!(order, 1)
        const result = await harness.provider.launch(order)
        expect(result.instances).toHaveLength(3)
        const [first, second] = order.intent.offerings
        const refusal = result.failures.find((failure) => failure.class === 'capacity')
        expect(refusal).toMatchObject({ offering: first, missing: 0 })
        expect(result.instances.filter((i) => i.instanceType === second!.instanceType)).not.toHaveLength(0)
      })

      clause('refuses user data above the limit, and launches nothing', ['size_limit'], async () => {
        const order = harness.order(1)
        order.userData.packed = new Uint8Array((order.userData.bytes.limit ?? 0) + 1).fill(0x23)
        const result = await harness.provider.launch(order)
        expect(result.instances).toEqual([])
        expect(result.failures).toMatchObject([{ class: 'config', missing: 1 }])
        expect(await liveIds()).toEqual([])
      })

      clause('launches nothing when it is aborted beforehand', [], async () => {
        const aborted = AbortSignal.abort(new Error('stopped'))
        await expect(harness.provider.launch(harness.order(1), aborted)).rejects.toThrow('stopped')
        expect(await liveIds()).toEqual([])
      })

      clause(
        'returns VMs that no listing shows yet, once',
        ['late_visibility', 'token_idempotency'],
        async () => {
          harness.hideNewInstances!()
          const order = harness.order(2)
          const first = await harness.provider.launch(order)
          expect(first.instances).toHaveLength(2)
          expect(await listed()).toEqual([])
          expect(idsOf((await harness.provider.launch(order)).instances)).toEqual(idsOf(first.instances))
        },
      )
    })

    describe('list', () => {
      clause('is empty and complete over an empty cloud', [], async () => {
        expect(await harness.provider.list()).toMatchObject({ instances: [], complete: true, problems: [] })
      })

      clause('lists instances that an earlier provisioner of the same pool launched', [], async () => {
        const instances = await some(2)
        const later = await harness.open({ ...harness.owner, writerId: randomUUID() })
        await eventually(() => liveIds(later)).toEqual(idsOf(instances))
      })

      clause('lists no instances of another pool or another cluster', [], async () => {
        const { owner } = harness
        await harness.provider.launch(harness.order(1))
        const otherPool = await harness.open({ ...owner, pool: `${owner.pool}-other` })
        const otherCluster = await harness.open({ ...owner, clusterId: randomUUID() })
        await eventually(() => liveIds()).toHaveLength(1)
        expect(await listed(otherPool)).toEqual([])
        expect(await listed(otherCluster)).toEqual([])
      })

      clause('lists no instances without the tags of the pool', ['foreign_vms'], async () => {
        await harness.foreignInstance!()
        expect(await listed()).toEqual([])
      })

      clause(
        'is reported as incomplete, with the reason, when a part failed',
        ['broken_listing'],
        async () => {
          await harness.provider.launch(harness.order(1))
          harness.breakListing!()
          const listing = await harness.provider.list()
          expect(listing.complete).toBe(false)
          expect(listing.problems).not.toEqual([])
        },
      )

      clause('reports a VM that stopped by itself as stopped, with the reason', ['self_ending'], async () => {
        const { instances } = await harness.provider.launch(harness.order(1))
        await harness.endInstance!(instances[0]!.id)
        await eventually(async () => goneStates.includes((await listed())[0]?.state ?? 'stopped')).toBe(true)
        for (const instance of await listed()) expect(instance.stateReason).toMatch(/\w/)
      })

      clause('rejects when it is aborted', [], async () => {
        await expect(harness.provider.list(AbortSignal.abort(new Error('stopped')))).rejects.toThrow(
          'stopped',
        )
      })
    })

    describe('terminate', () => {
      clause('terminates the named VMs, and no others', [], async () => {
        const instances = await some(3)
        const [spared, ...ended] = idsOf(instances)
        expect(await harness.provider.terminate(ended)).toEqual({ terminated: ended, failures: [] })
        await eventually(() => liveIds()).toEqual([spared])
      })

      clause('may be repeated, also for VMs that are terminated or never existed', [], async () => {
        const ids = [...idsOf((await harness.provider.launch(harness.order(1))).instances), harness.unknownId]
        for (let times = 0; times < 2; times++) {
          const result = await harness.provider.terminate(ids)
          expect(result.failures).toEqual([])
          expect(result.terminated.sort()).toEqual([...ids].sort())
        }
        await eventually(() => liveIds()).toEqual([])
        expect((await harness.provider.terminate(ids)).failures).toEqual([])
      })

      clause('rejects the VMs of another pool, and terminates the others', [], async () => {
        const otherOwner = { ...harness.owner, pool: `${harness.owner.pool}-other` }
        const other = await harness.open(otherOwner)
        const mine = idsOf((await harness.provider.launch(harness.order(1))).instances)
        const theirs = idsOf((await other.launch(harness.order(1, otherOwner))).instances)
        await eventually(() => liveIds(other)).toEqual(theirs)
        const result = await harness.provider.terminate([...mine, ...theirs])
        expect(result.terminated).toEqual(mine)
        expect(result.failures).toMatchObject([{ id: theirs[0], problem: { code: 'PROVIDER_NOT_OURS' } }])
        await eventually(() => liveIds()).toEqual([])
        expect(await liveIds(other)).toEqual(theirs)
      })

      clause('rejects VMs without the tags of the pool', ['foreign_vms'], async () => {
        const id = await harness.foreignInstance!()
        const result = await harness.provider.terminate([id])
        expect(result.terminated).toEqual([])
        expect(result.failures).toMatchObject([{ id, problem: { code: 'PROVIDER_NOT_OURS' } }])
      })

      clause('terminates nothing when it is aborted beforehand', [], async () => {
        const ids = idsOf((await harness.provider.launch(harness.order(1))).instances)
        const aborted = AbortSignal.abort(new Error('stopped'))
        await expect(harness.provider.terminate(ids, aborted)).rejects.toThrow('stopped')
        await eventually(() => liveIds()).toEqual(ids)
      })
    })

    describe('facts about VMs', () => {
      clause('uses the id of its agent as the id of each VM', [], async () => {
        for (const { id } of await some(2)) expect(await harness.agentId(id)).toBe(id)
      })

      clause('knows the slots of a type, and returns undefined for an unknown type', [], async () => {
        const { instanceType, slots } = harness.knownType
        expect(await harness.provider.slotsOf(instanceType)).toBe(slots)
        expect(await harness.provider.slotsOf('no-such-type.9xlarge')).toBeUndefined()
      })

      clause('reads the last stage from the console', ['console'], async () => {
        const [{ id }] = (await harness.provider.launch(harness.order(1))).instances as [Instance]
        await harness.printOnConsole!(id, 'PROVISION_STAGE=started\nPROVISION_STAGE=tls_checked\nnoise\n')
        await eventually(() => harness.provider.consoleStage(id)).toBe('tls_checked')
      })

      clause('reports no stage for a VM that never existed', [], async () => {
        expect(await harness.provider.consoleStage(harness.unknownId)).toBeUndefined()
      })
    })

    describeWholeCluster(clause, () => harness)

    describe('close', () => {
      clause('leaves VMs running', ['vms_outlive_close'], async () => {
        const ids = idsOf(await some(2))
        await harness.provider.close()
        await eventually(async () => liveIds(await harness.open(harness.owner))).toEqual(ids)
      })

      clause('terminates the processes of its VMs', ['!vms_outlive_close'], async () => {
        await some(2)
        await harness.provider.close()
        expect(await liveIds(await harness.open(harness.owner))).toEqual([])
      })

      clause('may be called twice', [], async () => {
        await harness.provider.close()
        await harness.provider.close()
      })
    })
  })
}

function idsOf(instances: Instance[]): string[] {
  return instances.map((instance) => instance.id).sort()
}

function sum(numbers: number[]): number {
  return numbers.reduce((total, n) => total + n, 0)
}
