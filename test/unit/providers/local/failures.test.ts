import { existsSync, rmSync, writeFileSync } from 'node:fs'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ProvisionError, problem } from '../../../../src/problems/index.ts'
import { localFailure } from '../../../../src/providers/local/instances.ts'
import { idleScript, type LocalPool, localPool } from '../../../support/local-pool.ts'

function errno(code: string, syscall = 'open'): NodeJS.ErrnoException {
  return Object.assign(new Error(`${code}: something`), { code, syscall, path: '/var/lib/x' })
}

describe('an error of this machine', () => {
  it.each([
    ['ENOSPC', 'capacity', 'LOCAL_MACHINE_FULL', 'the disk is full'],
    ['EDQUOT', 'capacity', 'LOCAL_MACHINE_FULL', 'quota'],
    ['EAGAIN', 'capacity', 'LOCAL_MACHINE_FULL', 'process limit'],
    ['ENOMEM', 'capacity', 'LOCAL_MACHINE_FULL', 'out of memory'],
    ['EMFILE', 'capacity', 'LOCAL_MACHINE_FULL', 'open files'],
    ['EACCES', 'config', 'LOCAL_NOT_PERMITTED', 'permission denied'],
    ['EPERM', 'config', 'LOCAL_NOT_PERMITTED', 'permission denied'],
    ['EROFS', 'config', 'LOCAL_NOT_PERMITTED', 'read-only'],
    ['ENOTDIR', 'config', 'LOCAL_NOT_PERMITTED', 'a file is where a folder is expected'],
    ['ELOOP', 'config', 'LOCAL_NOT_PERMITTED', 'a link is where'],
    ['EIO', 'transient', 'PROVIDER_TRANSIENT', 'EIO: something'],
  ])('is told in words: %s', (code, kind, problemCode, words) => {
    const failure = localFailure(errno(code), 'start local instance local-1')
    expect(failure).toMatchObject({ class: kind, problem: { code: problemCode, details: { errno: code } } })
    expect(failure.problem.message).toMatch(/^could not start local instance local-1: .* \(\/var\/lib\/x\)$/)
    expect(failure.problem.message).toContain(words)
  })

  it('distinguishes a missing bash from a missing file', () => {
    expect(localFailure(errno('ENOENT', 'spawn bash'), 'x').problem.code).toBe('LOCAL_NO_BASH')
    expect(localFailure(errno('ENOENT', 'open'), 'x').problem.code).toBe('PROVIDER_TRANSIENT')
  })

  it('that is a problem already stays unchanged', () => {
    const known = problem('PROVIDER_NOT_OURS', 'not ours')
    expect(localFailure(new ProvisionError(known), 'x').problem).toBe(known)
  })
})

describe('a launch that fails', () => {
  let pool: LocalPool
  beforeEach(() => {
    pool = localPool()
  })
  afterEach(() => pool.dispose())

  it('because bash is missing is reported, and leaves no folder behind', async () => {
    const provider = await pool.open({ env: { PATH: '/nonexistent' } })
    const order = pool.order(idleScript, 2)
    const { instances, failures } = await provider.launch(order)
    expect(instances).toEqual([])
    expect(failures).toMatchObject([{ class: 'config', missing: 2, problem: { code: 'LOCAL_NO_BASH' } }])
    expect(await provider.list()).toEqual({ instances: [], complete: true, problems: [] })
    // Once bash is installed, the same intent can still be fulfilled.
    expect((await (await pool.open()).launch(order)).instances).toHaveLength(2)
  })

  it('because its state folder is a file names the file', async () => {
    const file = `${pool.dir}/file`
    writeFileSync(file, '')
    await expect(pool.open({ stateDir: file })).rejects.toMatchObject({
      problems: [{ code: 'LOCAL_NOT_PERMITTED', message: expect.stringContaining(file) }],
    })
  })
})

describe('a missing pool folder', () => {
  it('makes the listing incomplete, and throws no exception', async () => {
    const pool = localPool()
    const provider = await pool.open()
    rmSync(pool.dir, { recursive: true })
    expect(await provider.list()).toMatchObject({
      instances: [],
      complete: false,
      problems: [{ severity: 'error' }],
    })
    await pool.dispose()
  })
})

describe('an unreadable record', () => {
  let pool: LocalPool
  beforeEach(() => {
    pool = localPool()
  })
  afterEach(() => pool.dispose())

  it.each(['', '{', '[]', 'null', '{"id":"x"}', '{"id":"x","tags":{},"launchedAt":1,"instanceType":"l"}'])(
    'is named, and the other VMs are still listed: %s',
    async (broken) => {
      const provider = await pool.open()
      const ids = (await provider.launch(pool.order(idleScript, 2))).instances.map((instance) => instance.id)
      const record = pool.record(ids[0]!)
      writeFileSync(pool.file(ids[0]!, 'vm.json'), broken)
      const listing = await provider.list()
      expect(listing.instances.map((instance) => instance.id)).toEqual([ids[1]])
      expect(listing).toMatchObject({ complete: false, problems: [{ code: 'LOCAL_RECORD_UNREADABLE' }] })
      expect(listing.problems[0]!.message).toContain(pool.file(ids[0]!, 'vm.json'))
      const result = await provider.terminate([ids[0]!])
      expect(result).toMatchObject({ terminated: [], failures: [{ id: ids[0] }] })
      expect(existsSync(`/proc/${record.process.pid}`) || process.platform !== 'linux').toBe(true)
      writeFileSync(pool.file(ids[0]!, 'vm.json'), JSON.stringify(record))
    },
  )

  it('does not prevent the others from being terminated when the provider closes', async () => {
    const provider = await pool.open()
    const ids = (await provider.launch(pool.order(idleScript, 2))).instances.map((instance) => instance.id)
    const record = pool.record(ids[0]!)
    writeFileSync(pool.file(ids[0]!, 'vm.json'), '{')
    await expect(provider.close()).rejects.toMatchObject({ code: 'LOCAL_RECORD_UNREADABLE' })
    expect(pool.record(ids[1]!).ended).toBeDefined()
    writeFileSync(pool.file(ids[0]!, 'vm.json'), JSON.stringify(record))
  })
})
