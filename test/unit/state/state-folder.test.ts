// The state folder: no other user can change it, and it is given up only to a process that has taken it over.
import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  lchownSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ProvisionError } from '../../../src/problems/index.ts'
import { holdStateFolder, type StateFolderOptions } from '../../../src/state/folder/hold.ts'
import { capturingLogger } from '../../support/capturing-logger.ts'
import { FakeClock } from '../../support/fake-clock.ts'
import { silentLogger } from '../../support/silent-logger.ts'

let folder: string
let stateDir: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'state-'))
  stateDir = join(folder, 'state')
})
afterEach(() => rmSync(folder, { recursive: true }))

function hold(change: Partial<StateFolderOptions> = {}): Promise<() => void> {
  const clock = new FakeClock(Date.now())
  return holdStateFolder({ stateDir, clock, logger: silentLogger, env: {}, onLost() {}, ...change })
}

async function refusal(change: Partial<StateFolderOptions> = {}) {
  try {
    const release = await hold(change)
    release()
  } catch (error) {
    if (error instanceof ProvisionError) return error.problems[0]!
    throw error
  }
  throw new Error('it was taken')
}

describe('the lock', () => {
  it('logs that it could not be refreshed, and still notices when another process takes the folder over', async () => {
    const clock = new FakeClock()
    const logger = capturingLogger()
    let broken = false
    const failing = {
      sleep: clock.sleep.bind(clock),
      now(): number {
        if (broken) throw new Error('the disk does not answer')
        return clock.now()
      },
    }
    let lost = 0
    const release = await hold({ clock: failing, logger, onLost: () => lost++ })
    broken = true
    await clock.advance(20_000)
    broken = false
    expect(logger.lines.join()).toContain('could not be refreshed')
    const other = { nonce: 'of another', pid: 1, host: 'elsewhere' }
    writeFileSync(join(stateDir, 'lock'), JSON.stringify(other))
    await clock.advance(20_000)
    expect(lost).toBe(1)
    release()
  })

  it('is held for one provisioner at a time, and free again at once', async () => {
    const release = await hold()
    expect(await refusal()).toMatchObject({ code: 'LOCK_HELD', message: expect.stringContaining('process') })
    // Changes to the file that names the owner do not release it.
    for (const text of ['', JSON.stringify({ nonce: 'x', pid: 1, host: 'h' })]) {
      writeFileSync(join(stateDir, 'lock'), text)
      expect((await refusal()).code).toBe('LOCK_HELD')
    }
    rmSync(join(stateDir, 'lock'))
    expect((await refusal()).code).toBe('LOCK_HELD')
    release()
    const again = await hold()
    again()
  })
})

const files = [
  'token',
  'cluster-id',
  'writer-id',
  'incarnations',
  'lock',
  'lock.kernel',
  'master.journal',
  'control.sock',
  'logs/decisions.jsonl',
  'fleet/gpu.journal',
]

function put(name: string): string {
  const path = join(stateDir, name)
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  writeFileSync(path, 'contents')
  return path
}

describe.runIf(process.geteuid?.() === 0)('of another user', () => {
  const otherUser = 65534

  it('a state_dir is refused, with its owner and a remedy', async () => {
    mkdirSync(stateDir)
    chownSync(stateDir, otherUser, otherUser)
    expect(await refusal()).toMatchObject({
      code: 'STATE_DIR_UNSAFE',
      message: `${stateDir} belongs to user ${otherUser}, but this process runs as user 0`,
      remedy: expect.stringContaining(`chown -R 0 ${stateDir}`),
    })
  })

  it.each([...files, 'fleet', 'logs'])('%s is refused', async (name) => {
    const path = put(name.includes('.') || !['fleet', 'logs'].includes(name) ? name : `${name}/x`)
    const planted = name === 'fleet' || name === 'logs' ? dirname(path) : path
    chownSync(planted, otherUser, otherUser)
    const { code, message } = await refusal()
    expect([code, message]).toEqual([
      'STATE_DIR_UNSAFE',
      expect.stringContaining(`${planted} belongs to user`),
    ])
  })

  it("another user's link to the user's folder is rejected; the user's own link is followed", async () => {
    const real = join(folder, 'real')
    mkdirSync(real, { mode: 0o700 })
    symlinkSync(real, stateDir)
    const release = await hold()
    release()
    lchownSync(stateDir, otherUser, otherUser)
    expect((await refusal()).message).toContain('belongs to user')
  })

  it('files of the user who called sudo are accepted like those of root', async () => {
    chownSync(put('token'), 1234, 1234)
    chownSync(stateDir, 1234, 1234)
    expect((await refusal()).code).toBe('STATE_DIR_UNSAFE')
    expect((await refusal({ env: { SUDO_UID: '1235' } })).code).toBe('STATE_DIR_UNSAFE')
    const release = await hold({ env: { SUDO_UID: '1234' } })
    release()
  })
})

describe('what other users could change', () => {
  it.each([0o777, 0o722, 0o770, 0o1777])('a folder of mode %o is refused', async (mode) => {
    mkdirSync(stateDir)
    chmodSync(stateDir, mode)
    expect(await refusal()).toMatchObject({
      code: 'STATE_DIR_UNSAFE',
      remedy: expect.stringContaining(`chmod go-w ${stateDir}`),
    })
    chmodSync(stateDir, 0o755)
    put('logs/x')
    chmodSync(join(stateDir, 'logs'), mode)
    expect((await refusal()).message).toContain(join(stateDir, 'logs'))
  })

  it.each(files)('%s as a link, a FIFO or a device is refused and does not block', async (name) => {
    const path = put(name)
    const victim = join(folder, 'victim')
    writeFileSync(victim, 'untouched')
    for (const plant of [() => symlinkSync(victim, path), () => execFileSync('mkfifo', [path])]) {
      rmSync(path)
      plant()
      const { code, message, remedy } = await refusal()
      expect([code, remedy]).toEqual(['STATE_DIR_UNSAFE', `rm ${path}.`])
      expect(message).toMatch(/is a symbolic link|is a FIFO/)
    }
    expect(readFileSync(victim, 'utf8')).toBe('untouched')
  })
})
