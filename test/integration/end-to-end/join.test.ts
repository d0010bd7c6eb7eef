// From a master.yaml and a certificate to agents that have joined over verified TLS, with no fakes.
import { afterEach, describe, expect, it } from 'vitest'
import { Cluster } from '../../support/stand-alone.ts'

let cluster: Cluster
afterEach(() => cluster.dispose())

describe('stand-alone', () => {
  it('has min_instances agents that join over verified TLS, and terminates them when it stops', async () => {
    cluster = new Cluster()
    await cluster.certificate()
    const running = await cluster.start(await cluster.config('min_instances: 2', 'slots: 3'))
    await expect
      .poll(() => running.rows().map((row) => row.agent), { timeout: 60_000 })
      .toEqual(['joined', 'joined'])
    expect(running.rows()[0]).toMatchObject({
      pool: 'default',
      state: 'running',
      slots: 3,
      tlsVersion: 'TLSv1.3',
      certificateName: 'master.test',
      local: true,
    })
    const [first] = running.rows()
    expect(cluster.consoleOf(first!.instance)).toContain('PROVISION_STAGE=tls_checked')
    await running.stop()
    expect(cluster.said('local instance terminated')).toHaveLength(2)
  })

  it('replaces an agent that dies', async () => {
    cluster = new Cluster()
    await cluster.certificate()
    const running = await cluster.start(await cluster.config('min_instances: 1'))
    await expect.poll(() => running.rows()[0]?.agent, { timeout: 60_000 }).toBe('joined')
    const dead = running.rows()[0]!.instance
    process.kill(-cluster.processOf(dead), 'SIGKILL')
    const joined = () => running.rows().find((row) => row.agent === 'joined')?.instance
    await expect.poll(joined, { timeout: 60_000 }).not.toBe(dead)
    await expect.poll(joined, { timeout: 60_000 }).toMatch(/^local-/)
  })

  it('gives a renewed certificate to new agents while the old ones stay', async () => {
    cluster = new Cluster()
    await cluster.certificate()
    const running = await cluster.start(await cluster.config('min_instances: 1'))
    await expect.poll(() => running.rows()[0]?.agent, { timeout: 60_000 }).toBe('joined')
    const old = running.rows()[0]!.instance

    const renewed = await cluster.certificate()
    await expect
      .poll(() => cluster.said('new instances get the renewed certificate'), { timeout: 60_000 })
      .toHaveLength(1)
    expect(cluster.said('trust no certificate that signs the renewed one')).toHaveLength(1)
    expect(running.rows()[0]).toMatchObject({ instance: old, agent: 'joined' })
    expect(await cluster.presented()).toBe(cluster.sha256(renewed.leaf.certificate))

    process.kill(-cluster.processOf(old), 'SIGKILL')
    const joined = () => running.rows().find((row) => row.agent === 'joined' && row.instance !== old)
    await expect.poll(joined, { timeout: 60_000 }).toBeDefined()
    expect(cluster.fileOf(joined()!.instance, 'usr/local/determined/master.crt')).toContain(
      renewed.leaf.certificate,
    )
  })

  it('keeps the last good certificate when it is replaced by an invalid one', async () => {
    cluster = new Cluster()
    const good = await cluster.certificate()
    const running = await cluster.start(await cluster.config('min_instances: 1', 'tls: {trust: embed}'))
    await expect.poll(() => running.rows()[0]?.agent, { timeout: 60_000 }).toBe('joined')
    cluster.serve({ ...good, chain: 'not a certificate\n' })
    await new Promise((resolve) => setTimeout(resolve, 3000))
    expect(await cluster.presented()).toBe(cluster.sha256(good.leaf.certificate))
    expect(running.rows()[0]?.agent).toBe('joined')
  })
})
