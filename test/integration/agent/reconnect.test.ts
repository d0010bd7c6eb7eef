// The built-in agent when its master goes away, comes back, or orders it to stop.
import { chmodSync, existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { pastReconnectPeriod } from '../../../src/standalone/protocol/messages.ts'
import {
  type AgentHome,
  agentHome,
  type Relay,
  type RunningAgent,
  relay,
} from '../../support/running-agent.ts'
import { options, type ScriptedMaster, scriptedMaster, type Visit } from '../../support/scripted-master.ts'
import { until } from '../../support/server.ts'

let master: ScriptedMaster
let wire: Relay
let home: AgentHome

beforeEach(async () => {
  master = await scriptedMaster()
  wire = await relay(master.port)
  home = agentHome()
})
afterEach(async () => {
  await home.dispose()
  await wire.close()
  await master.close()
})

const hook = () => `hooks:\n  on_connection_lost: [bash, -c, 'echo lost >> "$HOOK"']\n`

function start(change: Record<string, string | number> = {}): RunningAgent {
  const env = { DET_MASTER_PORT: wire.port, DET_AGENT_ID: 'a', HOOK: join(home.dir, 'hook'), ...change }
  return home.run(env, hook())
}

function hooked(): boolean {
  return existsSync(join(home.dir, 'hook'))
}

async function visit(n: number): Promise<Visit> {
  await until(() => master.visits[n]?.heard[0]?.AgentStarted, `visit ${n}`)
  return master.visits[n]!
}

describe('an agent whose connection breaks', () => {
  it('reconnects with the same id and exactly the same devices', async () => {
    const agent = start()
    const first = await visit(0)
    wire.cut()
    const second = await visit(1)
    expect([first, second].map(({ join: { id, reconnect } }) => ({ id, reconnect }))).toEqual([
      { id: 'a', reconnect: false },
      { id: 'a', reconnect: true },
    ])
    expect(second.heard[0]).toEqual(first.heard[0])
    expect(first.heard[0]!.AgentStarted!.Devices).toHaveLength(2)
    expect(agent.said()).toMatch(/warn lost the connection to the master .*without a close frame/)
  })

  it('detects its devices only once: the master compares them', async () => {
    const tool = home.file(
      'nvidia-smi',
      '#!/bin/bash\necho x >> "$PROVISION_ROOT/calls"; echo "0, T4, GPU-$RANDOM$RANDOM"\n',
    )
    chmodSync(tool, 0o755)
    start({ DET_ARTIFICIAL_SLOTS: 0, DET_SLOT_TYPE: 'cuda', PATH: `${home.dir}:${process.env['PATH']}` })
    const first = await visit(0)
    expect(first.heard[0]!.AgentStarted!.Devices).toMatchObject([{ brand: 'T4', type: 'cuda' }])
    wire.cut()
    expect((await visit(1)).heard[0]).toEqual(first.heard[0])
  })

  it('also reconnects when the master closes the connection properly', async () => {
    start()
    await (await visit(0)).connection.close()
    expect((await visit(1)).join.reconnect).toBe(true)
  })

  it('reconnects any number of times', async () => {
    const agent = start({ DET_AGENT_RECONNECT_ATTEMPTS: 1 })
    for (let n = 0; n < 4; n++) {
      await visit(n)
      wire.cut()
    }
    await visit(4)
    expect(agent.said()).not.toContain('gave up')
  })

  it('gives up after its attempts, runs the hook once, and exits', async () => {
    const agent = start({ DET_AGENT_RECONNECT_ATTEMPTS: 3 })
    await visit(0)
    await wire.close()
    expect(await agent.exit).toBe(1)
    const attempts = agent.lines.filter((line) => line.includes('could not reconnect'))
    expect(attempts).toHaveLength(3)
    expect(attempts[2]).toMatch(/"attempt":3,"of":3,"kind":"REFUSED","reason":"connection refused"/)
    expect(agent.said()).toMatch(/error gave up reconnecting to the master .*AGENT_CONNECTION_LOST/)
    expect(readFileSync(join(home.dir, 'hook'), 'utf8')).toBe('lost\n')
  })

  it('does not try at all when it has no attempts', async () => {
    const agent = start({ DET_AGENT_RECONNECT_ATTEMPTS: 0 })
    await visit(0)
    wire.cut()
    expect(await agent.exit).toBe(1)
    expect(master.visits).toHaveLength(1)
    expect(hooked()).toBe(true)
  })

  it('exits with 0 when it is stopped while it waits for the next attempt', async () => {
    const agent = start({ DET_AGENT_RECONNECT_BACKOFF: 600 })
    await visit(0)
    await wire.close()
    await until(() => agent.said().includes('lost the connection'))
    expect(await agent.stop()).toBe(0)
    expect(hooked()).toBe(false)
  })
})

describe('an agent that is asked to wait (503)', () => {
  it('dials again until it is admitted, at its first connection', async () => {
    Object.assign(master, { refusal: 'not known yet', refusalStatus: 503 })
    const agent = start({ DET_AGENT_RECONNECT_BACKOFF: 0 })
    await until(() => master.refusals > 8, 'more dials than attempts')
    master.refusal = undefined
    expect((await visit(0)).join.reconnect).toBe(false)
    expect(agent.said().match(/the master asks the agent to retry later .*not known yet/g)).toHaveLength(1)
    expect(hooked()).toBe(false)
  })

  it('also does so when its connection is lost, and does not give up earlier because of that', async () => {
    const agent = start({ DET_AGENT_RECONNECT_BACKOFF: 0 })
    const first = await visit(0)
    Object.assign(master, { refusal: 'not known yet', refusalStatus: 503 })
    first.connection.terminate()
    await until(() => master.refusals > 8, 'more dials than attempts')
    master.refusal = undefined
    expect((await visit(1)).join.reconnect).toBe(true)
    expect(await agent.stop()).toBe(0)
    expect(hooked()).toBe(false)
  })
})

describe('an agent that is ordered to stop', () => {
  it('by a master to which it is unknown exits without the hook, to be restarted', async () => {
    const agent = start()
    const first = await visit(0)
    master.refusal = pastReconnectPeriod
    first.connection.terminate()
    expect(await agent.exit).toBe(1)
    expect(agent.said()).toMatch(/error the master shut down this agent .*AGENT_SHUT_DOWN.*must restart/)
    expect(hooked()).toBe(false)
  })

  it('by a shutdown message exits without the hook', async () => {
    const agent = start()
    const { connection } = await visit(0)
    connection.send({ AgentShutdown: { ErrMsg: 'your devices changed' } })
    expect(await agent.exit).toBe(1)
    expect(agent.said()).toContain('your devices changed')
    expect(hooked()).toBe(false)
  })
})

describe('a misbehaving master', () => {
  it('that closes the connection before its first message leaves an agent that exits', async () => {
    master.greet = ({ connection }) => connection.terminate()
    const agent = start()
    expect(await agent.exit).toBe(1)
    expect(agent.said()).toMatch(/error could not join the master/)
    expect(hooked()).toBe(false)
  })

  it('that closes the connection while an agent reconnects uses up one of its attempts', async () => {
    const agent = start({ DET_AGENT_RECONNECT_ATTEMPTS: 2 })
    await visit(0)
    master.greet = ({ connection }) => connection.terminate()
    wire.cut()
    expect(await agent.exit).toBe(1)
    expect(master.visits).toHaveLength(3)
    expect(hooked()).toBe(true)
  })

  it('that starts with another message is not joined', async () => {
    master.greet = ({ connection }) => connection.send({ SignalContainer: { ContainerID: 'x', Signal: 9 } })
    const agent = start()
    expect(await agent.exit).toBe(1)
    expect(agent.said()).toContain('first message is not MasterSetAgentOptions')
    expect(master.visits[0]!.heard).toEqual([])
  })

  it('that sends an invalid message is disconnected, and dialled again', async () => {
    start()
    const { connection } = await visit(0)
    connection.send({} as never)
    expect((await visit(1)).join.reconnect).toBe(true)
  })

  it('that sends its options twice is accepted', async () => {
    const agent = start()
    const { connection } = await visit(0)
    connection.send(options)
    await until(() => agent.said().includes('sent its options again'))
    expect(master.visits).toHaveLength(1)
  })
})
