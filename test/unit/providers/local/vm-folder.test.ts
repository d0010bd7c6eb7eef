import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openPoolFolder } from '../../../../src/providers/local/instance-record.ts'
import { idleScript, type LocalPool, localPool } from '../../../support/local-pool.ts'

const id = 'local-0123abcd-1'
let dir: string
let elsewhere: string

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'folder-'))
  elsewhere = mkdtempSync(join(tmpdir(), 'elsewhere-'))
})
afterEach(() => {
  for (const each of [dir, elsewhere]) rmSync(each, { recursive: true, force: true })
})

const outside = expect.objectContaining({ code: 'LOCAL_OUTSIDE_ROOT' })

describe("the pool's folder", () => {
  it('is created for its user only, with its parent folders', () => {
    openPoolFolder(join(dir, 'a/b'))
    expect(lstatSync(join(dir, 'a/b')).mode & 0o777).toBe(0o700)
  })

  it('accepts only ids of local VMs, never a path', () => {
    const folder = openPoolFolder(dir)
    for (const bad of ['..', '../x', 'local-0123abcd-1/..', '/etc', '', 'local-0123abcd-01', `${id}\n`])
      expect(() => folder.root(bad), bad).toThrow(outside)
  })

  it("does not write through a link in place of a VM's folder", () => {
    symlinkSync(elsewhere, join(dir, id))
    const folder = openPoolFolder(dir)
    for (const act of [() => folder.create(id, 'x'), () => folder.strip(id), () => folder.remove(id)])
      expect(act).toThrow(outside)
    expect(readdirSync(elsewhere)).toEqual([])
  })

  it('does not write through a dangling link', () => {
    symlinkSync(join(elsewhere, 'nothing'), join(dir, id))
    expect(() => openPoolFolder(dir).create(id, 'x')).toThrow(outside)
    expect(readdirSync(elsewhere)).toEqual([])
  })

  it("does not write through a link in place of a VM's console", () => {
    const folder = openPoolFolder(dir)
    folder.create(id, 'x')
    writeFileSync(join(elsewhere, 'file'), 'precious')
    symlinkSync(join(elsewhere, 'file'), join(dir, id, 'console.log'))
    expect(() => folder.openConsole(id)).toThrow('ELOOP')
  })

  it('is rejected when it is moved elsewhere while it is in use', () => {
    const folder = openPoolFolder(join(dir, 'pool'))
    rmSync(join(dir, 'pool'), { recursive: true })
    symlinkSync(elsewhere, join(dir, 'pool'))
    expect(() => folder.create(id, 'x')).toThrow(outside)
    expect(readdirSync(elsewhere)).toEqual([])
  })

  it('may itself be a link that the user created', () => {
    symlinkSync(elsewhere, join(dir, 'pool'))
    openPoolFolder(join(dir, 'pool')).create(id, 'x')
    expect(existsSync(join(elsewhere, id, 'script'))).toBe(true)
  })

  it('does not change folders that are not VMs', () => {
    mkdirSync(join(dir, 'notes'))
    expect(openPoolFolder(dir).ids()).toEqual([])
  })
})

describe('removing', () => {
  it('removes the links inside a VM, not their targets', () => {
    const folder = openPoolFolder(dir)
    folder.create(id, 'x')
    writeFileSync(join(elsewhere, 'file'), 'precious')
    symlinkSync(elsewhere, join(dir, id, 'etc'))
    folder.strip(id)
    expect(existsSync(join(dir, id, 'etc'))).toBe(false)
    folder.remove(id)
    expect(existsSync(join(elsewhere, 'file'))).toBe(true)
  })
})

describe("a link in place of a VM's folder", () => {
  let pool: LocalPool
  beforeEach(() => {
    pool = localPool()
  })
  afterEach(() => pool.dispose())

  it('stops the launch, and makes the listing incomplete', async () => {
    const provider = await pool.open()
    const order = pool.order(idleScript)
    const known = (await provider.launch(order)).instances[0]!.id
    await provider.close()
    rmSync(pool.root(known), { recursive: true })
    symlinkSync(elsewhere, pool.root(known))
    const { instances, failures } = await provider.launch(order)
    expect(instances).toEqual([])
    expect(failures).toMatchObject([{ class: 'config', missing: 1, problem: { code: 'LOCAL_OUTSIDE_ROOT' } }])
    expect(await provider.list()).toMatchObject({
      complete: false,
      problems: [{ code: 'LOCAL_OUTSIDE_ROOT' }],
    })
    expect(readdirSync(elsewhere)).toEqual([])
  })
})
