// The state_dir and the cloud resources of an earlier version are taken over: its instances are managed as before, and
// none is launched or terminated. The recordings are made by scripts/record-takeover.ts.
import { mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, inject, it, type TestContext } from 'vitest'
import { runCliAside } from '../../support/run-cli.ts'
import type { Daemon } from '../../support/takeover/daemon.ts'
import { filesBelow, fixtures, isLocalRecord } from '../../support/takeover/fixture.ts'
import { prepareTakeover, type Takeover } from '../../support/takeover/prepare.ts'

const timeout = 300_000

const recordings = readdirSync(fixtures).flatMap((version) =>
  readdirSync(join(fixtures, version)).map((variant) => ({
    version,
    variant,
    folder: join(fixtures, version, variant),
  })),
)
type Recording = (typeof recordings)[number]
const ofVariant = (name: string) => recordings.filter(({ variant }) => variant === name)

let certificates: string
beforeAll(async () => {
  certificates = realpathSync(mkdtempSync(join(tmpdir(), 'takeover-certificates-')))
  const names = ['--name', 'master.test', '--ip', '127.0.0.1']
  const { status, stderr } = await runCliAside(['certs', ...names, '--out', certificates])
  expect(status, stderr).toBe(0)
}, timeout)
afterAll(() => rmSync(certificates, { recursive: true, force: true }))

async function prepare(
  { folder }: Recording,
  { onTestFinished, skip }: Pick<TestContext, 'onTestFinished' | 'skip'>,
): Promise<Takeover> {
  const hasLocal = filesBelow(join(folder, 'state')).some(isLocalRecord)
  skip(hasLocal && process.platform !== 'linux', 'the process of a local instance is looked up in /proc')
  const takeover = await prepareTakeover({ folder, cli: inject('cli'), certificates })
  onTestFinished(() => takeover.dispose(), timeout)
  return takeover
}

/**
 * The recorded instances belong to the pools, with what only the journals contain about them, and no cloud was changed.
 */
async function expectManaged(takeover: Takeover, daemon: Daemon, paused: string[]): Promise<void> {
  const { clouds, ids, locals, fixture } = takeover
  const { recorded } = fixture
  const instances = await daemon.instances()
  const listed = instances.map(({ id }) => id).sort()
  expect(listed, `provision instances lists other ids; the log:\n${daemon.log()}`).toEqual(ids)
  for (const before of recorded.instances) {
    const now = instances.find(({ id }) => id === before.id)!
    expect([now.id, now.pool, now.doing]).toEqual([before.id, before.pool, before.doing])
    // Its version did not write down what an instance was made from.
    expect(now.drifted, now.id).toBeUndefined()
    // Only the journal contains when an agent joined.
    if (before.joinedAt) expect(new Date(now.joinedAt!), now.id).toEqual(new Date(before.joinedAt))
  }
  const { clusterId, pools } = await daemon.status()
  expect(clusterId).toBe(recorded.clusterId)
  expect(pools.flatMap(({ foreignWriters }) => foreignWriters)).toEqual([])
  expect(pools.filter(({ state }) => state === 'paused').map(({ pool }) => pool)).toEqual(paused)
  expect(await obstacles(daemon)).toEqual([])
  expect(clouds.changes(), `something was changed in a cloud; the log:\n${daemon.log()}`).toEqual([])
  expect(locals.every((local) => local.isUp())).toBe(true)
}

/**
 * What blocks the pools, apart from an order to pause. Without a complete listing, for example, an instance would stay
 * because the journal contains it. On a busy machine a listing may be late: the test waits for it.
 */
async function obstacles(daemon: Daemon): Promise<string[]> {
  const end = Date.now() + 60_000
  for (;;) {
    const { pools } = await daemon.status()
    const codes = pools.flatMap(({ blocked, problems }) => [...blocked, ...problems].map(({ code }) => code))
    const found = codes.filter((code) => code !== 'PAUSED')
    if (found.length === 0 || Date.now() > end) return found
    await new Promise((resolve) => setTimeout(resolve, 500))
  }
}

/** The jobs of the built-in master, and the decision log. */
async function expectHistory({ fixture }: Takeover, daemon: Daemon): Promise<void> {
  const { recorded } = fixture
  const { jobs: work } = JSON.parse(await daemon.command('jobs', '--format', 'json'))
  expect(work.map(({ id }: { id: string }) => id).sort()).toEqual(recorded.jobs.toSorted())
  const logged = await daemon.command('logs', '--limit', '10000')
  expect(recorded.instances.filter(({ id }) => !logged.includes(id))).toEqual([])
}

/** Journals that could not be read are kept beside the new ones. */
function journals(stateDir: string): string[] {
  return filesBelow(stateDir).filter((path) => path.includes('.journal'))
}

