// Only the package in an empty folder: one package, small, and everything works without other packages.
import { execFileSync, spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runAside } from '../../support/run-aside.ts'
import { type Clouds, startClouds } from '../../support/takeover/clouds.ts'
import { packInto } from './pack.ts'

const dir = realpathSync(mkdtempSync(join(tmpdir(), 'bare-')))
const installed = join(dir, 'node_modules/dynamic-agent-provisioner')
const cli = join(dir, 'node_modules/.bin/provision')
let clouds: Clouds

function run(command: string, args: string[], cwd = dir): string {
  return execFileSync(command, args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
}

beforeAll(async () => {
  clouds = await startClouds()
  const filename = await packInto(dir)
  writeFileSync(join(dir, 'package.json'), '{"name": "empty", "private": true, "type": "module"}')
  // Without a registry: no other package may be fetched.
  run('npm', ['install', '--offline', '--no-audit', '--no-fund', `./${filename}`])
}, 300_000)
afterAll(async () => {
  await clouds.close()
  rmSync(dir, { recursive: true, force: true })
})

/** Bytes of all files below. */
function sizeOf(folder: string): number {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true })
  return entries
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + readFileSync(join(entry.parentPath, entry.name)).length, 0)
}

describe('the package, installed in an empty folder', () => {
  it('is one package of at most 12 MB', () => {
    expect(readdirSync(join(dir, 'node_modules')).filter((name) => !name.startsWith('.'))).toEqual([
      'dynamic-agent-provisioner',
    ])
    expect(sizeOf(installed)).toBeLessThan(12_000_000)
    expect(sizeOf(installed)).toBeGreaterThan(1_000_000)
  })

  it('has declarations without other packages', () => {
    const types = join(installed, 'dist/types')
    const named = readdirSync(types, { recursive: true, encoding: 'utf8' })
      .filter((path) => /\.d\.[cm]?ts$/.test(path))
      .flatMap((path) => [
        ...readFileSync(join(types, path), 'utf8').matchAll(/(?:from|import\()\s*['"]([^'".][^'"]*)/g),
      ])
      .map(([, specifier]) => specifier!)
    expect(new Set(named.filter((specifier) => !specifier.startsWith('node:')))).toEqual(new Set())
  })

  it('satisfies a strict compiler without other packages, not even the types of Node', () => {
    writeFileSync(
      join(dir, 'user.ts'),
      "import * as main from 'dynamic-agent-provisioner'\nexport const { createProvisioner } = main\n" +
        '// @ts-expect-error: the declarations are read, so a wrong call is refused\nmain.loadConfig(1)\n' +
        "export * as testing from 'dynamic-agent-provisioner/testing'\n",
    )
    const compilerOptions = {
      ...{ module: 'nodenext', target: 'es2024', strict: true, skipLibCheck: false, noEmit: true },
      ...{ types: [], exactOptionalPropertyTypes: true },
    }
    writeFileSync(join(dir, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['user.ts'] }))
    expect(spawnSync('tsc', ['-p', dir], { encoding: 'utf8' })).toMatchObject({ stdout: '', status: 0 })
  }, 60_000)

  it("renders, with the user's templates, and creates certificates", async () => {
    cpSync(join(installed, 'examples/embed'), dir, { recursive: true })
    const made = await runAside(
      cli,
      ['certs', '--name', 'master.local.example', '--ip', '127.0.0.1', '--out', 'certs'],
      { cwd: dir },
    )
    expect(made.status, made.stderr).toBe(0)
    const { status, stdout, stderr } = await runAside(cli, ['--dry-run', '-c', 'master.yaml'], { cwd: dir })
    expect(status, stderr).toBe(0)
    expect(stdout).toContain('BEGIN CERTIFICATE')
  })

  it('checks a pool on each cloud with its bundled SDKs', async () => {
    writeFileSync(join(dir, 'clouds.yaml'), configuration)
    await runAside(cli, ['certs', '--name', 'master.example.com', '--out', 'pki'], { cwd: dir })
    const { stdout, stderr } = await runAside(cli, ['check', '-c', 'clouds.yaml'], {
      cwd: dir,
      env: clouds.env,
    })
    expect(stdout, stderr).toMatch(/ok +ec2:DescribeInstances/)
    expect(stdout).toMatch(/ok +compute\.instances\.create/)
    expect(clouds.ec2.count('RunInstances')).toBeGreaterThan(0)
    expect(clouds.changes().filter((action) => !/DryRun|RunInstances|Create|Terminate/.test(action))).toEqual(
      [],
    )
  })

  it('runs a master with the provisioner in one process', () => {
    const output = run(process.execPath, ['--no-warnings', 'in-process.ts'])
    expect(output).toMatch(/all work is done, and every VM is gone\n$/)
  })
})

const configuration = `
cluster_id: bare
demand: {type: push}
security: {tls: {cert: pki/chain.crt, key: pki/server.key}}
resource_pools:
  - pool_name: a
    provider: {type: aws, region: us-west-2, image: {id: ami-2}, instance_type: g5.12xlarge, subnet_ids: [subnet-a], master_url: "https://master.example.com:8443", agent_runtime: process}
  - pool_name: g
    provider: {type: gcp, project: my-project, zone: us-central1-a, boot_disk_source_image: projects/my-project/global/images/agent, instance_type: {machine_type: n1-standard-8}, master_url: "https://master.example.com:8443", agent_runtime: process}
`
