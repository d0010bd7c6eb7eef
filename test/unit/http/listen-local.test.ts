import { chmodSync, existsSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createLocalClient } from '../../../src/http/client.ts'
import { type LocalListener, listenLocally } from '../../../src/http/listen.ts'
import { sendJson } from '../../../src/http/router.ts'
import { silentLogger } from '../../support/silent-logger.ts'

let dir: string
const open: LocalListener[] = []
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'socket-'))
})
afterEach(async () => {
  for (const listener of open.splice(0)) await listener.close()
  rmSync(dir, { recursive: true, force: true })
})

async function start(path = join(dir, 'control.sock')): Promise<LocalListener> {
  const listener = await listenLocally(
    path,
    [(_, response) => sendJson(response, 200, { ok: 1 })],
    silentLogger,
  )
  open.push(listener)
  return listener
}

const client = () => createLocalClient({ stateDir: dir, version: '0', timeoutMs: 2000 })

describe('a control socket', () => {
  it('responds, is accessible only to its owner, and leaves nothing else behind', async () => {
    await start()
    expect(statSync(join(dir, 'control.sock')).mode & 0o777).toBe(0o600)
    expect(readdirSync(dir)).toEqual(['control.sock'])
    expect(await client().ask('GET', '/')).toEqual({ status: 200, value: { ok: 1 } })
  })

  it('replaces one that a dead process left', async () => {
    writeFileSync(join(dir, 'control.sock'), '')
    await start()
    expect(await client().ask('POST', '/', {})).toMatchObject({ status: 200 })
  })

  it('is removed when it is closed', async () => {
    await (await start()).close()
    expect(existsSync(join(dir, 'control.sock'))).toBe(false)
    await expect(client().ask('GET', '/')).rejects.toMatchObject({ code: 'NOT_RUNNING' })
  })

  it('is not removed if another process has replaced it', async () => {
    const first = await start()
    await start()
    await first.close()
    expect(await client().ask('GET', '/')).toMatchObject({ status: 200 })
  })

  it('reports that its path is too long for the system', async () => {
    const path = join(dir, 'x'.repeat(100), 'control.sock')
    await expect(start(path)).rejects.toMatchObject({ code: 'CONTROL_SOCKET_UNUSABLE' })
  })

  it('reports that its folder is not writable', async () => {
    writeFileSync(join(dir, 'file'), '')
    await expect(start(join(dir, 'file', 'control.sock'))).rejects.toMatchObject({
      code: 'CONTROL_SOCKET_UNUSABLE',
    })
  })

  it.skipIf(process.getuid?.() === 0)('reports that it belongs to another user', async () => {
    await start()
    chmodSync(join(dir, 'control.sock'), 0o000)
    await expect(client().ask('GET', '/')).rejects.toMatchObject({ code: 'CONTROL_SOCKET_DENIED' })
  })
})
