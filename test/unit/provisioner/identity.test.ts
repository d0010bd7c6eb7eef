// The identity of a provisioner: stored, and never generated where instances could be forgotten because of that.
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { MasterConfig } from '../../../src/config/master-config.ts'
import { ProvisionError } from '../../../src/problems/index.ts'
import { labelOf } from '../../../src/providers/gcp/labels.ts'
import { builtInProviders as providers } from '../../../src/providers/index.ts'
import {
  ensureIdentity,
  type Identity,
  identityProblems,
  identityWarnings,
  knownClusterId,
  peekIdentity,
} from '../../../src/provisioner/identity.ts'
import { folderIdentity } from '../../../src/state/folder/identity-files.ts'
import { openJournalFile } from '../../../src/state/folder/journal-file.ts'
import type { StoredIdentity } from '../../../src/state/store.ts'
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
const stored = () => folderIdentity(state_dir)
const input = (config: MasterConfig) => ({ config, stored: stored(), providers })
const start = (config: MasterConfig, learned?: string) => ensureIdentity({ ...input(config), learned })
const peek = (config: MasterConfig) => peekIdentity(config, stored())
const known = (config: MasterConfig) => knownClusterId(config, stored())

function leave(name: string, text: string): void {
  mkdirSync(dirname(join(state_dir, name)), { recursive: true })
  writeFileSync(join(state_dir, name), text)
}

async function refusalOf(config: MasterConfig) {
  try {
    await start(config)
  } catch (error) {
    if (error instanceof ProvisionError) return error.problems[0]!
    throw error
  }
  throw new Error('it was started')
}

describe('two hosts that start for the first time at once, on one state', () => {
  /** The other host starts, and leaves a journal, after this one has found that the part is missing. */
  function interrupted(part: string, other: () => Promise<unknown>): StoredIdentity {
    const real = stored()
    let isDone = false
    return {
      ...real,
      async read(each) {
        const found = await real.read(each)
        if (each !== part || isDone) return found
        isDone = true
        await other()
        return found
      },
    }
  }

  it.each(['cluster-id', 'writer-id'])(
    'agree on both ids, whoever has written the %s first',
    async (part) => {
      const config = configOf(local)
      let other: Identity | undefined
      const input = { config, providers, learned: undefined }
      const between = async () => {
        other = await start(config)
        const owner = { cluster: other.clusterId, pool: 'here', writer: other.provisionerId }
        const file = join(state_dir, 'fleet/here.journal')
        mkdirSync(dirname(file), { recursive: true })
        await (await openJournalFile({ file, kind: 'fleet 1', now: 0, owner })).journal.close()
      }
      const mine = await ensureIdentity({ ...input, stored: interrupted(part, between) })
      expect([mine.clusterId, mine.provisionerId]).toEqual([other!.clusterId, other!.provisionerId])
      expect(mine.writerId).not.toBe(other!.writerId)
      for (const writer of [mine.provisionerId, other!.writerId, mine.writerId])
        expect(mine.ownWriters.has(writer)).toBe(true)
    },
  )
})

