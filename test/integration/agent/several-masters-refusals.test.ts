// The built-in agent with the addresses of several masters, of which one refuses it and the other does not serve.
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { systemClock } from '../../../src/platform/clock.ts'
import { type AgentHome, agentHome } from '../../support/running-agent.ts'
import { type ScriptedMaster, scriptedMaster } from '../../support/scripted-master.ts'
import { until } from '../../support/server.ts'

let home: AgentHome
let masters: ScriptedMaster[]
beforeEach(() => {
  home = agentHome()
  masters = []
})
afterEach(async () => {
  await home.dispose()
  await Promise.all(masters.map((master) => master.close()))
})

type Refusal = { refusal: string; refusalStatus: number }

const standsBy: Refusal = { refusal: 'this provisioner stands by', refusalStatus: 503 }
const stillConnected: Refusal = { refusal: 'agent: websocket already connected', refusalStatus: 500 }
/** A port of nobody (RFC 1078). */
const refusing = { port: 1 }

async function master(refusal?: Refusal): Promise<ScriptedMaster> {
  const made = Object.assign(await scriptedMaster(), refusal)
  masters.push(made)
  return made
}

/** `time.ahead`: milliseconds by which the agent's clock is ahead. */
function start(addresses: readonly { port: number }[], attempts: number, yaml = '') {
  const time = { ahead: 0 }
  const clock = { ...systemClock, now: () => systemClock.now() + time.ahead }
  const env = {
    DET_MASTER_ADDRESSES: addresses.map(({ port }) => `127.0.0.1:${port}`).join(','),
    DET_AGENT_ID: 'a',
    DET_AGENT_RECONNECT_ATTEMPTS: attempts,
  }
  return { agent: home.run(env, yaml, clock), time }
}

/** The agent joins, then loses its connection, and is refused from then on. */
async function loseTo(one: ScriptedMaster, refusal: Refusal): Promise<void> {
  await until(() => one.visits[0]?.heard[0]?.AgentStarted, 'the agent to join', 40_000)
  Object.assign(one, refusal)
  for (const { connection } of one.visits) connection.terminate()
}

async function severalRounds(one: ScriptedMaster): Promise<void> {
  const before = one.refusals
  await until(() => one.refusals > before + 2, 'several rounds', 20_000)
}

describe('an agent that one of several masters refuses for good', () => {
  const refusals: [number, string][] = [
    [403, 'agent a: its VM is not one of this pool'],
    [500, 'cannot find specified resource pool for agent a'],
    [401, 'agent a: no proof'],
    [404, 'no such path'],
  ]

  it.each(refusals)('with status %d, exits although the other stands by', async (status, message) => {
    for (const isFirst of [true, false]) {
      const [leader, other] = [
        await master({ refusal: message, refusalStatus: status }),
        await master(standsBy),
      ]
      const hook = 'hooks:\n  on_connection_lost: [echo, hooked]\n'
      const { agent } = start(isFirst ? [leader, other] : [other, leader], 5, hook)
      expect(await agent.exit).toBe(1)
      expect([leader.refusals, other.refusals]).toEqual([1, 1])
      expect(agent.said()).toContain('error could not join the master')
      expect(agent.said()).toContain(`status ${status}: ${message}`)
      expect(agent.said()).toMatch(/hooks.on_connection_lost has run .*hooked/)
    }
  })

  it.each(refusals)(
    'with status %d after it had joined, gives up after its attempts',
    async (status, message) => {
      const [one, two] = [await master(), await master(standsBy)]
      const { agent } = start([one, two], 2)
      await loseTo(one, { refusal: message, refusalStatus: status })
      expect(await agent.exit).toBe(1)
      expect(one.refusals).toBe(2)
      expect(agent.said()).toMatch(/"attempt":2,"of":2/)
      expect(agent.said()).not.toContain('retry later')
    },
  )

  it('by closing each connection, exits although the other stands by', async () => {
    const [one, two] = [await master(), await master(standsBy)]
    one.greet = ({ connection }) => void connection.close()
    const { agent } = start([two, one], 5)
    expect(await agent.exit).toBe(1)
    expect(agent.said()).toContain('error could not join the master')
  })

  it('does not wait for the end of its connection at another one', async () => {
    const [one, two] = [await master(), await master({ refusal: 'not of this pool', refusalStatus: 403 })]
    const { agent } = start([one, two], 2)
    await loseTo(one, stillConnected)
    expect(await agent.exit).toBe(1)
    expect(one.refusals).toBe(2)
  })
})

describe('an agent that is still connected for its master', () => {
  it('waits about a minute, then counts attempts', async () => {
    for (const other of [refusing, await master(standsBy)]) {
      const one = await master()
      const { agent, time } = start([one, other], 2)
      await loseTo(one, stillConnected)
      await severalRounds(one)
      time.ahead = 50_000
      await severalRounds(one)
      expect(agent.said()).not.toContain('could not reconnect')
      time.ahead = 76_000
      expect(await agent.exit).toBe(1)
      expect(agent.said()).toMatch(/"attempt":2,"of":2,.*already connected/)
    }
  })

  it('waits anew after another answer', async () => {
    const [one, two] = [await master(), await master(standsBy)]
    const { agent, time } = start([one, two], 1)
    await loseTo(one, stillConnected)
    for (const answer of [stillConnected, standsBy, stillConnected]) {
      Object.assign(one, answer)
      await severalRounds(one)
      time.ahead += 40_000
    }
    await severalRounds(one)
    delete one.refusal
    await until(() => one.visits[1], 'the agent to come back', 20_000)
    expect(agent.said()).not.toContain('could not reconnect')
  })
})
