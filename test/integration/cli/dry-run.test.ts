// `provision --dry-run` as a platform engineer uses it: no credentials, no network, no key, no SDK.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { createDevelopmentChain } from '../../../src/pki/development-ca.ts'
import { runCli } from '../../support/run-cli.ts'

let dir: string
const run = (...args: string[]) => runCli(['--dry-run', ...args], { cwd: dir, noOutside: true })

const config = `
port: 8443
cluster_id: test
security: {tls: {cert: chain.crt, key: there-is-no-key-here.key}}
resource_pools:
  - pool_name: gpu
    provider:
      type: aws
      region: us-west-2
      master_url: https://master.test:8443
      image: {id: ami-0123456789abcdef0}
      instance_type: g5.12xlarge
      max_instances: 3
  - pool_name: cloud/two
    provider:
      type: gcp
      project: p
      zone: us-central1-a
      boot_disk_source_image: projects/x/global/images/y
      instance_type: {machine_type: n1-standard-8, gpu_type: nvidia-tesla-t4, gpu_num: 2}
  - pool_name: static
    agents: any
`

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'dry-run-'))
  const chain = await createDevelopmentChain({ names: ['master.test'], ips: [], days: 90, now: Date.now() })
  writeFileSync(join(dir, 'chain.crt'), chain.chain)
  writeFileSync(join(dir, 'master.yaml'), config)
})
afterAll(() => rmSync(dir, { recursive: true, force: true }))

