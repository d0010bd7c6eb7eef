// The package as others get it: packed, installed elsewhere, compiled against and run there.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, existsSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { root } from '../../support/sources.ts'

const dir = realpathSync(mkdtempSync(join(tmpdir(), 'embed-')))
const env = { ...process.env, PATH: `${join(root, 'node_modules/.bin')}:${process.env['PATH']}` }
let daemon: ChildProcess | undefined

function run(command: string, args: string[], cwd = dir): string {
  return execFileSync(command, args, { cwd, env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
}

beforeAll(async () => {
  const packed = JSON.parse(
    run('npm', ['pack', '--json', '--pack-destination', dir], root).replace(/^[^[{]*/, ''),
  )
  const [{ filename }] = [packed].flat()
  writeFileSync(join(dir, 'package.json'), '{"name": "a-master", "private": true, "type": "module"}')
  run('npm', ['install', '--prefer-offline', '--no-audit', '--no-fund', `./${filename}`])
  cpSync(join(dir, 'node_modules/dynamic-agent-provisioner/examples/embed'), dir, { recursive: true })
  const certs = 'certs --name master.local.example --ip 127.0.0.1 --out certs'
  expect(readFileSync(join(dir, 'README.md'), 'utf8')).toContain(`npx provision ${certs}`)
  run('node_modules/.bin/provision', certs.split(' '))
  const file = join(dir, 'master.yaml')
  const [port, listen] = [await freePort(), await freePort()]
  writeFileSync(file, readFileSync(file, 'utf8').replace('8443', `${port}`).replace('8444', `${listen}`))
}, 300_000)
afterAll(async () => {
  if (daemon?.exitCode === null) {
    daemon.kill('SIGTERM')
    await once(daemon, 'exit')
  }
  rmSync(dir, { recursive: true, force: true })
}, 60_000)

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  return port
}

describe('the packed package, installed elsewhere', () => {
  it('gives a strict compiler all it needs', () => {
    const options = {
      extends: join(root, 'tsconfig.json'),
      compilerOptions: { typeRoots: [join(root, 'node_modules/@types')], paths: {} },
      include: ['*.ts'],
    }
    writeFileSync(join(dir, 'tsconfig.json'), JSON.stringify(options))
    expect(run('tsc', ['-p', dir])).toBe('')
  })

  it('runs a master with the provisioner inside', () => {
    const said = run(process.execPath, ['--no-warnings', 'in-process.ts'])
    expect(said).toMatch(/^launch: WORK_WAITS$/m)
    expect(said.match(/^joined local-/gm)?.length).toBeGreaterThan(0)
    expect(said.indexOf('drain: LONG_IDLE')).toBeLessThan(said.indexOf('terminate: LONG_IDLE'))
    expect(said).toMatch(/all work is done, and every VM is gone\n$/)
  })

  it('runs a master with the provisioner beside it', async () => {
    rmSync(join(dir, '.provision'), { recursive: true })
    daemon = spawn('node_modules/.bin/provision', ['-c', 'master.yaml'], { cwd: dir, env, stdio: 'ignore' })
    await vi.waitFor(() => expect(existsSync(join(dir, '.provision/control.sock'))).toBe(true), 20_000)
    expect(run(process.execPath, ['--no-warnings', 'over-http.ts'])).toContain('every agent is gone')
    expect(run('node_modules/.bin/provision', ['status'])).toMatch(/demand push[\s\S]*default +local/)
  })
})
