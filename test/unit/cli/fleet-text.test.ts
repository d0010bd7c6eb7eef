import { describe, expect, it } from 'vitest'
import { agentLines, instanceLines, listNotes, liveView, statusLines } from '../../../src/cli/fleet-text.ts'
import type { AgentView } from '../../../src/http/agent-view.ts'
import type { FleetRow } from '../../../src/http/fleet-control.ts'
import type { InstanceView } from '../../../src/http/instance-view.ts'
import type { FleetStatus, PoolOverview } from '../../../src/http/pool-view.ts'

const ok: PoolOverview = {
  pool: 'default',
  provider: 'aws',
  state: 'ok',
  minInstances: 0,
  maxInstances: 8,
  live: 2,
  joined: 1,
  inFlight: 1,
  pending: 3,
  slots: 8,
  freeSlots: 4,
  foreignWriters: [],
  blocked: [],
  problems: [],
}

function statusOf(...pools: PoolOverview[]): FleetStatus {
  return { version: '1.2.3', clusterId: 'c', demand: 'push', startedAt: 0, now: 65_000, pools }
}

describe('the status', () => {
  it('is a row for each pool', async () => {
    expect(await statusLines(statusOf(ok))).toMatchInlineSnapshot(`
      [
        "provisioner 1.2.3, cluster c, demand push, up 65s",
        "",
        "POOL     PROVIDER  STATE  INSTANCES  JOINED  MIN  MAX  WAITING  FREE SLOTS",
        "default  aws       ok     2+1        1       0    8    3        4 of 8",
      ]
    `)
  })

  it('names the leaders where other provisioners lead pools, too', async () => {
    const leader = { host: 'host-b', pid: 7, writerId: 'w', epoch: 3, since: 0, self: false }
    const standby: PoolOverview = { pool: 'cpu', provider: 'aws', state: 'standby', problems: [] }
    const here = { ...ok, pool: 'gpu', leader: { ...leader, host: 'host-a', self: true } }
    expect(
      (await statusLines(statusOf(here, { ...ok, leader, age: 900 }, standby))).slice(2),
    ).toMatchInlineSnapshot(`
      [
        "POOL     PROVIDER  STATE    INSTANCES  JOINED  MIN  MAX  WAITING  FREE SLOTS  LEADER",
        "gpu      aws       ok       2+1        1       0    8    3        4 of 8      this one",
        "default  aws       ok       2+1        1       0    8    3        4 of 8      host-b",
        "cpu      aws       standby  -          -       -    -    -        -           none",
      ]
    `)
    expect((await statusLines(statusOf(here)))[2]).not.toContain('LEADER')
  })

  it('shows how old the figures are of what nobody can lead, and why once', async () => {
    const gone = {
      code: 'STATE_UNREACHABLE',
      severity: 'error',
      message: 'db:5432: no answer',
      remedy: 'Start it.',
    } as const
    const known: PoolOverview = { ...ok, state: 'unavailable', age: 65_000, problems: [gone] }
    const unknown: PoolOverview = { pool: 'cpu', provider: 'aws', state: 'standby', problems: [gone] }
    expect(
      (await statusLines({ ...statusOf(known, unknown), problems: [gone] })).slice(2),
    ).toMatchInlineSnapshot(`
      [
        "POOL     PROVIDER  STATE             INSTANCES  JOINED  MIN  MAX  WAITING  FREE SLOTS  LEADER",
        "default  aws       unavailable, 65s  2+1        1       0    8    3        4 of 8      none",
        "cpu      aws       standby           -          -       -    -    -        -           none",
        "",
        "STATE_UNREACHABLE db:5432: no answer",
        "  Start it.",
      ]
    `)
    expect(await statusLines(statusOf(unknown))).toContain('cpu: STATE_UNREACHABLE db:5432: no answer')
  })

  it('says of a standby that it is one, and who serves; so do lists', async () => {
    const leader = { host: 'host-b', pid: 7, writerId: 'w', epoch: 3, since: 0, self: false }
    const serves = 'this provisioner stands by; the one on host-b (process 7) serves'
    expect((await statusLines({ ...statusOf(ok), standby: { leader } }))[1]).toBe(serves)
    expect((await statusLines({ ...statusOf(ok), standby: {} }))[1]).toBe(
      'this provisioner stands by; nobody serves',
    )
    const old = { code: 'STATE_UNREACHABLE', message: 'no answer', remedy: 'Start it.' }
    expect(listNotes({ standby: { leader }, problems: [old] })).toEqual([
      ...['', serves, 'STATE_UNREACHABLE no answer', '  Start it.'],
    ])
    expect(listNotes({})).toEqual([])
  })

  it('lists below the rows what blocks a pool, its cause and its remedy, each once', async () => {
    const problem = {
      code: 'PREFLIGHT_REFUSED',
      severity: 'error',
      message: 'nothing listens',
      remedy: 'Start it.',
    } as const
    const held: PoolOverview = {
      ...ok,
      state: 'blocked',
      blocked: [
        { code: 'LAUNCH_NOT_READY', meaning: 'No VM could join.', remedy: 'Read on.', numbers: {}, problem },
        {
          code: 'MAX_REACHED',
          meaning: 'More are needed.',
          remedy: 'Raise it.',
          numbers: { instances: 2, retryAt: 1e12 },
        },
      ],
      problems: [problem, { ...problem, code: 'PROVIDER_CAPACITY', message: 'none left', remedy: 'Wait.' }],
    }
    expect((await statusLines(statusOf(held))).slice(4)).toEqual([
      '',
      'default: blocked: LAUNCH_NOT_READY No VM could join. PREFLIGHT_REFUSED nothing listens',
      '  Start it.',
      'default: blocked: MAX_REACHED More are needed. (instances 2)',
      '  Raise it.',
      'default: PROVIDER_CAPACITY none left',
      '  Wait.',
    ])
  })

  it('reports a reason and its problem of the same code once', async () => {
    const code = 'JOURNAL_FAILING'
    const problem = { code, severity: 'error', message: 'no space left', remedy: 'Make room.' } as const
    const hold = { code, meaning: 'It cannot be written.', remedy: 'Read on.', numbers: {}, problem }
    expect((await statusLines(statusOf({ ...ok, state: 'blocked', blocked: [hold] }))).slice(5)).toEqual([
      'default: blocked: JOURNAL_FAILING no space left',
      '  Make room.',
    ])
  })

  it('shows a pool that could not be started among the others', async () => {
    const problem = {
      code: 'AWS_X',
      severity: 'error',
      message: 'no credentials',
      remedy: 'Give some.',
    } as const
    const failed: PoolOverview = { pool: 'gpu', provider: 'aws', state: 'failed', problems: [problem] }
    const lines = await statusLines(statusOf(ok, failed))
    expect(lines[4]).toBe('gpu      aws       failed  -          -       -    -    -        -')
    expect(lines.slice(6)).toEqual(['gpu: AWS_X no credentials', '  Give some.'])
  })
})

