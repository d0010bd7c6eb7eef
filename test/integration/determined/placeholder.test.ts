// The placeholder agent with the real protocol: its messages, and that it leaves before it is given a job. Experimental.
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { PendingAllocation } from '../../../src/planner/snapshot.ts'
import { ProvisionError, problem } from '../../../src/problems/index.ts'
import { holdPlaceholder, type PlaceholderOptions } from '../../../src/standalone/agent/placeholder.ts'
import { FastClock } from '../../support/fast-clock.ts'
import { options, type ScriptedMaster, scriptedMaster } from '../../support/scripted-master.ts'
import { until } from '../../support/server.ts'
import { silentLogger } from '../../support/silent-logger.ts'

let master: ScriptedMaster
let leave = async () => {}
beforeEach(async () => {
  master = await scriptedMaster()
})
afterEach(async () => {
  await leave()
  await master.close()
})

const id = 'provisioner-placeholder-gpu'

function hold({
  pending = [],
  drain,
}: {
  pending?: PendingAllocation[]
  drain?: () => Promise<boolean>
} = {}) {
  const source: PlaceholderOptions['source'] = {
    read: async (pool) => ({ pool, at: 0, pending, agents: [] }),
    drain: drain ?? (async () => true),
  }
  const address = { scheme: 'http', host: '127.0.0.1', port: master.port } as const
  leave = holdPlaceholder({
    ...{ pool: 'gpu', slots: 8, source, version: '1', clock: new FastClock(50), logger: silentLogger },
    endpoint: () => ({ address, warnings: [] }),
  })
}

const heard = () => master.visits.flatMap((visit) => visit.heard)
const isOver = () => !master.visits[0]!.connection.send(options)

describe('the placeholder agent', () => {
  it('joins its pool with the slots of the largest VM, and is disabled at once', async () => {
    const drained: number[] = []
    hold({ drain: async () => drained.push(heard().length) > 0 })
    await until(() => heard().length > 0 && drained.length > 0)
    expect(master.visits[0]!.join).toMatchObject({ id, resourcePool: 'gpu', reconnect: false })
    expect(heard()[0]!.AgentStarted).toMatchObject({ ResourcePoolName: 'gpu' })
    expect(heard()[0]!.AgentStarted!.Devices).toHaveLength(8)
  })

  it('retries while the master has not processed that it has started', async () => {
    let tries = 0
    hold({
      drain: async () => {
        if (++tries < 4) throw new ProvisionError(problem('DETERMINED_AGENT_AWAY', 'not started'))
        return true
      },
    })
    await until(() => tries === 4)
    expect(isOver()).toBe(false)
  })

  it('leaves when it cannot be disabled', async () => {
    hold({ drain: () => Promise.reject(new ProvisionError(problem('DETERMINED_NOT_PERMITTED', 'no admin'))) })
    // It reconnects later: the permission may have been granted.
    await until(() => master.visits.length === 2, 'its return')
    expect(isOver()).toBe(true)
  })

  it('does not exist while a job waits that it would be given', async () => {
    const pending: PendingAllocation[] = [{ id: 'w', slots: 1, since: 0 }]
    hold({ pending })
    await new Promise((resolve) => setTimeout(resolve, 250))
    expect(master.visits).toEqual([])
    pending.length = 0
    await until(() => master.visits.length === 1, 'its connection')
  })

  it('fails jobs that it is given nevertheless, so that they do not hang', async () => {
    hold()
    await until(() => heard().length === 1)
    const Container = { id: 'c', state: 'ASSIGNED' as const, devices: [], description: '' }
    const Spec = { RunSpec: { ContainerConfig: {}, HostConfig: {} } } as never
    master.visits[0]!.connection.send({ StartContainer: { Container, Spec } })
    await until(() => heard().length === 2, 'its answer')
    expect(heard()[1]!.ContainerStateChanged).toMatchObject({
      Container: { id: 'c', state: 'TERMINATED' },
      ContainerStopped: { Failure: { FailureType: 'agent failed to launch the container' } },
    })
  })

  it('reconnects after its connection was lost', async () => {
    hold()
    await until(() => heard().length === 1)
    master.visits[0]!.connection.terminate()
    await until(() => master.visits.length === 2, 'its return')
  })
})
