// A database that lost commits: a standby that was promoted without the last of them, or a dump that was restored. The
// cloud does not list new instances for a while, so that only the state could tell that they were launched.
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { describe, expect, it, type TestContext } from 'vitest'
import { awsDaemonCluster, daemonCertificates, timeout } from '../../support/aws-daemon.ts'
import { postgresCluster, postgresPrograms, postgresStandby } from '../../support/postgres-cluster.ts'
import { tcpSwitch } from '../../support/switch.ts'
import type { Daemon } from '../../support/takeover/daemon.ts'

const certificates = daemonCertificates()
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

/** A primary behind an address that a test moves to another server, and daemons with their state there. */
async function open(context: Pick<TestContext, 'onTestFinished'>) {
  const primary = await postgresCluster()
  const address = await tcpSwitch(primary.port)
  context.onTestFinished(async () => {
    await address.close()
    await primary.dispose()
  })
  const cluster = await awsDaemonCluster(context, certificates())
  const url = primary.url().replace(`:${primary.port}/`, `:${address.port}/`)
  const { world } = cluster.ec2
  return {
    primary,
    address,
    live: cluster.live,
    launched: () => world.vms.size,
    hide() {
      world.hideNewVms = true
    },
    show() {
      world.hideNewVms = false
      for (const vm of world.vms.values()) vm.visible = true
    },
    start: (min: number) =>
      cluster.start({
        name: 'gpu',
        file: `state: {type: postgres, url: "${url}"}`,
        provider: [
          'region: us-west-2',
          'instance_types: [{type: g5.xlarge, slots: 1}]',
          'subnet_ids: [subnet-a]',
          `min_instances: ${min}`,
          'max_instances: 3',
          'boot_timeout: 10m',
        ],
      }),
  }
}

const blocked = async (daemon: Daemon) => (await daemon.status()).pools[0]?.blocked.map(({ code }) => code)

/** The pool has a journal, and waits for nothing. */
async function settled(daemon: Daemon): Promise<void> {
  await daemon.ready()
  await daemon.until('the pool waits for nothing', async () => (await blocked(daemon))?.length === 0)
}

/** Hidden for 20 s more, then listed: until it is settled, and for a while after that, nothing more is launched. */
async function staysAt(
  count: number,
  daemon: Daemon,
  { launched, live, show }: Awaited<ReturnType<typeof open>>,
): Promise<void> {
  const from = Date.now()
  await pause(20_000)
  expect(launched()).toBe(count)
  expect(await blocked(daemon)).toContain('JOURNAL_MISSING')
  expect(daemon.log()).toContain('STATE_COMMITS_LOST')
  show()
  await daemon.until('two listings were complete', async () => (await blocked(daemon))?.length === 0)
  expect(Date.now() - from).toBeGreaterThan(50_000)
  await pause(10_000)
  expect([launched(), live().length]).toEqual([count, count])
  const [pool] = (await daemon.status()).pools
  expect(pool!.foreignWriters).toEqual([])
  expect((await daemon.instances()).map(({ id }) => id).sort()).toEqual(
    live()
      .map(({ id }) => id)
      .sort(),
  )
}

describe('nothing is launched a second time, nor is it foreign', () => {
  it('when the standby that was promoted knows neither the launches nor the start that made them', {
    timeout,
  }, async (context) => {
    const bench = await open(context)
    const { primary, address } = bench
    const first = bench.start(0)
    await settled(first)
    await first.stop()
    const standby = await postgresStandby(primary)
    context.onTestFinished(standby.dispose)
    await standby.detach()
    bench.hide()
    const second = bench.start(2)
    await second.until('two are launched', () => bench.launched() === 2)
    await second.until('it is in the log', () => second.log().includes('"message":"launched"'))
    await primary.crash()
    await second.kill()
    await standby.promote()
    address.lead(standby.port)
    const third = bench.start(2)
    await third.ready()
    await staysAt(2, third, bench)
    // The loss is settled: the next start waits for nothing.
    await third.until(
      'the journal was rewritten',
      () =>
        standby.sql(
          "SELECT bool_and(losses = settled) FROM provision.journal_lineages j JOIN provision.journals ON id = journal WHERE name LIKE 'pool/%'",
        ) === 't',
    )
    await third.stop()
    const fourth = bench.start(2)
    await settled(fourth)
    expect(fourth.log()).not.toContain('pool/gpu')
    await fourth.stop()
  })

  it('by a provisioner that was there all the time, whose orders and jobs are kept', {
    timeout,
  }, async (context) => {
    const bench = await open(context)
    const { primary, address } = bench
    const daemon = bench.start(1)
    await settled(daemon)
    await daemon.until('one is launched', () => bench.launched() === 1)
    const standby = await postgresStandby(primary)
    context.onTestFinished(standby.dispose)
    await standby.detach()
    bench.hide()
    await daemon.command('launch', '1', '--pool', 'gpu')
    await daemon.until('another is launched', () => bench.launched() === 2)
    await daemon.command('submit', '--pool', 'gpu', '--slots', '1', '--force', '--', 'true')
    await daemon.command('pause', 'gpu')
    await pause(2_000)
    await primary.crash()
    const from = Date.now()
    address.lead(undefined)
    await standby.promote()
    address.lead(standby.port)
    await daemon.until('it is noticed', () => daemon.log().includes('STATE_COMMITS_LOST'))
    context.annotate?.(`noticed ${Date.now() - from} ms after the crash`)
    await daemon.until(
      'the pool is there again',
      async () => (await blocked(daemon))?.includes('PAUSED') === true,
    )
    expect(await daemon.command('jobs')).toContain('true')
    await daemon.command('resume', 'gpu')
    await daemon.until(
      'it waits for listings',
      async () => (await blocked(daemon))?.includes('JOURNAL_MISSING') === true,
    )
    await pause(20_000)
    expect(bench.launched()).toBe(2)
    bench.show()
    await daemon.until('it waits for nothing', async () => (await blocked(daemon))?.length === 0)
    await pause(5_000)
    expect(bench.launched()).toBe(2)
    await daemon.kill()
    const next = bench.start(1)
    await next.ready()
    expect(await next.command('jobs')).toContain('true')
    await next.stop()
  })

  it('when an older dump was restored into the same server', { timeout }, async (context) => {
    const bench = await open(context)
    const { primary } = bench
    const first = bench.start(0)
    await settled(first)
    await first.stop()
    const at = ['-h', primary.folder, '-p', String(primary.port), '-U', primary.user, '-d', 'postgres']
    const dump = execFileSync(join(postgresPrograms(), 'pg_dump'), [...at, '-n', 'provision'])
    bench.hide()
    const second = bench.start(2)
    await second.until('two are launched', () => bench.launched() === 2)
    await second.until('it is in the log', () => second.log().includes('"message":"launched"'))
    await second.stop()
    primary.sql('DROP SCHEMA provision CASCADE')
    execFileSync(join(postgresPrograms(), 'psql'), [...at, '-q', '-v', 'ON_ERROR_STOP=1'], {
      input: dump,
      stdio: ['pipe', 'ignore', 'pipe'],
    })
    const third = bench.start(2)
    await third.ready()
    await staysAt(2, third, bench)
    await third.stop()
  })
})
