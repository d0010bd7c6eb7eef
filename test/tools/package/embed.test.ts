// The package like users get it: packed, installed elsewhere, compiled against and run there.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, existsSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { root } from '../../support/sources.ts'
import { packInto } from './pack.ts'

const dir = realpathSync(mkdtempSync(join(tmpdir(), 'embed-')))
const env = {
  ...process.env,
  PATH: `${join(root, 'node_modules/.bin')}:${process.env['PATH']}`,
  // Vitest colours its output in CI, also into a pipe.
  NO_COLOR: '1',
  FORCE_COLOR: undefined,
}
const rack = join(dir, 'rack')
let daemon: ChildProcess | undefined
/** As in the example. */
let masterFile = ''

function run(command: string, args: string[], cwd = dir): string {
  return execFileSync(command, args, { cwd, env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
}

beforeAll(async () => {
  const filename = await packInto(dir, env)
  writeFileSync(join(dir, 'package.json'), '{"name": "a-master", "private": true, "type": "module"}')
  // Another version of zod, with the exports of an old and a new one.
  const beside = ['zod@3.25.76', 'vitest']
  run('npm', ['install', '--prefer-offline', '--no-audit', '--no-fund', `./${filename}`, ...beside])
  cpSync(join(dir, 'node_modules/dynamic-agent-provisioner/examples/embed'), dir, { recursive: true })
  cpSync(join(dir, 'node_modules/dynamic-agent-provisioner/examples/provider'), rack, { recursive: true })
  const program = readFileSync(join(import.meta.dirname, 'zod-beside.ts'), 'utf8')
  writeFileSync(join(rack, 'zod-beside.ts'), program.replace('../../../examples/provider/', './'))
  writeFileSync(join(rack, 'docs.test.ts'), testOfDocs())
  const certs = 'certs --name master.local.example --ip 127.0.0.1 --out certs'
  expect(readFileSync(join(dir, 'README.md'), 'utf8')).toContain(`npx provision ${certs}`)
  run('node_modules/.bin/provision', certs.split(' '))
  masterFile = readFileSync(join(dir, 'master.yaml'), 'utf8')
}, 300_000)
afterAll(async () => {
  if (daemon?.exitCode === null) {
    daemon.kill('SIGTERM')
    await once(daemon, 'exit')
  }
  rmSync(dir, { recursive: true, force: true })
}, 60_000)

/** Just before they are used: a port that was free a minute ago may be taken. */
async function chooseFreePorts(): Promise<void> {
  const [port, listen] = [await freePort(), await freePort()]
  writeFileSync(join(dir, 'master.yaml'), masterFile.replace('8443', `${port}`).replace('8444', `${listen}`))
}

/** The contract test of docs/internals/adding-a-provider.md, with the names that the reader must fill in. */
function testOfDocs(): string {
  const page = readFileSync(join(root, 'docs/internals/adding-a-provider.md'), 'utf8')
  const [, shown] = /```ts\n(import \{ describeProviderContract[\s\S]*?)```/.exec(page)!
  return `import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { machinesProgram } from './rack.ts'
${shown}
const script = '#!/bin/bash\\nexec sleep 300\\n'
const offering = { instanceType: 'r2', zone: '', capacityType: 'on_demand' as const, slots: 2 }
function stopEverything(folder: string): void {
  for (const name of readdirSync(folder).filter((one) => one.endsWith('.machine')))
    execFileSync(machinesProgram, [folder, 'stop', name.replace('.machine', '')])
}
`
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  return port
}

describe('the packed package, installed elsewhere', () => {
  it('satisfies a strict compiler', () => {
    const options = {
      extends: join(root, 'tsconfig.json'),
      compilerOptions: { typeRoots: [join(root, 'node_modules/@types')], paths: {} },
      include: ['*.ts', 'rack/*.ts'],
    }
    writeFileSync(join(dir, 'tsconfig.json'), JSON.stringify(options))
    expect(run('tsc', ['-p', dir])).toBe('')
  })

  it('runs a master with the provisioner in one process', async () => {
    await chooseFreePorts()
    const output = run(process.execPath, ['--no-warnings', 'in-process.ts'])
    expect(output).toMatch(/^launch: WORK_WAITS$/m)
    expect(output.match(/^joined local-/gm)?.length).toBeGreaterThan(0)
    expect(output.indexOf('drain: LONG_IDLE')).toBeLessThan(output.indexOf('terminate: LONG_IDLE'))
    expect(output).toMatch(/all work is done, and every VM is gone\n$/)
  })

  it('tests an external provider against the contract, as its README and the docs describe', () => {
    const output = run('../node_modules/.bin/vitest', ['run'], rack)
    expect(output).toMatch(/✓ rack\.test\.ts/)
    expect(output).toMatch(/✓ docs\.test\.ts/)
    const readme = readFileSync(join(rack, 'README.md'), 'utf8')
    const [, shown] = /```\n(our rack cannot show:\n(?: {2}- .*\n)+)/.exec(readme)!
    expect(output).toContain(shown)
    const dryRun = run(process.execPath, ['--no-warnings', 'dry-run.ts'], rack)
    const [, lines = ''] = /\$ node dry-run\.ts\n([\s\S]*?)```/.exec(readme)!
    for (const line of lines.split('\n').filter((one) => !/…|"folder"/.test(one)))
      expect(dryRun).toContain(line)
  })

  it('accepts providers made with its own zod and with another version', () => {
    const version = (folder: string) =>
      JSON.parse(readFileSync(join(dir, folder, 'node_modules/zod/package.json'), 'utf8')).version
    expect(version('.')).toBe('3.25.76')
    // The package's own zod is bundled.
    expect(existsSync(join(dir, 'node_modules/dynamic-agent-provisioner/node_modules'))).toBe(false)
    const output = JSON.parse(run(process.execPath, ['--no-warnings', 'zod-beside.ts'], rack))
    const expected = {
      refused: ['CONFIG_UNKNOWN_KEY 9:7 Did you mean "folder"?'],
      wrong: ['8:14'],
      model: 'r2',
      body: { folder: expect.stringMatching(/machines$/), tags: { model: 'r2' } },
      agentId: 'export DET_AGENT_ID=$MACHINE',
    }
    expect(output).toMatchObject({ ours: expected, 'zod 4': expected, 'zod 3': expected })
  })

  it('runs a master with the provisioner as a separate process', async () => {
    rmSync(join(dir, '.provision'), { recursive: true })
    await chooseFreePorts()
    daemon = spawn('node_modules/.bin/provision', ['-c', 'master.yaml'], { cwd: dir, env })
    let output = ''
    for (const stream of [daemon.stdout, daemon.stderr])
      stream?.on('data', (part: Buffer) => {
        output += part.toString()
      })
    const isOpen = () => existsSync(join(dir, '.provision/control.sock'))
    await vi.waitFor(() => expect(isOpen(), output).toBe(true), 60_000)
    expect(run(process.execPath, ['--no-warnings', 'over-http.ts'])).toContain('every agent is gone')
    expect(run('node_modules/.bin/provision', ['status'])).toMatch(/demand push[\s\S]*default +local/)
  })
})
