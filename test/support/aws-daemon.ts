// The real daemon with one AWS pool over a fake EC2: a test changes its file, kills it and starts it again.
import { cpSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, inject, type TestContext } from 'vitest'
import { fakeEc2 } from './fake-ec2/server.ts'
import { runAside } from './run-aside.ts'
import { type Daemon, freePort, startDaemon } from './takeover/daemon.ts'

export const timeout = 300_000

/** Makes a certificate before the tests of a file; returns where it is. */
export function daemonCertificates(): () => string {
  let folder = ''
  beforeAll(async () => {
    folder = realpathSync(mkdtempSync(join(tmpdir(), 'certificates-')))
    const names = ['--name', 'master.test', '--ip', '127.0.0.1']
    const { status, stderr } = await runAside(inject('cli'), ['certs', ...names, '--out', folder])
    expect(status, stderr).toBe(0)
  }, timeout)
  afterAll(() => rmSync(folder, { recursive: true, force: true }))
  return () => folder
}

export interface PoolLines {
  name: string
  /** Keys of the file, of the pool and of its provider, each on lines of its own. */
  file?: string
  pool?: string
  provider: string[]
}

/** A cluster whose daemons and fake end with the test. */
export async function awsDaemonCluster(
  { onTestFinished }: Pick<TestContext, 'onTestFinished'>,
  certificates: string,
) {
  const dir = realpathSync(mkdtempSync(join(tmpdir(), 'aws-daemon-')))
  cpSync(certificates, join(dir, 'certs'), { recursive: true })
  const ec2 = await fakeEc2()
  const port = await freePort()
  const daemons: Daemon[] = []
  onTestFinished(async () => {
    for (const daemon of daemons) await daemon.dispose()
    await ec2.close()
    rmSync(dir, { recursive: true, force: true })
  }, timeout)
  return {
    ec2,
    start({ name, file = '', pool = '', provider }: PoolLines): Daemon {
      const keys = [
        'type: aws',
        `master_url: https://127.0.0.1:${port}`,
        'master_cert_name: master.test',
        'image: {id: ami-2}',
        'agent_runtime: process',
        "preflight: 'off'",
        ...provider,
      ]
      writeFileSync(
        join(dir, 'master.yaml'),
        `port: ${port}
cluster_id: aws-daemon
state_dir: state
security: {tls: {cert: certs/chain.crt, key: certs/server.key}}
${file}
resource_pools:
  - pool_name: ${name}
    ${pool}
    provider:
${keys.map((line) => `      ${line}\n`).join('')}`,
      )
      const credentials = { AWS_ACCESS_KEY_ID: 'key', AWS_SECRET_ACCESS_KEY: 'secret' }
      const env = { ...credentials, AWS_ENDPOINT_URL: ec2.url, AWS_EC2_METADATA_DISABLED: 'true' }
      const daemon = startDaemon({ cli: inject('cli'), dir, port, env })
      daemons.push(daemon)
      return daemon
    },
    live: () => [...ec2.world.vms.values()].filter(({ state }) => state === 'pending' || state === 'running'),
  }
}
