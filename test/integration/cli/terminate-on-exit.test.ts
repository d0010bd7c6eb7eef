// VMs in a cloud when the daemon is stopped: they keep running, unless --terminate-on-exit is set.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest'
import { openJournalFile } from '../../../src/state/folder/journal-file.ts'
import { type FakeEc2, fakeEc2 } from '../../support/fake-ec2/server.ts'
import { runCliAside } from '../../support/run-cli.ts'
import { Cluster } from '../../support/stand-alone.ts'

let cluster: Cluster
let ec2: FakeEc2
let child: ChildProcess | undefined

beforeEach(async () => {
  ec2 = await fakeEc2(Date.now)
  cluster = new Cluster()
  await cluster.certificate()
  await cluster.config('preflight: off')
  writeFileSync(
    join(cluster.dir, 'master.yaml'),
    `port: ${cluster.port}
cluster_id: ${cluster.id}
security: {tls: {cert: chain.crt, key: server.key}}
resource_pools:
  - pool_name: gpu
    provider:
      type: aws
      region: us-west-2
      master_url: https://127.0.0.1:${cluster.port}
      image: {id: ami-2}
      instance_types: [{type: g5.xlarge}]
      subnet_ids: [subnet-a]
      preflight: off
      min_instances: 2
      max_instances: 4
`,
  )
  // With a journal it need not wait for listings.
  const { journal } = await openJournalFile({
    file: join(cluster.dir, '.provision/fleet/gpu.journal'),
    kind: 'fleet 1',
    now: Date.now(),
  })
  await journal.append({ at: Date.now(), kind: 'begun' })
  await journal.close()
})
afterEach(async () => {
  child?.kill('SIGKILL')
  await ec2.close()
  await cluster.dispose()
})

const env = () => ({
  PATH: process.env['PATH'] ?? '',
  AWS_ENDPOINT_URL_EC2: ec2.url,
  AWS_ACCESS_KEY_ID: 'key',
  AWS_SECRET_ACCESS_KEY: 'secret',
  AWS_EC2_METADATA_DISABLED: 'true',
})

/** Starts it, waits for its launch, and stops it. */
async function live(...flags: string[]): Promise<string> {
  let said = ''
  child = spawn(process.execPath, ['--no-warnings', inject('cli'), '-c', 'master.yaml', ...flags], {
    cwd: cluster.dir,
    env: env(),
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  child.stderr!.on('data', (part) => (said += part))
  await expect.poll(() => said, { timeout: 60_000 }).toContain('"message":"launched"')
  child.kill('SIGTERM')
  const [status] = await once(child, 'close')
  expect(status, said).toBe(0)
  return said
}

describe('VMs in a cloud, when the daemon is stopped', () => {
  it('keep running', async () => {
    await live()
    expect(ec2.count('CreateFleet') + ec2.count('RunInstances')).toBeGreaterThan(0)
    expect(ec2.count('TerminateInstances')).toBe(0)
  })

  it('are terminated with --terminate-on-exit', async () => {
    const said = await live('--terminate-on-exit', '--yes')
    expect(ec2.count('TerminateInstances')).toBeGreaterThan(0)
    expect(said).toContain('"message":"every instance is terminated"')
    expect(said).toMatch(/"decided to terminate".*"count":2/)
  })

  it('are kept if --terminate-on-exit cannot be confirmed', async () => {
    const { status, stderr } = await runCliAside(['--terminate-on-exit'], { cwd: cluster.dir, env: env() })
    expect(status).toBe(2)
    expect(stderr).toContain('CONFIRMATION_NEEDED not confirmed: Terminate every instance of gpu when')
    expect(ec2.count('CreateFleet') + ec2.count('RunInstances')).toBe(0)
  })
})