describe.concurrent('the state of an earlier version', () => {
  it.for(recordings)('is taken over ($version, $variant)', { timeout }, async (recording, context) => {
    const takeover = await prepare(recording, context)
    const { fixture, clouds, stateDir, stateFile } = takeover
    const { recorded } = fixture
    const tags = takeover.tags()

    const first = takeover.start()
    // At the second listing without it an instance is replaced, unless its agent is connected: none is yet. The third
    // listing
    // starts after the second has been acted on.
    await first.until('both clouds were listed three times', () => clouds.listings() >= 3)
    await expectManaged(takeover, first, recorded.paused)
    await expectHistory(takeover, first)

    // Appends something to each journal. A killed process writes nothing more, so the next start reads exactly that.
    await first.command('pause', '--all')
    await first.kill()
    const pools = [...new Set(recorded.instances.map(({ pool }) => pool))]
    const listings = clouds.listings()
    const second = takeover.start()
    await second.until('both clouds were listed again', () => clouds.listings() > listings)
    const agents = recorded.stoppedBy === 'SIGTERM' ? recorded.instances.filter(isJoined) : []
    for (const agent of agents) second.startAgent(agent)
    await second.until('the agents have joined again', async () => {
      const joined = (await second.instances()).filter(isJoined).map(({ id }) => id)
      return agents.every(({ id }) => joined.includes(id))
    })
    await expectManaged(takeover, second, pools)
    await second.stop()

    expect(journals(stateDir)).toEqual([...fixture.state.keys()].filter((path) => path.includes('.journal')))
    for (const name of ['cluster-id', 'writer-id'])
      expect(stateFile(name), name).toBe(fixture.state.get(name))
    expect(takeover.tags()).toEqual(tags)
    expect(clouds.changes()).toEqual([])
  })

  it.for(ofVariant('killed'))(
    'holds a launch without an answer, which still counts ($version)',
    { timeout },
    async (recording, context) => {
      const { fixture, clouds, ids, start } = await prepare(recording, context)
      // Clouds list new instances late.
      const listed = fixture.recorded.instances.map(({ id }) => id)
      const launched = [...clouds.ec2.world.vms.values()].filter(({ id }) => !listed.includes(id))
      expect(launched).toHaveLength(1)
      launched[0]!.visible = false
      const daemon = start()
      await daemon.until('both clouds were listed', () => clouds.listings() >= 1)
      await daemon.until('one launch is in flight', async () => {
        const { pools } = await daemon.status()
        return pools.some(({ pool, inFlight }) => pool === 'aws' && inFlight === 1)
      })
      launched[0]!.visible = true
      await daemon.until(
        'the instance is listed',
        async () => (await daemon.instances()).length === ids.length,
      )
      const { pools } = await daemon.status()
      expect(pools.map(({ inFlight }) => inFlight)).toEqual(pools.map(() => 0))
      expect(clouds.changes()).toEqual([])
    },
  )

  it.for(ofVariant('fixed-id'))(
    'is not taken over with another cluster_id ($version)',
    { timeout },
    async (recording, context) => {
      const { dir, fixture, clouds, ids, start } = await prepare(recording, context)
      const file = join(dir, 'master.yaml')
      const { clusterId } = fixture.recorded
      writeFileSync(
        file,
        readFileSync(file, 'utf8').replace(`cluster_id: ${clusterId}`, 'cluster_id: another'),
      )
      const daemon = start()
      const { ec2, gce } = clouds
      await daemon.until(
        'min_instances were launched in both clouds',
        () => ec2.count('CreateFleet') + ec2.count('RunInstances') > 0 && gce.count('bulkInsert') > 0,
      )
      expect((await daemon.instances()).filter(({ id }) => ids.includes(id))).toEqual([])
      expect(ec2.count('TerminateInstances') + gce.count('delete')).toBe(0)
    },
  )

  it.for(ofVariant('fixed-id'))(
    'waits for an order to adopt it when state_dir is lost ($version)',
    { timeout },
    async (recording, context) => {
      const { stateDir, fixture, clouds, start } = await prepare(recording, context)
      rmSync(stateDir, { recursive: true })
      const daemon = start()
      await daemon.until('both clouds were listed twice', () => clouds.listings() >= 2)
      const { pools } = await daemon.status()
      expect(pools.map(({ foreignWriters }) => foreignWriters)).toEqual(
        pools.map(() => [fixture.recorded.writerId]),
      )
      expect(await daemon.instances()).toEqual([])
      expect(clouds.changes()).toEqual([])
    },
  )
})

function isJoined({ agent }: { agent: string }): boolean {
  return agent === 'joined'
}
