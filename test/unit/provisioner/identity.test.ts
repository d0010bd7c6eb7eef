// Who a provisioner is: remembered, never invented where something could be forgotten by that.
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { MasterConfig } from '../../../src/config/master-config.ts'
import { openJournal } from '../../../src/platform/journal.ts'
import { ProvisionError } from '../../../src/problems/index.ts'
import { labelOf } from '../../../src/providers/gcp/labels.ts'
import { builtInProviders as providers } from '../../../src/providers/index.ts'
import {
  ensureIdentity,
  identityProblems,
  identityWarnings,
  knownClusterId,
  peekIdentity,
} from '../../../src/provisioner/identity.ts'
import { parseConfig } from '../../support/config.ts'

let state_dir: string
beforeEach(() => {
  state_dir = mkdtempSync(join(tmpdir(), 'identity-'))
})
afterEach(() => rmSync(state_dir, { recursive: true, force: true }))

const local = 'resource_pools: [{pool_name: here, provider: {type: local}}]'
const cloud = `resource_pools:
  - {pool_name: here, provider: {type: local}}
  - pool_name: gpu
    provider: {type: gcp, project: p, zone: us-central1-a, boot_disk_source_image: projects/x/global/images/y, master_url: 'https://m.test:8443'}
`

function configOf(text: string, more = ''): MasterConfig {
  const file = join(state_dir, 'master.yaml')
  const { config, problems } = parseConfig(`state_dir: ${state_dir}\n${more}${text}`, file)
  if (!config) throw new Error(JSON.stringify(problems))
  return config
}
const start = (config: MasterConfig, learned?: string) => ensureIdentity(config, { providers, learned })

function leave(name: string, text: string): void {
  mkdirSync(dirname(join(state_dir, name)), { recursive: true })
  writeFileSync(join(state_dir, name), text)
}

function refusalOf(config: MasterConfig) {
  try {
    start(config)
  } catch (error) {
    if (error instanceof ProvisionError) return error.problems[0]!
    throw error
  }
  throw new Error('it was started')
}

describe('the cluster', () => {
  it('stays the same over restarts', () => {
    const config = configOf(local)
    const first = start(config)
    expect(first.clusterId).toMatch(/^[0-9a-f-]{36}$/)
    expect(start(config).clusterId).toBe(first.clusterId)
    expect(peekIdentity(config).clusterId).toBe(first.clusterId)
    expect(statSync(join(state_dir, 'cluster-id')).mode & 0o777).toBe(0o600)
  })

  it('is that of the configuration, before what is remembered', () => {
    leave('cluster-id', 'remembered\n')
    expect(start(configOf(cloud, 'cluster_id: prod\n')).clusterId).toBe('prod')
    expect(start(configOf(cloud)).clusterId).toBe('remembered')
  })

  it("is the master's where it has one, and stays that", () => {
    const config = configOf(cloud)
    expect(knownClusterId(config)).toBeUndefined()
    expect(start(config, 'of-the-master').clusterId).toBe('of-the-master')
    expect(knownClusterId(config)).toBe('of-the-master')
    expect(start(config, 'of-another').clusterId).toBe('of-the-master')
  })

  it('is not made by a dry run', () => {
    expect(peekIdentity(configOf(local))).toMatchObject({
      clusterId: 'made-on-first-start',
      writerId: 'made-on-first-start',
    })
    expect(statSync(join(state_dir, 'cluster-id'), { throwIfNoEntry: false })).toBeUndefined()
  })

  it('is not made for a pool in a cloud; the line to add is given', () => {
    const config = configOf(cloud)
    const refusal = refusalOf(config)
    expect(refusal).toMatchObject({ code: 'CLUSTER_ID_MISSING', severity: 'error' })
    expect(refusal.message).toContain('pool gpu')
    const [, file, line] = /^Add this line to (\S+): (cluster_id: \S+)$/.exec(refusal.remedy) ?? []
    expect(file).toBe(join(state_dir, 'master.yaml'))
    expect(start(configOf(cloud, `${line}\n`)).clusterId).toMatch(/^[0-9a-f-]{36}$/)
    expect(statSync(join(state_dir, 'cluster-id'), { throwIfNoEntry: false })).toBeUndefined()
  })

  it('that is missing is an error on this machine, and a warning for a file that may be meant for another', () => {
    const config = configOf(cloud)
    expect(identityProblems(config, providers)).toMatchObject([
      { code: 'CLUSTER_ID_MISSING', severity: 'error' },
    ])
    expect(identityWarnings(config, providers)).toMatchObject([
      { code: 'CLUSTER_ID_MISSING', severity: 'warning' },
    ])
    expect(identityProblems(configOf(local), providers)).toEqual([])
    const beside = 'demand: {type: determined, url: https://m.test:8443, user: u, password_file: p}\n'
    expect(identityProblems(configOf(cloud, beside), providers)).toEqual([])
  })

  it.each(['writer-id', 'incarnations', 'master.journal', 'fleet/GPU.journal'])(
    'is not made anew beside a %s',
    (trace) => {
      leave(trace, trace === 'incarnations' ? '00c0ffee\n' : '1a40c97f-d2a3-44a4-a270-72f819bdce74\n')
      for (const text of [local, cloud]) {
        expect(refusalOf(configOf(text))).toMatchObject({
          code: 'CLUSTER_ID_LOST',
          message: expect.stringContaining(join(state_dir, trace)),
          remedy: expect.stringContaining('cluster_id'),
        })
        expect(identityWarnings(configOf(text), providers)).toMatchObject([{ code: 'CLUSTER_ID_LOST' }])
      }
      if (trace !== 'writer-id') leave('writer-id', '1a40c97f-d2a3-44a4-a270-72f819bdce74\n')
      expect(start(configOf(cloud, 'cluster_id: prod\n')).clusterId).toBe('prod')
    },
  )
})

