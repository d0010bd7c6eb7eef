// A server and its clients use one schema, over a real socket, for pools in any state.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { ManagedInstance } from '../../../src/fleet/memory.ts'
import type { FoundOrphan } from '../../../src/fleet/orphans.ts'
import type { PoolStatus } from '../../../src/fleet/status.ts'
import { agentViews } from '../../../src/http/agent-view.ts'
import { type Client, createLocalClient } from '../../../src/http/client.ts'
import type { SharedFleet } from '../../../src/http/elsewhere.ts'
import {
  adoptOrphans,
  agentList,
  drainInstances,
  fleetStatus,
  instanceList,
  listEvents,
  listOrphans,
  poolStatus,
} from '../../../src/http/fleet-client.ts'
import type { FleetRow, PoolAgents } from '../../../src/http/fleet-control.ts'
import { controlHandler } from '../../../src/http/fleet-endpoints.ts'
import { instanceViews } from '../../../src/http/instance-view.ts'
import { oneJobSchema } from '../../../src/http/job-view.ts'
import { type LocalListener, listenLocally } from '../../../src/http/listen.ts'
import { orphansView } from '../../../src/http/orphan-view.ts'
import {
  failedSummary,
  ownSummary,
  type PoolPlace,
  poolDetails,
  standbySummary,
  statusSchema,
} from '../../../src/http/pool-view.ts'
import { problemView, type ReasonView, reasonView } from '../../../src/http/reason-view.ts'
import { checkView, type Written } from '../../../src/http/view.ts'
import { plan } from '../../../src/planner/index.ts'
import { type Problem, problem } from '../../../src/problems/index.ts'
import { nothingElsewhere } from '../../../src/provisioner/elsewhere.ts'
import type { Allocation } from '../../../src/standalone/master/allocation.ts'
import { workView } from '../../../src/standalone/master/rest-work.ts'
import { now } from '../../support/planner.ts'
import { silentLogger } from '../../support/silent-logger.ts'
import { policies, snapshots } from '../../support/snapshots.ts'

const listInstances = async (...asked: Parameters<typeof instanceList>) =>
  (await instanceList(...asked)).instances
const listAgents = async (...asked: Parameters<typeof agentList>) => (await agentList(...asked)).agents

const maybe = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined })
const moment = fc.nat(now)
const lost = problem('PREFLIGHT_REFUSED', 'nothing listens', { details: { port: 8443 }, cause: new Error() })

const doings: fc.Arbitrary<Partial<ManagedInstance>> = fc.record({
  listed: fc.boolean(),
  stateReason: maybe(fc.string()),
  busyWith: maybe(fc.constantFrom('drain', 'undrain', 'end')),
  ordered: maybe(fc.constantFrom('when_idle', 'even_if_busy')),
})

const statuses: fc.Arbitrary<PoolStatus> = fc
  .record({
    snapshot: snapshots,
    policy: policies,
    doing: doings,
    paused: fc.boolean(),
    hasDecided: fc.boolean(),
    problems: fc.subarray([lost]),
    foreignWriters: fc.array(fc.string()),
    breaker: fc.constantFrom<PoolStatus['breaker']>(
      { state: 'closed' },
      { state: 'open', until: now, failures: 3 },
      { state: 'probing', failures: 3 },
    ),
  })
  .map(({ snapshot, policy, doing, paused, hasDecided, problems, foreignWriters, breaker }) => {
    const decisions = hasDecided ? plan(snapshot, policy, now) : []
    const turn = hasDecided ? { decidedAt: now, snapshot } : {}
    const counts = { live: 1, joined: 1, inFlight: 0, pending: 0 }
    const blocked = decisions.flatMap((one) =>
      one.kind === 'hold' ? [{ ...one.reason, problem: lost }] : [],
    )
    const instances = snapshot.instances.map((vm) => ({ ...vm, listed: true, ...doing }))
    const found = { breaker, foreignWriters, problems, policy, decisions, blocked, instances }
    const times = { blockedSince: new Map(), nextPollAt: now }
    const { offerings } = snapshot
    return { pool: snapshot.pool, at: now, paused, ...counts, ...found, ...turn, ...times, offerings }
  })

const shown: fc.Arbitrary<Omit<FleetRow, 'pool' | 'instance' | 'state' | 'launchedAt'>> = fc.record({
  local: fc.boolean(),
  agent: fc.constantFrom('waiting', 'joined', 'lost'),
  slots: maybe(fc.nat()),
  tlsVersion: maybe(fc.constant('TLSv1.3')),
  certificateName: maybe(fc.string()),
})

const about = {
  version: '1',
  clusterId: 'c',
  writerId: 'w',
  demand: 'push',
  startedAt: 0,
  now,
  standby: undefined,
}
const failed = { pool: 'broken', problems: [lost] }
const event = { at: now, kind: 'joined', pool: 'default', ids: ['a'] }