describe('provision --dry-run of a pool that places gangs', () => {
  const gangs = config
    .replace('max_instances: 3', 'max_instances: 3\n      placement_group: per_gang')
    .replace(/ {2}- pool_name: cloud[\s\S]*/, '')

  it('shows the launch of a gang with the placement group that it makes', () => {
    writeFileSync(join(dir, 'gangs.yaml'), gangs)
    const { status, stderr, stdout } = run('-c', 'gangs.yaml', '--format', 'json')
    expect(status, stderr).toBe(0)
    const [{ request, gangRequest }] = JSON.parse(stdout).pools
    expect(request.before).toBeUndefined()
    expect(request.body.Placement).toBeUndefined()
    const [group] = gangRequest.before
    expect(group).toMatchObject({ call: 'CreatePlacementGroup', body: { Strategy: 'cluster' } })
    expect(group.body.GroupName).toMatch(/^agent-provisioner-gpu-[a-z0-9]{24}$/)
    expect(gangRequest).toMatchObject({
      call: 'RunInstances',
      region: 'us-west-2',
      body: { MinCount: 2, MaxCount: 2, Placement: { GroupName: group.body.GroupName } },
    })
  })

  it('and in the report, after the launch of anything else', () => {
    writeFileSync(join(dir, 'gangs.yaml'), gangs)
    const { stderr } = run('-c', 'gangs.yaml')
    const [one, gang = ''] = stderr.split(/gang +each job that needs several instances/)
    expect(one).not.toContain('Placement')
    expect(gang).toMatch(
      /CreatePlacementGroup in us-west-2[\s\S]*GroupName: agent-provisioner-gpu-[\s\S]*RunInstances/,
    )
    expect(gang).toMatch(/Placement: \{ GroupName: 'agent-provisioner-gpu-/)
  })

  it('but not where the pool can launch one instance only, or makes no groups', () => {
    writeFileSync(join(dir, 'one.yaml'), gangs.replace('max_instances: 3', 'max_instances: 1'))
    expect(run('-c', 'one.yaml').stderr).not.toContain('CreatePlacementGroup')
    expect(run('--pool', 'gpu').stderr).not.toMatch(/^ +gang/m)
  })
})

describe('provision --dry-run', () => {
  it('prints the script on standard out and a report on standard error', () => {
    const { status, stdout, stderr } = run('--pool', 'gpu')
    expect(stderr).toContain('pool gpu (aws)')
    expect(stderr).toMatch(/trust +embed \(.*root/)
    expect(stderr).toMatch(/name +master\.test \(/)
    expect(stderr).toMatch(/dialled +https:\/\/master\.test:8443/)
    expect(stderr).toMatch(/SHA-256 [0-9a-f]{64}/)
    expect(stderr).toMatch(/user data +[\d,]+ bytes of 16,384/)
    expect(stderr).toMatch(/request +RunInstances in us-west-2/)
    expect(stderr).toContain('HttpTokens')
    expect(stdout).toMatch(/^#!\/bin\/bash\n/)
    execFileSync('bash', ['-n'], { input: stdout })
    expect(status, stderr).toBe(0)
  })

  it('shows how instances get their client certificates', () => {
    const ask = 'join: {proof: required, url: "https://10.0.0.9:8443"}\n      max_instances: 3'
    writeFileSync(join(dir, 'join.yaml'), config.replace('max_instances: 3', ask))
    const { status, stdout, stderr } = run('-c', 'join.yaml', '--pool', 'gpu')
    expect(status, stderr).toBe(0)
    expect(stderr).toMatch(
      /join +required \(aws-sts\)\n +at https:\/\/10\.0\.0\.9:8443\n +as master\.test \(verified as the master\)\n/,
    )
    expect(stdout).toContain("\nJOIN_URL='https://10.0.0.9:8443'\n")
    expect(run('--pool', 'gpu').stderr).not.toMatch(/^ +join/m)
  })

  it('prints a stable JSON for programs', () => {
    const { status, stdout, stderr } = run('--format', 'json')
    const { pools } = JSON.parse(stdout)
    expect(pools.map((pool: { pool: string }) => pool.pool)).toEqual(['gpu', 'cloud/two'])
    const [gpu] = pools
    expect(gpu).toMatchObject({
      provider: 'aws',
      encoding: 'plain',
      bytes: { script: gpu.userData.length, packed: gpu.userData.length, limit: 16_384 },
      sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
      tls: {
        enabled: true,
        mode: 'embed',
        certificateName: 'master.test',
        masterHost: 'master.test',
        masterPort: 8443,
      },
      agentConfig: { security: { tls: { enabled: true, master_cert_name: 'master.test' } } },
      request: { call: 'RunInstances', region: 'us-west-2' },
    })
    expect(gpu.tls.chain.map((c: { role: string }) => c.role)).toEqual(['leaf', 'intermediate', 'root'])
    expect(Object.keys(gpu.tls.chain[0])).toEqual([
      'role',
      'subject',
      'issuer',
      'sans',
      'notBefore',
      'notAfter',
      'sha256',
    ])
    expect(Buffer.from(gpu.packedBase64, 'base64').toString()).toBe(gpu.userData)
    expect(status, stderr).toBe(0)
  })

  it('gives the same bytes every time, and in every format', () => {
    const text = run('--pool', 'gpu').stdout
    expect(run('--pool', 'gpu').stdout).toBe(text)
    expect(run('--pool', 'gpu', '--format', 'raw').bytes.toString()).toBe(text)
  })

  it('writes a file for each pool, readable by its owner only', () => {
    expect(run('--out', 'made').status).toBe(0)
    expect(readdirSync(join(dir, 'made')).sort()).toEqual(['cloud%2Ftwo.sh', 'gpu.sh'])
    expect(statSync(join(dir, 'made/gpu.sh')).mode & 0o777).toBe(0o600)
    expect(readFileSync(join(dir, 'made/gpu.sh'), 'utf8')).toBe(run('--pool', 'gpu').stdout)
  })

  it('unpacks the user data that a cloud would get', () => {
    const { stdout } = run('--pool', 'gpu', '--format', 'json')
    const { packedBase64, userData } = JSON.parse(stdout).pools[0]
    expect(runCli(['unpack'], { input: packedBase64 }).stdout).toBe(userData)
  })

  it('unpacks from a slow pipe', () => {
    // The pipe is empty when the reader starts: the writer is another run of the program.
    const pipe = '"$0" "$1" --dry-run --pool gpu --format raw | "$0" "$1" unpack'
    const options = { cwd: dir, stdio: ['ignore', 'pipe', 'ignore'] as ['ignore', 'pipe', 'ignore'] }
    const script = execFileSync('bash', ['-c', pipe, process.execPath, inject('cli')], options)
    expect(script.toString()).toBe(run('--pool', 'gpu').stdout)
  })

  it.each([
    [
      'a pool that does not exist',
      ['--pool', 'gpus'],
      2,
      /USAGE.*no pool gpus[\s\S]*Pools with a provider: gpu, cloud\/two/,
    ],
    ['a pool without a provider', ['--pool', 'static'], 2, /USAGE.*static has no provider/],
    ['raw bytes of several pools', ['--format', 'raw'], 2, /USAGE.*raw[\s\S]*--pool/],
    ['a format there is not', ['--format', 'xml'], 2, /xml/],
    ['a file there is not', ['-c', 'other.yaml'], 3, /other\.yaml CONFIG_FILE_MISSING/],
    ['an option there is not', ['--poool', 'x'], 2, /--pool/],
  ])('refuses %s', (_, args, status, message) => {
    const result = run(...args)
    expect(result.stderr).toMatch(message)
    expect(result.status).toBe(status)
    expect(result.stdout).toBe('')
  })

  it('reports the problem of the certificate, and prints nothing for it', () => {
    const wrong = config.replace('chain.crt', 'master.yaml')
    writeFileSync(join(dir, 'wrong.yaml'), wrong)
    const { status, stdout, stderr } = run('-c', 'wrong.yaml')
    expect(stderr).toMatch(/TLS_\w+ .*master\.yaml/)
    expect(stderr).toMatch(/named by security\.tls\.cert in wrong\.yaml:\d+:\d+\n/)
    expect(stderr).toMatch(/remedy:/)
    expect(status).toBe(3)
    expect(stdout).toBe('')
  })

  it('would detect that an SDK is loaded', () => {
    const { status, stderr } = runCli(['certs', '--name', 'x.test', '--out', 'never'], {
      cwd: dir,
      noOutside: true,
    })
    expect(stderr).toContain('FORBIDDEN: loads ./vendor/x509.cjs')
    expect(status).toBe(99)
  })
})
