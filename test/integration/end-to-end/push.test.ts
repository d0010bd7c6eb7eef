// A master that pushes over TLS: it gets VMs for its jobs, and idle ones are terminated once it has drained them.
import { readFileSync, writeFileSync } from 'node:fs'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { PushedDemand } from '../../../src/demand/push.ts'
import type { Provisioner } from '../../../src/provisioner/provisioner.ts'
import { type AskOptions, ask } from '../../support/ask.ts'
import { loadConfig } from '../../support/config.ts'
import { Cluster } from '../../support/stand-alone.ts'

let cluster: Cluster
let running: Provisioner
let endpoint: AskOptions
beforeEach(async () => {
  cluster = new Cluster()
  const { root } = await cluster.certificate()
  const { file } = await cluster.config('preflight: off', 'max_idle_agent_period: 1s', 'slots: 2')
  writeFileSync(file, `${readFileSync(file, 'utf8')}demand: {type: push}\nlisten: {port: 8444}\n`)
  const { config } = loadConfig(file)
  config!.listen!.port = 0
  running = await cluster.start(config!)
  endpoint = { ca: root.certificate, port: running.listener!.port, token: cluster.token() }
})
afterEach(() => cluster.dispose())

const path = '/v1/pools/default/demand'

describe('a master that pushes', () => {
  it('is refused without the token', async () => {
    const demand = { pending: [], agents: [] }
    expect((await ask('PUT', path, { ...endpoint, token: undefined }, demand)).status).toBe(401)
    expect((await ask('PUT', path, { ...endpoint, token: 'not-the-token-at-all' }, demand)).status).toBe(401)
  })

  it('gets VMs for its jobs, and they are terminated when it has drained them', async () => {
    expect(running.status().pools[0]!.problems).toMatchObject([{ code: 'PUSH_MISSING' }])
    let demand: PushedDemand = { pending: [{ id: 'w', slots: 2 }], agents: [] }
    const push = async () => {
      const { status, value } = await ask('PUT', path, endpoint, demand)
      expect(status).toBe(200)
      // As a master does it: the response contains the agents to drain.
      const agents = demand.agents.map((agent) => ({ ...agent, draining: value.drain.includes(agent.id) }))
      demand = { ...demand, agents, drainVersion: value.drainVersion }
      return running.rows().map((row) => row.instance)
    }
    await expect.poll(push, { timeout: 60_000 }).toHaveLength(1)
    const [id] = await push()
    demand = { pending: [], agents: [{ id: id!, slots: 2, freeSlots: 0, busy: true }] }
    await push()
    await expect.poll(() => running.rows()[0]).toMatchObject({ agent: 'joined', slots: 2 })
    demand = { pending: [], agents: [{ id: id!, slots: 2, freeSlots: 2, busy: false }] }
    await expect.poll(push, { timeout: 60_000, interval: 200 }).toEqual([])
    const said = cluster.log.lines.join('\n')
    expect(said.indexOf('decided to drain')).toBeLessThan(said.indexOf('decided to terminate'))
    expect(said).toContain('decided to drain')
  })
})
