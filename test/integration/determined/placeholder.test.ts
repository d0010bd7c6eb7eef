// Placeholder agents with the real protocol: their messages, and that none is enabled while a job waits.
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { PendingAllocation } from '../../../src/planner/snapshot.ts'
import { ProvisionError, problem } from '../../../src/problems/index.ts'
import { holdPlaceholders, type PlaceholderOptions } from '../../../src/standalone/agent/placeholder.ts'
import { type CapturingLogger, capturingLogger } from '../../support/capturing-logger.ts'
import { FastClock } from '../../support/fast-clock.ts'
import { options, type ScriptedMaster, scriptedMaster } from '../../support/scripted-master.ts'
import { until } from '../../support/server.ts'

let master: ScriptedMaster
let leave = async () => {}
let log: CapturingLogger
beforeEach(async () => {
  master = await scriptedMaster()
  log = capturingLogger()
})
afterEach(async () => {
  await leave()
  await master.close()
})

const id = 'provisioner-placeholder-gpu-1'

function hold({
  pending = [],
  drain,
  count = 1,
  needsAll = async () => true,
}: {
  pending?: PendingAllocation[]
  drain?: (agent: string) => Promise<boolean>
  count?: number
  needsAll?: () => Promise<boolean>
} = {}) {
  const source: PlaceholderOptions['source'] = {
    read: async (pool) => ({ pool, at: 0, pending, agents: [] }),
    drain: drain ?? (async () => true),
  }
  const address = { scheme: 'http', host: '127.0.0.1', port: master.port } as const
  leave = holdPlaceholders({
    ...{
      pool: 'gpu',
      slots: 8,
      count,
      needsAll,
      source,
      version: '1',
      clock: new FastClock(50),
      logger: log,
    },
    endpoint: () => ({ address, warnings: [] }),
  })
}

const heard = () => master.visits.flatMap((visit) => visit.heard)
const isOver = () => !master.visits[0]!.connection.send(options)

describe('a placeholder agent', () => {
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

  it('that the master rejects is reported once, with the reason', async () => {
    Object.assign(master, { refusal: 'Forbidden', refusalStatus: 403 })
    hold({ count: 2 })
    await until(() => master.refusals >= 4, 'its tries')
    const warnings = log.lines.filter((line) => line.startsWith('warn'))
    expect(warnings).toHaveLength(1)
    expect(warnings[0]).toMatch(/cannot join: the master rejects jobs .*gpu/)
  })
})

describe('several of them', () => {
  it('join one after the other, each when the one before is disabled', async () => {
    const enabled = () => master.visits.length - done.length
    const done: string[] = []
    let most = 0
    hold({
      count: 3,
      drain: async (agent) => {
        most = Math.max(most, enabled())
        await new Promise((resolve) => setTimeout(resolve, 30))
        return done.push(agent) > 0
      },
    })
    await until(() => done.length === 3)
    expect(done.toSorted()).toEqual([1, 2, 3].map((n) => `provisioner-placeholder-gpu-${n}`))
    expect(heard().map(({ AgentStarted }) => AgentStarted!.Devices.length)).toEqual([8, 8, 8])
    expect(most).toBe(1)
    await until(() => log.lines.some((line) => line.includes('connected and disabled')), 'the report')
  })

  it('wait where they are when a job comes between two of them', async () => {
    const pending: PendingAllocation[] = []
    hold({ count: 3, pending, drain: async () => pending.push({ id: 'w', slots: 1, since: 0 }) > 0 })
    await new Promise((resolve) => setTimeout(resolve, 250))
    expect(master.visits).toHaveLength(1)
    pending.length = 0
    await until(() => master.visits.length === 2, 'the next one')
  })

  it('are not needed where one is enough, until the master has restarted with another launch_error', async () => {
    let launchError = false
    hold({ count: 3, needsAll: async () => launchError })
    const reports = () => log.lines.filter((line) => line.includes('connected and disabled'))
    await until(() => reports().length === 1, 'the report')
    expect(reports()[0]).toContain('"agents":1')
    await new Promise((resolve) => setTimeout(resolve, 200))
    expect(master.visits).toHaveLength(1)
    launchError = true
    master.visits[0]!.connection.terminate()
    await until(() => master.visits.length === 4, 'the first one and two others')
    await until(() => reports().length === 2)
    expect(reports()[1]).toContain('"agents":3')
  })

  it('are there when the master does not say', async () => {
    hold({ count: 2, needsAll: () => Promise.reject(new Error('no answer')) })
    await until(() => master.visits.length === 2, 'both')
  })

  it('leave together', async () => {
    const done: string[] = []
    hold({ count: 3, drain: async (agent) => done.push(agent) > 0 })
    await until(() => done.length === 3)
    await leave()
    await until(() => master.visits.every(({ connection }) => !connection.send(options)), 'the ends')
  })
})