const orphan: FoundOrphan = {
  id: 'i-1',
  pool: 'gone',
  state: 'running',
  launchedAt: now,
  instanceType: 'm4',
  zone: 'a',
  capacityType: 'on_demand',
  provider: 'simulated',
  location: { region: 'r' },
  age: 0,
  isOwn: false,
  waited: 0,
  next: { kind: 'keep', why: 'foreign' },
}

const gone = problem('STATE_UNREACHABLE', 'no answer')
const differs = problem('CONFIG_DIFFERS', 'another configuration')
const leader = { host: 'a', pid: 1, writerId: 'w', epoch: 3, since: 0, self: true }
let fault: Problem | undefined
let place: PoolPlace = { provider: 'aws', leader }

let status: PoolStatus
let rows: FleetRow[]
let others: PoolAgents[] = []
const fleet: SharedFleet = {
  about: () => about,
  status: () => ({ pools: [status], failed: [failed], elsewhere: ['far'] }),
  problems: () => [differs],
  orphans: () => ({ orphans: [orphan], problems: [lost] }),
  rows: () => rows,
  otherAgents: async () => others,
  placeOf: () => place,
  snapshotOf: ({ snapshot }) => snapshot && { format: 'any' },
  events: async () => [event],
  check() {},
  begun: async () => {},
  fault: () => fault,
  pause: async () => {},
  resume: async () => {},
  rollout: async () => {},
  adopt: async () => [],
  adoptOrphans: async () => ['w2'],
  launch: async () => 'intent',
  drain: async (ids) => [...ids],
  undrain: async () => [],
  terminate: async () => [],
  elsewhere: {
    ...nothingElsewhere,
    summaries: async () => [standbySummary('far', place)],
  },
}

const dir = mkdtempSync(join(tmpdir(), 'views-'))
let listener: LocalListener
let client: Client
beforeAll(async () => {
  listener = await listenLocally(join(dir, 'control.sock'), [controlHandler(fleet)], silentLogger)
  client = createLocalClient({ stateDir: dir, version: '1' })
})
afterAll(async () => {
  await listener.close()
  rmSync(dir, { recursive: true })
})

/** As it is after JSON. */
function sent(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value))
}

describe('the output of a provisioner', () => {
  it('is read by its clients as it was written', async () => {
    await fc.assert(
      fc.asyncProperty(statuses, shown, fc.boolean(), async (given, row, isLed) => {
        status = given
        rows = given.instances.map(({ id, pool, state, launchedAt }) => ({
          pool,
          instance: id,
          state,
          launchedAt,
          ...row,
        }))
        place = { provider: 'aws', leader: isLed ? leader : undefined }
        fault = isLed ? undefined : gone
        const pools = [
          ownSummary(given, place, fault),
          failedSummary(failed, place),
          standbySummary('far', place),
        ]
        const details = poolDetails(given, place, fleet.snapshotOf(given), fault)
        expect(await fleetStatus(client)).toStrictEqual(
          sent({ ...about, pools, orphans: 1, problems: [problemView(differs), problemView(lost)] }),
        )
        expect(await listOrphans(client)).toStrictEqual(sent(orphansView(fleet.orphans())))
        expect(await adoptOrphans(client)).toEqual(['w2'])
        expect(await poolStatus(client, given.pool)).toStrictEqual(sent(details))
        expect(await listInstances(client)).toStrictEqual(sent(instanceViews([given], rows)))
        const own = { pool: given.pool, agents: given.snapshot?.agents ?? [] }
        expect(await listAgents(client)).toStrictEqual(sent(agentViews([own], rows)))
        expect(await listEvents(client, {})).toStrictEqual([event])
        const ids = given.instances.map(({ id }) => id)
        if (ids.length > 0) expect(await drainInstances(client, ids)).toMatchObject({ ids })
      }),
      { numRuns: 60 },
    )
  })
})

describe('a pool that runs and is not led', () => {
  it('is unavailable for the reason that is known, with the age of its last decision', () => {
    const [given] = fc.sample(statuses, { numRuns: 1, seed: 1 })
    const ran = { ...given!, paused: false, at: 9_000, decidedAt: 2_000, problems: [lost] }
    const nobody = { provider: 'aws', leader: undefined }
    expect(ownSummary(ran, nobody, gone)).toMatchObject({
      ...{ state: 'unavailable', age: 7_000, blocked: [], live: ran.live },
      problems: [{ code: 'STATE_UNREACHABLE', remedy: gone.remedy }, { code: lost.code }],
    })
    expect(ownSummary(ran, nobody, undefined).problems[0]).toMatchObject({
      code: 'STATE_RIGHT_LOST',
      message: `this process does not lead pool ${ran.pool} at this moment`,
    })
    expect(ownSummary({ ...ran, blocked: [], problems: [] }, { ...nobody, leader }, gone).state).toBe('ok')
  })
})

