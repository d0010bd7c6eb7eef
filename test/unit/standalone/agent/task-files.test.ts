import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createLogShipper } from '../../../../src/standalone/agent/log-shipper.ts'
import { readTask, type Send, writeTask } from '../../../../src/standalone/agent/task.ts'
import { placeFiles, workFolder } from '../../../../src/standalone/agent/task-environment.ts'
import { fileType } from '../../../../src/standalone/protocol/container.ts'

let dir: string
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'task-'))
})
afterEach(() => rmSync(dir, { recursive: true }))

const file = (path: string, content: string, mode = 0o644) => ({
  path,
  type: fileType.file as number,
  content: Buffer.from(content).toString('base64'),
  mode,
  mtime: 0,
  uid: 0,
  gid: 0,
})

describe("a task's files", () => {
  it('are inside its own folder, with their modes', () => {
    const Archive = [
      { ...file('etc/', ''), type: fileType.directory },
      file('etc/a.sh', 'echo', 0o755),
      file('/b', 'b', 0o600),
    ]
    const placed = placeFiles([{ Path: '/run/x', Archive }], dir)
    expect(readFileSync(join(dir, 'run/x/etc/a.sh'), 'utf8')).toBe('echo')
    expect(lstatSync(join(dir, 'run/x/etc/a.sh')).mode & 0o777).toBe(0o755)
    expect(lstatSync(join(dir, 'run/x/b')).mode & 0o777).toBe(0o600)
    expect(placed.get('/run/x/b')).toBe(join(dir, 'run/x/b'))
  })

  it.each(['../../../../etc/passwd', '/../../x', 'a/../../../../y'])(
    'are never outside of it: %s',
    (path) => {
      placeFiles([{ Path: '/', Archive: [file(path, 'x')] }], join(dir, 'root'))
      expect(readdirSync(dir)).toEqual(['root'])
    },
  )
})

describe("an agent's work folder", () => {
  it('is inside the root of a local VM, one for each agent', () => {
    const [one, two] = ['a', 'b'].map((id) => workFolder(id, { PROVISION_ROOT: dir }).path)
    expect(one).toMatch(new RegExp(`^${dir}/var/lib/determined-agent/[0-9a-f]{12}$`))
    expect(one).not.toBe(two)
  })

  it('is created only for the first task', () => {
    const folder = workFolder('a', { PROVISION_ROOT: dir })
    expect(folder.ids()).toEqual([])
    expect(readdirSync(dir)).toEqual([])
    folder.make('c-1')
    expect(folder.ids()).toEqual(['c-1'])
    expect(lstatSync(folder.path).mode & 0o777).toBe(0o700)
  })

  it.each(['..', '../x', '.hidden', '', 'a/b', 'x'.repeat(200)])('takes no id that is a path: %s', (id) => {
    expect(() => workFolder('a', { PROVISION_ROOT: dir }).make(id)).toThrow(
      expect.objectContaining({ code: 'AGENT_WORK_FOLDER' }),
    )
  })

  it('is not used if it is a link, which another user may have created', () => {
    const folder = workFolder('a', { PROVISION_ROOT: dir })
    mkdirSync(join(dir, 'var/lib/determined-agent'), { recursive: true })
    mkdirSync(join(dir, 'elsewhere'))
    symlinkSync(join(dir, 'elsewhere'), folder.path)
    expect(() => folder.make('c-1')).toThrow(expect.objectContaining({ code: 'AGENT_WORK_FOLDER' }))
    expect(folder.ids()).toEqual([])
  })
})

describe('the record of a task', () => {
  it('is read as written, and ignored if it is damaged', () => {
    const container = { id: 'c', state: 'ASSIGNED', devices: [], description: '' } as const
    const record = {
      container: { ...container, devices: [] },
      clusterId: 'x',
      process: { pid: 1, start: 's' },
    }
    writeTask(dir, record)
    expect(readTask(dir)).toEqual(record)
    for (const broken of ['', '{', 'null', '{}', '{"process":{"pid":"1"}}']) {
      writeFileSync(join(dir, 'task.json'), broken)
      expect(readTask(dir)).toBeUndefined()
    }
    expect(readTask(join(dir, 'nothing'))).toBeUndefined()
  })
})