const damages: Record<string, (file: string) => void> = {
  empty: (file) => writeFileSync(file, ''),
  blank: (file) => writeFileSync(file, ' \n'),
  garbage: (file) => writeFileSync(file, Buffer.from([0, 255, 7, 10])),
  'two lines that are no ids': (file) => writeFileSync(file, 'Not An Id\n# edited\n'),
  'a folder': (file) => mkdirSync(file),
  'a FIFO': (file) => execFileSync('mkfifo', [file]),
}

describe.each(['cluster-id', 'writer-id', 'incarnations'])('the file %s', (name) => {
  it.each(Object.entries(damages))('is not replaced when it is %s', (_, damage) => {
    const config = configOf(local)
    start(config)
    const file = join(state_dir, name)
    rmSync(file)
    damage(file)
    const before = statSync(file)
    const { code, message, remedy } = refusalOf(config)
    expect(code).toBe('IDENTITY_UNUSABLE')
    expect(message).toContain(file)
    expect(remedy).toContain(`Restore ${file}`)
    expect(statSync(file)).toMatchObject({ ino: before.ino, size: before.size })
    expect(identityProblems(config, providers)).toMatchObject([{ code: 'IDENTITY_UNUSABLE' }])
    expect(peekIdentity(config).clusterId).toBeTruthy()
  })
})

describe('with a journal that names its owner', () => {
  const writer = '1a40c97f-d2a3-44a4-a270-72f819bdce74'
  beforeEach(async () => {
    const file = join(state_dir, 'fleet', 'GPU.journal')
    const { journal } = await openJournal({
      file,
      kind: 'fleet 1',
      now: 0,
      owner: { cluster: 'prod', writer },
    })
    await journal.close()
  })

  it('another cluster id is refused beside it, whatever the pools are called: instances would be orphaned', () => {
    leave('writer-id', `${writer}\n`)
    const config = configOf(cloud, 'cluster_id: other\n')
    const refusal = refusalOf(config)
    expect(refusal.code).toBe('STATE_FOREIGN')
    expect(refusal.remedy).toContain('cluster_id: prod')
    expect(identityProblems(config, providers)).toMatchObject([{ code: 'STATE_FOREIGN' }])
    expect(start(configOf(cloud, 'cluster_id: prod\n')).clusterId).toBe('prod')
  })

  it('one of another provisioner does not keep this one from starting', () => {
    leave('writer-id', '11111111-2222-4333-8444-555555555555\n')
    expect(start(configOf(cloud, 'cluster_id: other\n')).clusterId).toBe('other')
  })

  it('a lost cluster id is named', () => {
    expect(refusalOf(configOf(cloud)).remedy).toContain('cluster_id: prod')
  })

  it.each(['', undefined])('a lost writer id is never made anew, and is named: %j', (text) => {
    if (text !== undefined) leave('writer-id', text)
    const { code, remedy } = refusalOf(configOf(cloud, 'cluster_id: prod\n'))
    expect(code).toBe('IDENTITY_UNUSABLE')
    const [, way = ''] = /write it again: (.*)\.$/.exec(remedy) ?? []
    execFileSync('sh', ['-c', way])
    expect(start(configOf(cloud, 'cluster_id: prod\n')).provisionerId).toBe(writer)
  })
})

describe('the writer', () => {
  it('has another name with each start, and knows all its names', () => {
    const config = configOf(local)
    const first = start(config)
    const second = start(config)
    const id = readFileSync(join(state_dir, 'writer-id'), 'utf8').trim()
    for (const { writerId } of [first, second]) {
      expect(writerId).toMatch(new RegExp(`^${id}-[0-9a-f]{8}$`))
      // A label on Compute Engine can have 63 characters.
      expect(writerId).toHaveLength(45)
      expect(labelOf(writerId)).toBe(writerId)
    }
    expect(second.writerId).not.toBe(first.writerId)
    expect(second.ownWriters).toEqual(new Set([id, first.writerId, second.writerId]))
    expect(readFileSync(join(state_dir, 'incarnations'), 'utf8').split('\n')).toHaveLength(3)
  })

  it('does not know the names that a copy of its folder was started with', () => {
    const config = configOf(local)
    start(config)
    const kept = readFileSync(join(state_dir, 'incarnations'))
    const copy = start(config)
    writeFileSync(join(state_dir, 'incarnations'), kept)
    const original = start(config)
    expect(original.ownWriters.has(copy.writerId)).toBe(false)
    expect(copy.ownWriters.has(original.writerId)).toBe(false)
  })

  it('of a version that had no such names is still known', () => {
    leave('cluster-id', 'c\n')
    leave('writer-id', '1a40c97f-d2a3-44a4-a270-72f819bdce74\n')
    const { ownWriters } = start(configOf(cloud))
    expect(ownWriters.has('1a40c97f-d2a3-44a4-a270-72f819bdce74')).toBe(true)
  })
})