describe('the cluster', () => {
  it('stays the same over restarts', async () => {
    const config = configOf(local)
    const first = await start(config)
    expect(first.clusterId).toMatch(/^[0-9a-f-]{36}$/)
    expect((await start(config)).clusterId).toBe(first.clusterId)
    expect((await peek(config)).clusterId).toBe(first.clusterId)
    expect(statSync(join(state_dir, 'cluster-id')).mode & 0o777).toBe(0o600)
  })

  it('is that of the configuration, which overrides the stored one', async () => {
    leave('cluster-id', 'remembered\n')
    expect((await start(configOf(cloud, 'cluster_id: prod\n'))).clusterId).toBe('prod')
    expect((await start(configOf(cloud))).clusterId).toBe('remembered')
  })

  it("is the master's if it has one, and stays that", async () => {
    const config = configOf(cloud)
    expect(await known(config)).toBeUndefined()
    expect((await start(config, 'of-the-master')).clusterId).toBe('of-the-master')
    expect(await known(config)).toBe('of-the-master')
    expect((await start(config, 'of-another')).clusterId).toBe('of-the-master')
  })

  it('is not generated by a dry run', async () => {
    expect(await peek(configOf(local))).toMatchObject({
      clusterId: 'made-on-first-start',
      writerId: 'made-on-first-start',
    })
    expect(statSync(join(state_dir, 'cluster-id'), { throwIfNoEntry: false })).toBeUndefined()
  })

  it('is not generated for a pool in a cloud; the remedy contains the line to add', async () => {
    const config = configOf(cloud)
    const refusal = await refusalOf(config)
    expect(refusal).toMatchObject({ code: 'CLUSTER_ID_MISSING', severity: 'error' })
    expect(refusal.message).toContain('pool gpu')
    const [, file, line] = /^Add this line to (\S+): (cluster_id: \S+)$/.exec(refusal.remedy) ?? []
    expect(file).toBe(join(state_dir, 'master.yaml'))
    expect((await start(configOf(cloud, `${line}\n`))).clusterId).toMatch(/^[0-9a-f-]{36}$/)
    expect(statSync(join(state_dir, 'cluster-id'), { throwIfNoEntry: false })).toBeUndefined()
  })

  it('that is missing is an error on this machine, and a warning for a file that may be meant for another', async () => {
    const config = configOf(cloud)
    expect(await identityProblems(input(config))).toMatchObject([
      { code: 'CLUSTER_ID_MISSING', severity: 'error' },
    ])
    expect(await identityWarnings(input(config))).toMatchObject([
      { code: 'CLUSTER_ID_MISSING', severity: 'warning' },
    ])
    expect(await identityProblems(input(configOf(local)))).toEqual([])
    const beside = 'demand: {type: determined, url: https://m.test:8443, user: u, password_file: p}\n'
    expect(await identityProblems(input(configOf(cloud, beside)))).toEqual([])
  })

  it.each(['writer-id', 'incarnations', 'master.journal', 'fleet/GPU.journal'])(
    'is not generated again beside a %s',
    async (trace) => {
      leave(trace, trace === 'incarnations' ? '00c0ffee\n' : '1a40c97f-d2a3-44a4-a270-72f819bdce74\n')
      for (const text of [local, cloud]) {
        expect(await refusalOf(configOf(text))).toMatchObject({
          code: 'CLUSTER_ID_LOST',
          message: expect.stringContaining(join(state_dir, trace)),
          remedy: expect.stringContaining('cluster_id'),
        })
        expect(await identityWarnings(input(configOf(text)))).toMatchObject([{ code: 'CLUSTER_ID_LOST' }])
      }
      if (trace !== 'writer-id') leave('writer-id', '1a40c97f-d2a3-44a4-a270-72f819bdce74\n')
      expect((await start(configOf(cloud, 'cluster_id: prod\n'))).clusterId).toBe('prod')
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
  it.each(Object.entries(damages))('is not replaced when it is %s', async (_, damage) => {
    const config = configOf(local)
    await start(config)
    const file = join(state_dir, name)
    rmSync(file)
    damage(file)
    const before = statSync(file)
    const { code, message, remedy } = await refusalOf(config)
    expect(code).toBe('IDENTITY_UNUSABLE')
    expect(message).toContain(file)
    expect(remedy).toContain(`Restore ${file}`)
    expect(statSync(file)).toMatchObject({ ino: before.ino, size: before.size })
    expect(await identityProblems(input(config))).toMatchObject([{ code: 'IDENTITY_UNUSABLE' }])
    expect((await peek(config)).clusterId).toBeTruthy()
  })
})

describe('with a journal that names its owner', () => {
  const writer = '1a40c97f-d2a3-44a4-a270-72f819bdce74'
  beforeEach(async () => {
    const file = join(state_dir, 'fleet', 'GPU.journal')
    const { journal } = await openJournalFile({
      file,
      kind: 'fleet 1',
      now: 0,
      owner: { cluster: 'prod', writer },
    })
    await journal.close()
  })

  it('another cluster id is refused beside it, whatever the pools are called: instances would be orphaned', async () => {
    leave('writer-id', `${writer}\n`)
    const config = configOf(cloud, 'cluster_id: other\n')
    const refusal = await refusalOf(config)
    expect(refusal.code).toBe('STATE_FOREIGN')
    expect(refusal.remedy).toContain('cluster_id: prod')
    expect(await identityProblems(input(config))).toMatchObject([{ code: 'STATE_FOREIGN' }])
    expect((await start(configOf(cloud, 'cluster_id: prod\n'))).clusterId).toBe('prod')
  })

  it('one of another provisioner does not prevent the start', async () => {
    leave('writer-id', '11111111-2222-4333-8444-555555555555\n')
    expect((await start(configOf(cloud, 'cluster_id: other\n'))).clusterId).toBe('other')
  })

  it('a lost cluster id is reported', async () => {
    expect((await refusalOf(configOf(cloud))).remedy).toContain('cluster_id: prod')
  })

  it.each(['', undefined])('a lost writer id is never generated again, and is reported: %j', async (text) => {
    if (text !== undefined) leave('writer-id', text)
    const { code, remedy } = await refusalOf(configOf(cloud, 'cluster_id: prod\n'))
    expect(code).toBe('IDENTITY_UNUSABLE')
    const [, way = ''] = /write it again: (.*)\.$/.exec(remedy) ?? []
    execFileSync('sh', ['-c', way])
    expect((await start(configOf(cloud, 'cluster_id: prod\n'))).provisionerId).toBe(writer)
  })
})

describe('the writer', () => {
  it('has another name with each start, and knows all its names', async () => {
    const config = configOf(local)
    const first = await start(config)
    const second = await start(config)
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

  it('does not include the names with which a copy of its folder was started', async () => {
    const config = configOf(local)
    await start(config)
    const kept = readFileSync(join(state_dir, 'incarnations'))
    const copy = await start(config)
    writeFileSync(join(state_dir, 'incarnations'), kept)
    const original = await start(config)
    expect(original.ownWriters.has(copy.writerId)).toBe(false)
    expect(copy.ownWriters.has(original.writerId)).toBe(false)
  })

  it('includes every name that begins with its id where the state is shared', async () => {
    const config = configOf(local)
    const { provisionerId } = await start(config)
    const { ownWriters } = await ensureIdentity({
      config,
      stored: { ...stored(), isShared: true },
      providers,
    })
    expect(
      [`${provisionerId}-0a1b2c3d`, provisionerId, `${provisionerId}0`].map((name) => ownWriters.has(name)),
    ).toEqual([...[true, true, false]])
  })

  it('of a version without such names is still known', async () => {
    leave('cluster-id', 'c\n')
    leave('writer-id', '1a40c97f-d2a3-44a4-a270-72f819bdce74\n')
    const { ownWriters } = await start(configOf(cloud))
    expect(ownWriters.has('1a40c97f-d2a3-44a4-a270-72f819bdce74')).toBe(true)
  })
})
