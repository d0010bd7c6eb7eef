// `provision` as a process: starts, is stopped by a signal, and reports what it cannot do.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { appendFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { afterEach, describe, expect, inject, it } from 'vitest'
import { Cluster } from '../../support/stand-alone.ts'

let cluster: Cluster
let child: ChildProcess | undefined
afterEach(async () => {
  child?.kill('SIGKILL')
  await cluster.dispose()
})

/** Starts it and collects its output. */
function start(...flags: string[]): { stderr: () => string; ended: Promise<number | null> } {
  let text = ''
  child = spawn(process.execPath, ['--no-warnings', inject('cli'), '-c', 'master.yaml', ...flags], {
    cwd: cluster.dir,
    env: { PATH: process.env['PATH'] },
    stdio: ['ignore', 'inherit', 'pipe'],
  })
  child.stderr!.on('data', (part) => (text += part))
  return { stderr: () => text, ended: once(child, 'close').then(([status]) => status) }
}

const alive = (pid: number) => {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

describe.each(['SIGINT', 'SIGTERM'] as const)('provision, stopped by %s', (signal) => {
  it('terminates the local agents, reports that, and exits with 0', async () => {
    cluster = new Cluster()
    await cluster.certificate()
    await cluster.config('min_instances: 2')
    const { stderr, ended } = start()
    await expect.poll(() => stderr().match(/"agent joined"/g)?.length, { timeout: 60_000 }).toBe(2)
    const ids = [...new Set(stderr().match(/local-[0-9a-f]{8}-\d/g))]
    const pids = ids.map((id) => cluster.processOf(id))
    expect(pids.every(alive)).toBe(true)
    child!.kill(signal)
    expect(await ended, stderr()).toBe(0)
    expect(stderr()).toContain('"message":"stopped; none of its agents is running on this machine","ended":2')
    expect(pids.some(alive)).toBe(false)
  })
})

describe('provision that cannot start', () => {
  it('names the owner of the state folder', async () => {
    cluster = new Cluster()
    await cluster.certificate()
    await cluster.config('min_instances: 1')
    const first = start()
    const process = child!
    await expect.poll(first.stderr, { timeout: 60_000 }).toContain('"agent joined"')
    const { stderr, ended } = start()
    expect(await ended).toBe(1)
    expect(stderr()).toMatch(new RegExp(`LOCK_HELD process ${process.pid} .*[\\s\\S]*remedy:`))
    process.kill('SIGTERM')
    await first.ended
  })

  it('names the port that is in use', async () => {
    cluster = new Cluster()
    await cluster.certificate()
    await cluster.config('min_instances: 1')
    const other = createServer().listen(cluster.port, '127.0.0.1')
    const { stderr, ended } = start()
    expect(await ended).toBe(1)
    expect(stderr()).toMatch(new RegExp(`LISTEN_PORT_TAKEN .*${cluster.port}[\\s\\S]*remedy:`))
    other.close()
  })

  it('reports the problem of the state folder', async () => {
    cluster = new Cluster()
    await cluster.certificate()
    await cluster.config('min_instances: 1')
    writeFileSync(join(cluster.dir, 'file'), '')
    appendFileSync(join(cluster.dir, 'master.yaml'), 'state_dir: file/state\n')
    const { stderr, ended } = start()
    expect(await ended).toBe(1)
    expect(stderr()).toMatch(/STATE_DIR_UNUSABLE .*file\/state.*ENOTDIR[\s\S]*remedy:/)
  })

  it.each([
    ['--pool', 'default'],
    ['--out', 'x'],
    ['--format', 'raw'],
  ])('takes no flag that only a dry run heeds: %s', async (...flags) => {
    cluster = new Cluster()
    const { stderr, ended } = start(...flags)
    expect(await ended).toBe(2)
    expect(stderr()).toMatch(new RegExp(`USAGE ${flags[0]}.*--dry-run`))
  })

  it('names the missing file of a certificate, and the line of its key', async () => {
    cluster = new Cluster()
    await cluster.config('min_instances: 1')
    const { stderr, ended } = start()
    expect(await ended).toBe(3)
    expect(stderr()).toMatch(/master\.yaml:\d+:\d+ TLS_FILE_MISSING .*chain\.crt/)
  })

  it('names the line of the key whose file has a fault', async () => {
    cluster = new Cluster()
    await cluster.certificate()
    await cluster.config('min_instances: 1')
    writeFileSync(join(cluster.dir, 'chain.crt'), 'no certificate')
    const { stderr, ended } = start()
    expect(await ended).toBe(3)
    expect(stderr()).toMatch(/TLS_FILE_NOT_PEM[\s\S]*named by security\.tls\.cert in master\.yaml:\d+:\d+\n/)
  })
})
