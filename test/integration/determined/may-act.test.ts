// Drains of a process that has lost its lease do not reach the master: asked once the connection is there, for each attempt.
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { DeterminedDemand } from '../../../src/demand/determined/source.ts'
import { createDevelopmentChain } from '../../../src/pki/development-ca.ts'
import type { ProvisionError } from '../../../src/problems/index.ts'
import { connectProxy, type TestProxy } from '../../support/connect-proxy.ts'
import { type Opened, openFake } from '../../support/fake-determined/opened.ts'
import { join } from '../../support/fake-determined/world.ts'

let opened: Opened
let isHeld: boolean
beforeEach(async () => {
  opened = await openFake()
  isHeld = true
  join(opened.world, 'i-1', 4)
})
afterEach(() => opened.dispose())

const mayAct = () => isHeld
const changes = () => opened.fake.asked.filter((line) => /^POST .*\/i-\d\/(?:en|dis)able$/.test(line))
const codeOf = (failing: Promise<unknown>) =>
  failing.then(
    () => 'no error',
    ({ code }: ProvisionError) => code,
  )

describe('a drain and an undrain', () => {
  it('are sent while this process may act', async () => {
    const source = opened.open()
    expect(await source.drain('i-1', undefined, mayAct)).toBe(true)
    expect(await source.undrain('i-1', undefined, mayAct)).toBe(true)
    expect(changes()).toHaveLength(2)
  })

  it('change nothing once it may not, and the master is not taken for unreachable', async () => {
    const source = opened.open()
    expect(await source.drain('i-1', undefined, mayAct)).toBe(true)
    isHeld = false
    join(opened.world, 'i-2', 4)
    expect(await codeOf(source.drain('i-2', undefined, mayAct))).toBe('STATE_RIGHT_LOST')
    expect(await codeOf(source.undrain('i-1', undefined, mayAct))).toBe('STATE_RIGHT_LOST')
    expect(changes()).toHaveLength(1)
    expect(source.outage()).toBeUndefined()
    expect((await source.read('default')).agents).toHaveLength(2)
    expect(opened.world.agents.get('i-2')!.enabled).toBe(true)
    isHeld = true
    expect(await source.undrain('i-1', undefined, mayAct)).toBe(true)
  })

  it('are not repeated when the lease ends during a new login', async () => {
    const source = opened.open()
    await source.read('default')
    let asked = 0
    const once = () => ++asked === 1
    // The session ends between the look at the agent and the drain.
    opened.fake.faults.push({ path: '/disable', kind: 401, times: 1 })
    expect(await codeOf(source.drain('i-1', undefined, once))).toBe('STATE_RIGHT_LOST')
    expect(asked).toBe(2)
    expect(changes()).toHaveLength(1)
    expect(opened.world.agents.get('i-1')!.enabled).toBe(true)
  })

  it('are not repeated on a new connection when the lease has ended', async () => {
    const source = opened.open()
    await source.read('default')
    const once = () => opened.fake.count('/disable') === 0
    opened.fake.faults.push({ path: '/disable', kind: 'cut', times: 1 })
    expect(await codeOf(source.drain('i-1', undefined, once))).toBe('STATE_RIGHT_LOST')
    expect(changes()).toHaveLength(1)
  })
})

describe.each([
  ['plain http', false, false],
  ['TLS', true, false],
  ['plain http through a proxy', false, true],
  ['TLS through a proxy', true, true],
])('a connection that is opened for a drain, over %s,', (_, overTls, proxied) => {
  let master: Opened
  let proxy: TestProxy
  let source: DeterminedDemand
  beforeEach(async () => {
    const { chain, leaf, root } = await createDevelopmentChain({
      names: ['master.test'],
      ips: ['127.0.0.1'],
      days: 30,
      now: Date.now(),
    })
    master = await openFake(overTls ? { tls: { cert: chain, key: leaf.key } } : {})
    proxy = await connectProxy({ leadsTo: () => master.fake.port })
    const at = `http://127.0.0.1:${proxy.port}`
    const url = `${overTls ? 'https' : 'http'}://${proxied ? 'master.test' : '127.0.0.1'}:${master.fake.port}`
    const trust = overTls && { ca_file: master.write('ca.crt', root.certificate) }
    source = master.open({
      demand: { url, ...trust },
      env: proxied ? { HTTP_PROXY: at, HTTPS_PROXY: at } : {},
    })
    join(master.world, 'i-1', 4)
    await source.read('default')
    // The drain finds its connection closed, and opens another.
    master.fake.faults.push({ path: '/disable', kind: 'cut', times: 1 })
  })
  afterEach(async () => {
    await master.dispose()
    await proxy.close()
  })
  const drains = () => master.fake.asked.filter((line) => /^POST .*\/i-1\/disable$/.test(line)).length

  it('carries it while this process may act', async () => {
    let asked = 0
    expect(await source.drain('i-1', undefined, () => ++asked > 0).catch(({ code }) => code)).toBe(
      // A proxy answers for a master that closed the connection.
      proxied && !overTls ? 'DETERMINED_FAULT' : true,
    )
    expect([asked, drains()]).toEqual(proxied && !overTls ? [1, 1] : [2, 2])
  })

  it('carries nothing when the lease has ended by then', async () => {
    let asked = 0
    const code = await codeOf(source.drain('i-1', undefined, () => ++asked === 0))
    expect([code, drains()]).toEqual(['STATE_RIGHT_LOST', 0])
  })
})