describe('shipping logs', () => {
  let lines: string[]
  let open: boolean
  const send: Send = (message) => {
    const { Value, StdType } = message.ContainerLog!.RunMessage!
    if (open) lines.push(`${StdType} ${Value}`)
    return open
  }

  beforeEach(() => {
    lines = []
    open = true
    print('stdout', '')
    print('stderr', '')
  })

  function print(name: string, text: string | Buffer): void {
    writeFileSync(join(dir, name), text, { flag: 'a' })
  }
  const shipper = () => createLogShipper('c-1', dir, () => 0)

  it('sends each complete line once, with its stream', () => {
    const logs = shipper()
    print('stdout', 'one\ntwo\nthr')
    print('stderr', 'oops\n')
    expect(logs.ship(send, false)).toBe(false)
    expect(lines).toEqual(['1 one\n', '1 two\n', '2 oops\n'])
    print('stdout', 'ee\n')
    expect(logs.ship(send, false)).toBe(true)
    expect(lines.slice(3)).toEqual(['1 three\n'])
    expect(logs.ship(send, false)).toBe(true)
    expect(lines).toHaveLength(4)
  })

  it('sends an unfinished last line after the end of the task', () => {
    const logs = shipper()
    print('stdout', 'last words')
    expect(logs.ship(send, true)).toBe(true)
    expect(lines).toEqual(['1 last words'])
  })

  it('resumes at its position after a lost connection, or with another agent', () => {
    open = false
    print('stdout', 'one\ntwo\n')
    expect(shipper().ship(send, false)).toBe(false)
    open = true
    expect(shipper().ship(send, false)).toBe(true)
    print('stdout', 'three\n')
    shipper().ship(send, false)
    expect(lines).toEqual(['1 one\n', '1 two\n', '1 three\n'])
  })

  it('numbers each line by the bytes up to its end, and resumes where the master says', () => {
    const positions: (number | undefined)[] = []
    const count: Send = (message) => {
      positions.push(message.ContainerLog!.Position)
      return send(message)
    }
    print('stdout', 'one\ntwö\nthree\n')
    print('stderr', 'oops\n')
    const logs = shipper()
    logs.ship(count, false)
    expect([positions, logs.isSent()]).toEqual([[4, 9, 15, 5], true])
    logs.resumeAfter({ Stdout: 4, Stderr: 5 })
    expect(logs.isSent()).toBe(false)
    const next = shipper()
    next.ship(count, false)
    expect(positions.slice(4)).toEqual([9, 15])
    expect(lines.slice(4)).toEqual(['1 twö\n', '1 three\n'])
    next.resumeAfter({ Stdout: 15, Stderr: 5 })
    expect(shipper().isSent()).toBe(true)
  })

  it('cuts an endless line between characters', () => {
    const logs = shipper()
    const text = 'ä€𝄞'.repeat(4000)
    print('stdout', text)
    expect(logs.ship(send, true)).toBe(true)
    expect(lines.length).toBeGreaterThan(1)
    expect(lines.map((line) => line.slice(2)).join('')).toBe(text)
    expect(Math.max(...lines.map((line) => Buffer.byteLength(line)))).toBeLessThanOrEqual(16 * 1024 + 2)
  })

  it('sends invalid UTF-8 with replacement characters, and all of it', () => {
    print('stdout', Buffer.alloc(40_000, 0x80))
    expect(shipper().ship(send, true)).toBe(true)
    expect(existsSync(join(dir, 'sent.json'))).toBe(true)
    expect(JSON.parse(readFileSync(join(dir, 'sent.json'), 'utf8'))).toEqual({ stdout: 40_000, stderr: 0 })
  })

  it('limits the amount per call', () => {
    print('stdout', `${'x'.repeat(99)}\n`.repeat(10_000))
    const logs = shipper()
    expect(logs.ship(send, false)).toBe(false)
    expect(lines.length).toBeLessThan(3000)
    for (let rounds = 0; rounds < 10 && lines.length < 10_000; rounds++) logs.ship(send, false)
    expect(lines).toHaveLength(10_000)
  })
})