const vm: InstanceView = {
  id: 'i-1',
  pool: 'default',
  state: 'running',
  instanceType: 'g5.xlarge',
  zone: 'subnet-1',
  capacityType: 'on_demand',
  launchedAt: 0,
  agent: 'joined',
  slots: 1,
  busy: false,
}

describe('VMs', () => {
  it('are rows with the action in progress', async () => {
    const rows = [
      { ...vm, drifted: ['TLS_ROOT', 'image'] },
      { ...vm, id: 'i-2', agent: 'waiting', slots: undefined, zone: '', doing: 'ordered' },
      {
        ...vm,
        id: 'i-3',
        capacityType: 'spot',
        doing: 'ending',
        stateReason: 'Server.SpotInstanceTermination',
      },
    ] as InstanceView[]
    expect(await instanceLines(rows, 60_000)).toMatchInlineSnapshot(`
      [
        "POOL     INSTANCE  STATE    AGENT    SLOTS  TYPE       ZONE      CAPACITY   AGE  DRIFTED          NOTE",
        "default  i-1       running  joined   1      g5.xlarge  subnet-1  on-demand  60s  TLS_ROOT, image",
        "default  i-2       running  waiting  -      g5.xlarge  -         on-demand  60s  -                to be removed",
        "default  i-3       running  -        1      g5.xlarge  subnet-1  spot       60s  -                terminating; Server.SpotInstanceTermination",
      ]
    `)
  })

  it('may be none', async () => {
    expect(await instanceLines([], 0)).toEqual(['no instances'])
    expect(await agentLines([], 0)).toEqual(['no agents'])
  })
})

describe('agents', () => {
  it('are rows with their jobs and their owner', async () => {
    const agent: AgentView = {
      id: 'i-1',
      pool: 'default',
      state: 'joined',
      slots: 4,
      freeSlots: 1,
      busy: true,
      enabled: true,
      draining: false,
      managed: true,
      tlsVersion: 'TLSv1.3',
      certificateName: 'master.test',
    }
    const idle = {
      ...agent,
      id: 'i-2',
      busy: false,
      freeSlots: 4,
      idleSince: 0,
      draining: true,
      enabled: false,
    }
    const guest = {
      ...agent,
      id: 'g',
      managed: false,
      enabled: false,
      tlsVersion: undefined,
      certificateName: undefined,
    }
    expect(await agentLines([agent, idle, guest], 30_000)).toMatchInlineSnapshot(`
      [
        "POOL     AGENT  STATE   FREE SLOTS  ACTIVITY  TLS      CERTIFICATE NAME  NOTE",
        "default  i-1    joined  1 of 4      busy      TLSv1.3  master.test",
        "default  i-2    joined  4 of 4      idle 30s  TLSv1.3  master.test       draining",
        "default  g      joined  1 of 4      busy      -        -                 disabled; not on an instance of this provisioner",
      ]
    `)
  })
})

const joined: FleetRow = {
  pool: 'default',
  instance: 'local-1f2e3d4c-0',
  local: true,
  state: 'running',
  agent: 'joined',
  slots: 1,
  tlsVersion: 'TLSv1.3',
  certificateName: 'master.local.example',
  launchedAt: 1000,
}

const ascii = (text: string) => text.length

describe('the live table', () => {
  it('shows pool, instance, state, agent, TLS version and certificate name', () => {
    const { slots, tlsVersion, certificateName, ...unknown } = joined
    const booting: FleetRow = {
      ...unknown,
      pool: 'gpu',
      instance: 'i-1',
      state: 'starting',
      agent: 'waiting',
    }
    expect(liveView([joined, booting], 46_000, ascii)).toMatchInlineSnapshot(`
      [
        "POOL     INSTANCE          STATE     AGENT    SLOTS  TLS      CERTIFICATE NAME      AGE",
        "default  local-1f2e3d4c-0  running   joined   1      TLSv1.3  master.local.example  45s",
        "gpu      i-1               starting  waiting  -      -        -                     45s",
      ]
    `)
  })

  it('shows that there are no instances yet', () => {
    expect(liveView([], 0, ascii)).toEqual(['(no instances yet)'])
  })

  it.each([
    [-5_000, '0s'],
    [119_000, '119s'],
    [120_000, '2m'],
    [7_200_000, '2h'],
    [200_000_000, '2d'],
  ])('writes an age of %i ms as %s', (ms, text) => {
    expect(liveView([{ ...joined, launchedAt: 0 }], ms, ascii)[1]).toMatch(new RegExp(` ${text}$`))
  })
})