const allocations: fc.Arbitrary<Allocation> = fc.record({
  id: fc.string(),
  task: fc.string(),
  name: fc.string(),
  pool: fc.string(),
  slots: fc.nat(),
  priority: fc.nat(),
  work: fc.oneof(
    fc.record({ kind: fc.constant('duration' as const), seconds: fc.nat() }),
    fc.record({
      kind: fc.constant('command' as const),
      argv: fc.array(fc.string()),
      env: fc.constantFrom<Record<string, string>[]>({}, { SECRET: 'no one else sees it' }),
      workingDirectory: fc.string(),
    }),
  ),
  state: fc.constantFrom('pending', 'running', 'ending', 'finished', 'failed', 'killed', 'lost'),
  reason: maybe(fc.string()),
  containers: fc.array(
    fc.record({
      id: fc.string(),
      agentId: fc.string(),
      state: fc.constantFrom('ASSIGNED', 'RUNNING', 'TERMINATED'),
      devices: fc.constantFrom([], [{ id: 3, brand: 'b', uuid: 'u', type: 'cuda' as const }]),
      description: fc.string(),
      failure: fc.constantFrom(null, {
        FailureType: 'container failed with non-zero exit code' as const,
        ErrMsg: 'exit 1',
        ExitCode: 1,
      }),
    }),
  ),
  submittedAt: moment,
  startedAt: maybe(moment),
  endedAt: maybe(moment),
})

const wrong = (issue?: { path: PropertyKey[] }) => new Error(issue?.path.join('.'))

describe('the output of the built-in master', () => {
  it('is read by its clients as it was written, without secrets', () => {
    fc.assert(
      fc.property(allocations, (allocation) => {
        const answer = sent({ job: workView(allocation) })
        checkView(oneJobSchema, answer, wrong)
        expect(answer).toStrictEqual(sent({ job: workView(allocation) }))
        expect(JSON.stringify(answer)).not.toContain('no one else')
      }),
    )
  })
})

describe('a client', () => {
  const counts = { live: 0, joined: 0, inFlight: 0, pending: 0, slots: 0, freeSlots: 0 }
  const limits = { minInstances: 0, maxInstances: 1 }
  const lists = { foreignWriters: [], blocked: [], problems: [] }
  const pool = { pool: 'p', provider: 'aws', state: 'ok', ...limits, ...counts, ...lists }
  const older = { version: '0', clusterId: 'c', demand: 'push', startedAt: 0, now, pools: [pool] }

  it('keeps fields that a newer server adds, at every depth', () => {
    const hold = { code: 'NEW', meaning: 'Yes.', numbers: {}, added: 1 }
    const newer = { ...older, added: 2, pools: [{ ...pool, added: 3, blocked: [hold] }] }
    const value: unknown = structuredClone(newer)
    checkView(statusSchema, value, wrong)
    expect(value).toStrictEqual(newer)
  })

  it('accepts that an older server lacks optional fields, but no others', () => {
    expect(() => checkView(statusSchema, older, wrong)).not.toThrow()
    const { joined, ...short } = pool
    const value = { ...older, pools: [short] }
    expect(() => checkView(statusSchema, value, wrong)).toThrow('pools.0.joined')
  })
})

it('a server that drops or renames a field does not compile', () => {
  const fields = { code: 'PAUSED', meaning: 'Held.', numbers: {}, allocations: undefined, problem: undefined }
  const whole: Written<ReasonView> = { ...fields, remedy: undefined }
  // @ts-expect-error `remedy` may be undefined but must be written
  const dropped: Written<ReasonView> = fields
  // @ts-expect-error `means` is not a field of the view
  const renamed: Written<ReasonView> = { ...whole, means: 'Held.' }
  // @ts-expect-error numbers are not strings
  const retyped: Written<ReasonView> = { ...whole, numbers: { instances: '2' } }
  const views: ReasonView[] = [
    whole,
    dropped,
    renamed,
    retyped,
    reasonView({ code: 'LONG_IDLE', numbers: {} }),
  ]
  expect(views).toHaveLength(5)
})

it('lists agents of pools without a provider, of all pools or of one', async () => {
  const agent = {
    id: 'a',
    slots: 2,
    freeSlots: 0,
    busy: true,
    connected: true,
    enabled: true,
    draining: false,
  }
  status = fc.sample(statuses, { numRuns: 1, seed: 1 })[0]!
  rows = []
  others = [{ pool: 'static', agents: [agent] }]
  const [found] = await listAgents(client, 'static')
  expect(found).toMatchObject({ id: 'a', pool: 'static', busy: true, managed: false })
  expect(await listAgents(client, 'static')).toHaveLength(1)
  expect((await listAgents(client)).filter(({ pool }) => pool === 'static')).toHaveLength(1)
  others = []
})
