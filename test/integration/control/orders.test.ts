// Orders that are carried out: a VM is launched, drained, terminated; no job is lost by accident.
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Provisioner } from '../../../src/provisioner/provisioner.ts'
import { type AskOptions, ask } from '../../support/ask.ts'
import { Cluster } from '../../support/stand-alone.ts'

let cluster: Cluster
let running: Provisioner
let socket: AskOptions
let ca: string

beforeAll(async () => {
  cluster = new Cluster()
  ca = (await cluster.certificate()).root.certificate
  running = await cluster.start(await cluster.config('slots: 1'))
  socket = { socketPath: join(cluster.dir, '.provision/control.sock') }
})
afterAll(() => cluster.dispose())

const joined = () => running.rows().filter((row) => row.agent === 'joined')
const agents = async () => (await ask('GET', '/v1/agents', socket)).value.agents

/** Its process has been asked to stop; the next listing of the loop may show it a while longer. */
const isEnded = (id: string) => cluster.said('decided to terminate').some((line) => line.includes(id))

describe('a person’s orders', () => {
  it('launch VMs that no job needs', async () => {
    const launched = await ask('POST', '/v1/pools/default/launch', socket, { count: 2 })
    expect(launched).toMatchObject({ status: 200, value: { pool: 'default', count: 2 } })
    await expect.poll(() => joined().length, { timeout: 60_000 }).toBe(2)
    expect((await ask('GET', '/v1/instances', socket)).value.instances).toMatchObject([
      { pool: 'default', agent: 'joined', slots: 1, busy: false, local: true },
      { agent: 'joined' },
    ])
    await expect.poll(agents).toMatchObject([{ state: 'joined', managed: true, tlsVersion: 'TLSv1.3' }, {}])
  })

  it('terminate an idle VM, drained first', async () => {
    const [{ instance: id } = { instance: '' }] = joined()
    const ended = await ask('POST', '/v1/instances/terminate', socket, { ids: [id] })
    expect(ended).toEqual({ status: 200, value: { ids: [id], waits: [] } })
    await expect.poll(() => isEnded(id), { timeout: 60_000 }).toBe(true)
    expect(cluster.said('decided to drain').join()).toContain(id)
  })

  it('never terminate a busy VM except with force', async () => {
    const { instance: id } = joined().find((row) => !isEnded(row.instance))!
    const order = { id: 'w', slots: 1, duration: '1h' }
    await ask('POST', '/provision/v1/jobs', { ca, port: cluster.port, token: cluster.token() }, order)
    await expect
      .poll(agents, { timeout: 60_000 })
      .toEqual(expect.arrayContaining([expect.objectContaining({ id, busy: true })]))
    const refused = await ask('POST', '/v1/instances/terminate', socket, { ids: [id] })
    expect(refused).toMatchObject({
      status: 409,
      value: { error: { code: 'INSTANCE_BUSY', details: { ids: [id] } } },
    })
    await ask('POST', '/v1/instances/drain', socket, { ids: [id] })
    await expect
      .poll(agents, { timeout: 60_000 })
      .toEqual(expect.arrayContaining([expect.objectContaining({ id, busy: true, draining: true })]))
    const forced = await ask('POST', '/v1/instances/terminate', socket, { ids: [id], force: true })
    expect(forced).toMatchObject({ status: 200, value: { ids: [id] } })
    await expect.poll(() => isEnded(id), { timeout: 60_000 }).toBe(true)
  })

  it('stay while the pool is paused, and report that they wait', async () => {
    await ask('POST', '/v1/pools/default/launch', socket, { count: 1 })
    const fresh = () => joined().find((row) => !isEnded(row.instance))?.instance
    await expect.poll(fresh, { timeout: 60_000 }).toBeDefined()
    const id = fresh()!
    await ask('POST', '/v1/pools/default/pause', socket)
    const { value } = await ask('POST', '/v1/instances/drain', socket, { ids: [id] })
    expect(value).toMatchObject({ ids: [id], waits: [{ pool: 'default', code: 'PAUSED' }] })
  })

  it('to drain can be cancelled', async () => {
    const [{ id } = { id: '' }] = (await ask('GET', '/v1/instances', socket)).value.instances.filter(
      (vm: { doing?: string }) => vm.doing === 'ordered',
    )
    const kept = { status: 200, value: { ids: [id], waits: [] } }
    expect(await ask('POST', '/v1/instances/undrain', socket, { ids: [id] })).toEqual(kept)
    await ask('POST', '/v1/pools/default/resume', socket)
    const again = await ask('POST', '/v1/instances/undrain', socket, { ids: [id] })
    expect(again.value.ids).toEqual([])
  })
})
