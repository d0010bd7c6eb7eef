// The built-in agent with the addresses of several masters, of which one serves.
import { connect, createServer, type Server, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { pastReconnectPeriod } from '../../../src/standalone/protocol/messages.ts'
import {
  type AgentHome,
  agentHome,
  type Relay,
  type RunningAgent,
  relay,
} from '../../support/running-agent.ts'
import { type ScriptedMaster, scriptedMaster, type Visit } from '../../support/scripted-master.ts'
import { until } from '../../support/server.ts'
import type { Issued } from '../../support/x509.ts'
import { dns } from '../../support/x509-extensions.ts'
import { authority, masterName, server } from '../../support/x509-profiles.ts'

let home: AgentHome
let masters: ScriptedMaster[]
let servers: { close(): unknown }[]
beforeEach(() => {
  home = agentHome()
  masters = []
  servers = []
})
afterEach(async () => {
  await home.dispose()
  for (const each of servers) await each.close()
  await Promise.all(masters.map((master) => master.close()))
})

const standbyMessage = 'this provisioner stands by'

async function serving(tls?: Issued): Promise<ScriptedMaster> {
  const key = tls?.key.privateKey.export({ type: 'pkcs8', format: 'pem' }) as string
  const master = await scriptedMaster(tls && { cert: tls.pem, key })
  masters.push(master)
  return master
}

async function standby(tls?: Issued): Promise<ScriptedMaster> {
  return Object.assign(await serving(tls), { refusal: standbyMessage, refusalStatus: 503 })
}

/** Accepts connections and answers nothing. */
async function hanging(): Promise<{ port: number; dials: Socket[] }> {
  const dials: Socket[] = []
  const each: Server = createServer((socket) => {
    socket.on('error', () => {})
    dials.push(socket)
  })
  servers.push({
    close: () => {
      for (const socket of dials) socket.destroy()
      each.close()
    },
  })
  await new Promise<void>((resolve) => each.listen(0, '127.0.0.1', resolve))
  return { port: (each.address() as { port: number }).port, dials }
}

/** A port of nobody (RFC 1078). */
const refusing = { port: 1 }

type Placed = { port: number }

function start(addresses: readonly Placed[], change: Record<string, string | number> = {}): RunningAgent {
  const list = addresses.map(({ port }) => `127.0.0.1:${port}`).join(',')
  return home.run({ DET_MASTER_ADDRESSES: list, DET_AGENT_ID: 'a', ...change })
}

const root = authority('Root')
const verifying = () => ({
  DET_SECURITY_TLS_ENABLED: 'true',
  DET_SECURITY_TLS_MASTER_CERT: home.file('master.crt', root.pem),
  DET_SECURITY_TLS_MASTER_CERT_NAME: masterName,
})

async function visit(master: ScriptedMaster, n = 0): Promise<Visit> {
  await until(() => master.visits[n]?.heard[0]?.AgentStarted, `visit ${n}`, 40_000)
  return master.visits[n]!
}

/** The reports about single masters: address and reason. */
function reports({ lines }: RunningAgent): [string, string][] {
  return lines
    .filter((line) => line.startsWith('warn a master does not take this agent'))
    .map((line) => JSON.parse(line.slice(line.indexOf('{'))) as { master: string; reason: string })
    .map(({ master, reason }) => [master, reason])
}

describe('an agent with several masters joins the one that serves', () => {
  it('the first, without a dial of the other', async () => {
    const [one, two] = [await serving(), await serving()]
    start([one, two])
    expect((await visit(one)).join.reconnect).toBe(false)
    expect(two.visits).toHaveLength(0)
  })

  it('when the first refuses connections', async () => {
    const two = await serving()
    const agent = start([refusing, two])
    await visit(two)
    expect(reports(agent)).toEqual([['http://127.0.0.1:1', 'connection refused']])
    expect(agent.said()).toContain('info joined the master')
  })

  it('when the first stands by', async () => {
    const [one, two] = [await standby(), await serving()]
    const agent = start([one, two])
    await visit(two)
    expect(reports(agent)).toEqual([
      [`http://127.0.0.1:${one.port}`, `the master answered with status 503: ${standbyMessage}`],
    ])
  })

  it('within seconds when the first accepts connections and says nothing', { timeout: 60_000 }, async () => {
    const [one, two] = [await hanging(), await serving(server(root))]
    const began = Date.now()
    const agent = start([one, two], verifying())
    await visit(two)
    expect(Date.now() - began).toBeLessThan(10_000)
    expect(one.dials).toHaveLength(1)
    expect(reports(agent)).toEqual([
      [`https://127.0.0.1:${one.port}`, 'timed out: a firewall, or the wrong address'],
    ])
  })

  it('also where a master holds a dial for longer than it may take to connect', {
    timeout: 60_000,
  }, async () => {
    const one = await serving()
    const gate = await slowAnswer(one.port, 7_000)
    const agent = start([gate, refusing])
    await visit(one)
    expect(reports(agent)).toEqual([])
  })

  it('and waits while all stand by', async () => {
    const [one, two] = [await standby(), await standby()]
    const agent = start([one, two], { DET_AGENT_RECONNECT_BACKOFF: 1 })
    await until(() => two.refusals > 1)
    delete two.refusal
    await visit(two)
    expect(agent.said().match(/warn the master asks the agent to retry later/g)).toHaveLength(1)
    expect(reports(agent)).toHaveLength(2)
  })

  it('and waits while one stands by and the other is gone', async () => {
    const two = await standby()
    start([refusing, two], { DET_AGENT_RECONNECT_BACKOFF: 1, DET_AGENT_RECONNECT_ATTEMPTS: 0 })
    await until(() => two.refusals > 1)
    delete two.refusal
    await visit(two)
  })

  it('but fails when none can be reached, and says about each why', async () => {
    const agent = start([refusing, { port: 2 }])
    expect(await agent.exit).toBe(1)
    const last = agent.lines.find((line) => line.startsWith('error could not join the master'))
    expect(last).toContain(
      '"kind":"REFUSED","reason":"http://127.0.0.1:1: connection refused; http://127.0.0.1:2: connection refused"',
    )
  })
})

/** A relay that holds back each answer. */
async function slowAnswer(target: number, ms: number): Promise<Placed> {
  const wire: Relay = await relay(target)
  servers.push(wire)
  const each = createServer((near) => {
    const far = connect(wire.port, '127.0.0.1')
    for (const [end, other] of [
      [near, far],
      [far, near],
    ] as const)
      end.on('error', () => {}).on('close', () => other.destroy())
    near.pipe(far)
    let first = true
    far.on('data', (part) => {
      setTimeout(() => near.write(part), first ? ms : 0)
      first = false
    })
  })
  servers.push({ close: () => each.close() })
  await new Promise<void>((resolve) => each.listen(0, '127.0.0.1', resolve))
  return { port: (each.address() as { port: number }).port }
}

describe('an agent whose master is gone', () => {
  it('reconnects to the other at once, and begins with that one the next time', async () => {
    const [one, two] = [await serving(), await standby()]
    const [to1, to2] = [await relay(one.port), await relay(two.port)]
    servers.push(to1, to2)
    const agent = start([to1, to2], { DET_AGENT_RECONNECT_BACKOFF: 600 })
    await visit(one)
    // After a connection that breaks sooner the agent waits as after a failed one.
    await sleep(1_100)
    delete two.refusal
    one.refusal = standbyMessage
    one.refusalStatus = 503
    to1.cut()
    expect((await visit(two)).join.reconnect).toBe(true)
    expect(agent.said()).toContain(`"master":"http://127.0.0.1:${to1.port}"`)
    const dialled = one.refusals
    await sleep(1_100)
    to2.cut()
    await visit(two, 1)
    expect(one.refusals).toBe(dialled)
  })

  it('counts a round as one attempt, and gives up after its attempts', async () => {
    const one = await serving()
    const wire = await relay(one.port)
    const agent = start([wire, refusing], { DET_AGENT_RECONNECT_ATTEMPTS: 3 })
    await visit(one)
    await wire.close()
    expect(await agent.exit).toBe(1)
    const attempts = agent.lines.filter((line) => line.includes('could not reconnect'))
    expect(attempts).toHaveLength(3)
    expect(attempts[2]).toMatch(
      /"attempt":3,"of":3,.*127\.0\.0\.1:\d+: connection refused; .*:1: connection refused/,
    )
    expect(agent.said()).toContain('gave up reconnecting to the master')
  })

  it('restarts when the one that took over has given its work away', async () => {
    const [one, two] = [await serving(), await standby()]
    const wire = await relay(one.port)
    const agent = start([wire, two])
    await visit(one)
    Object.assign(two, { refusal: pastReconnectPeriod, refusalStatus: 500 })
    await wire.close()
    expect(await agent.exit).toBe(1)
    expect(agent.said()).toContain('AGENT_SHUT_DOWN')
  })

  it('waits for a master that has not noticed yet that the connection is gone', async () => {
    const [one, two] = [await serving(), await standby()]
    const wire = await relay(one.port)
    servers.push(wire)
    const agent = start([wire, refusing], { DET_AGENT_RECONNECT_ATTEMPTS: 1 })
    await visit(one)
    one.refusal = 'agent: websocket already connected'
    wire.cut()
    await until(() => one.refusals > 2)
    delete one.refusal
    await visit(one, 1)
    expect(agent.said()).not.toContain('gave up')
    expect(two.visits).toHaveLength(0)
  })
})

describe('an agent with several masters verifies each', () => {
  const other = authority('Root of others')
  const wrong: [string, () => Issued, RegExp][] = [
    ['of another CA', () => server(other), /not signed by a CA this agent trusts/],
    [
      'for another name',
      () => server(root, { names: [dns('other.test')] }),
      /is for DNS:other\.test, not for/,
    ],
  ]

  it.each(wrong)('reports a certificate %s at one, and uses the other', async (_, issue, reason) => {
    const [one, two] = [await serving(issue()), await serving(server(root))]
    const agent = start([one, two], verifying())
    await visit(two)
    expect(one.visits).toHaveLength(0)
    await until(() => reports(agent).length > 0)
    expect(reports(agent)).toEqual([[`https://127.0.0.1:${one.port}`, expect.stringMatching(reason)]])
    expect(agent.said()).toMatch(/"master":"https:.*"presents":"CN=.*valid from/)
  })

  it.each(wrong)('joins none with a certificate %s', async (_, issue, reason) => {
    const [one, two] = [await serving(issue()), await serving(issue())]
    const agent = start([one, two], verifying())
    expect(await agent.exit).toBe(1)
    expect([...one.visits, ...two.visits]).toEqual([])
    expect(reports(agent).map(([, why]) => why)).toEqual([
      expect.stringMatching(reason),
      expect.stringMatching(reason),
    ])
  })

  it('does not go to a master with a wrong certificate when the right one is gone', async () => {
    const [one, two] = [await serving(server(root)), await serving(server(other))]
    const wire = await relay(one.port)
    const agent = start([wire, two], { ...verifying(), DET_AGENT_RECONNECT_ATTEMPTS: 2 })
    await visit(one)
    await wire.close()
    expect(await agent.exit).toBe(1)
    expect(two.visits).toEqual([])
    expect(agent.said()).toMatch(/could not reconnect .*connection refused; .*not signed by a CA/)
  })

  it('by the host it dials where there is no name for all', async () => {
    const ips = async (name: string) => serving(server(root, { names: [dns(name)] }))
    const [one, two] = [await ips('other.test'), await ips('localhost')]
    const agent = home.run({
      ...verifying(),
      DET_SECURITY_TLS_MASTER_CERT_NAME: '',
      DET_MASTER_ADDRESSES: `127.0.0.1:${one.port},localhost:${two.port}`,
    })
    await visit(two)
    expect(one.visits).toEqual([])
    await until(() => reports(agent).length > 0)
    expect(agent.said()).toMatch(/is for DNS:other\.test, not for 127\.0\.0\.1/)
  })
})
