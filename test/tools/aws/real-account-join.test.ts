// The trial of a join in a real account, with a VM that runs its user data by bash, openssl and curl, and an STS that checks signatures.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { joined, requiresJoin } from '../../../scripts/aws-real-account/join.ts'
import type { Account } from '../../../scripts/aws-real-account/launches.ts'
import { accountOptions } from '../../../scripts/aws-real-account/options.ts'
import { systemClock } from '../../../src/platform/clock.ts'
import type { Clock } from '../../../src/platform/index.ts'
import type { LaunchOrder, Provider } from '../../../src/providers/contract.ts'
import { owner } from '../../support/cloud-pools.ts'
import { type FakeSts, fakeSts, type Identity } from '../../support/join-proofs/fake-sts.ts'
import { type MetadataServer, metadataServer } from '../../support/metadata-server.ts'
import { type ScriptRun, ScriptVms } from '../../support/script-vm.ts'
import { freePort } from '../../support/takeover/daemon.ts'
import { dns } from '../../support/x509-extensions.ts'
import { authority, server } from '../../support/x509-profiles.ts'
import { find } from '../userdata/join-vm.ts'

const id = 'i-0123456789abcdef0'
const arnOf = (of: string) => `arn:aws:sts::123456789012:assumed-role/aws:ec2-instance/${of}`
const identity: Identity = {
  accessKey: 'ASIAINSTANCE00000000',
  secret: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY=',
  token: `IQoJb3JpZ2lu${'A1b/c+'.repeat(120)}==`,
  arn: arnOf(id),
  account: '123456789012',
}
const credentials = JSON.stringify({
  AccessKeyId: identity.accessKey,
  SecretAccessKey: identity.secret,
  Token: identity.token,
})

let folder: string
let sts: FakeSts
let imds: MetadataServer
let identities: Identity[]
const vms = new ScriptVms()
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'trial-'))
  identities = [identity]
  sts = await fakeSts({ region: 'us-west-2', identities })
  vi.stubEnv('AWS_ENDPOINT_URL_STS', sts.url)
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'key')
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'secret')
  imds = await metadataServer({
    'instance-id': id,
    'placement/region': 'us-west-2',
    'services/domain': 'amazonaws.com',
    'identity-credentials/ec2/security-credentials/ec2-instance': credentials,
  })
})
afterEach(async () => {
  vi.unstubAllEnvs()
  vms.close()
  await Promise.all([sts.close(), imds.close()])
  rmSync(folder, { recursive: true })
})

interface World {
  account: Account
  /** Of the VM that was launched. */
  run: () => Promise<ScriptRun>
  /** What the trial printed. */
  lines: string[]
  scripts: string[]
}

/** @param launched the id in the answer to the launch */
async function world(launched = id): Promise<World> {
  const root = authority('Root')
  const leaf = server(root, { names: [dns('localhost')] })
  writeFileSync(join(folder, 'chain.crt'), leaf.pem + root.pem)
  writeFileSync(join(folder, 'server.key'), leaf.key.pem, { mode: 0o600 })
  const file = join(folder, 'master.yaml')
  const [url, masterPort] = [`https://localhost:${await freePort()}`, await freePort()]
  writeFileSync(
    file,
    `port: ${masterPort}
cluster_id: prod
security: {tls: {cert: chain.crt, key: server.key}}
listen: {address: 127.0.0.1, port: ${new URL(url).port}}
resource_pools:
  - pool_name: gpu
    provider:
      type: aws
      region: us-west-2
      image: {id: ami-0123456789abcdef0}
      master_url: https://localhost:${masterPort}
      startup_script: exit 9
      join: {proof: required, url: "${url}", proofs: [aws-identity-document]}
      max_instances: 1
`,
  )
  const args = ['-c', file, '--yes-spend-money', '--max-dollars', '2', '--price', '2.4', '--minutes', '10']
  const { pool, ...options } = accountOptions(args)
  const lines: string[] = []
  const say = (message: string) => void lines.push(message)
  const scripts: string[] = []
  const runs: Promise<ScriptRun>[] = []
  const provider = {
    async launch({ userData }: LaunchOrder) {
      scripts.push(userData.script)
      runs.push(boot(userData.script))
      return { instances: [{ id: launched }], failures: [] }
    },
  } as unknown as Provider
  const context = {
    config: pool.provider,
    owner,
    master: { scheme: 'https', host: 'trial.invalid', port: 8443 } as const,
    stateDir: folder,
    env: process.env,
    clock: impatient(() => lines.length > 0),
    logger: { debug() {}, info() {}, warn: say, error: say },
  }
  const account = {
    ...options,
    config: pool.provider,
    context,
    owner,
    provider,
    ids: new Set<string>(),
  } as unknown as Account
  return { account, lines, scripts, run: () => runs[0]! }
}

function boot(script: string): Promise<ScriptRun> {
  const vm = vms.create({
    openssl: `exec '${find('openssl')}' "$@"`,
    curl: `exec '${find('curl')}' --connect-to '169.254.169.254:80:${imds.host}' "$@"`,
    // Pauses are short, and no renewal comes.
    sleep: `if ((\${1%.*} < 60)); then exec "$REAL_SLEEP" 0.05; else exec "$REAL_SLEEP" 1000; fi`,
  })
  return vm.runScript(script)
}

const signal = new AbortController().signal

describe('a VM of a pool with `join: required`', () => {
  it('gets its certificate by aws-sts, whatever proofs the pool names, and starts no agent', async () => {
    const { account, run, scripts, lines } = await world()
    expect(requiresJoin(account)).toBe(true)
    expect([await joined(account, signal), lines]).toEqual([undefined, []])
    expect([...account.ids]).toEqual([id])
    const { status, stages, output } = await run()
    expect({ status, stages }, output).toEqual({ status: 0, stages: ['started', 'certificate_issued'] })
    expect(sts.arrived).toHaveLength(1)
    // It ends by itself, and runs nothing of the pool.
    expect(scripts[0]).toContain('"$ROOT/sbin/shutdown" -h')
    expect(scripts[0]).not.toMatch(/docker run|exit 9/)
  })

  it('fails the trial with the code and reason when STS names another signer', async () => {
    identities[0] = { ...identity, arn: arnOf('i-0fffffffffffffff0') }
    const { account, lines } = await world()
    expect(await joined(account, signal)).toMatch(/none got a certificate; the last one: JOIN_PROOF_OTHER$/)
    expect(lines.join('\n')).toMatch(/JOIN_PROOF_OTHER.*the signer is .*i-0fffffffffffffff0/)
  })

  it('fails the trial when the VM that asks is not the one that was launched', async () => {
    const { account } = await world('i-0aaaaaaaaaaaaaaa0')
    expect(await joined(account, signal)).toMatch(/the last one: JOIN_INSTANCE_UNKNOWN$/)
  })
})

/** Looks for the result often, and once something was refused the time is over. */
function impatient(isRefused: () => boolean): Clock {
  let late = 0
  return {
    ...systemClock,
    now: () => systemClock.now() + late,
    async sleep(ms, stop) {
      const isLook = ms === 2000
      await systemClock.sleep(isLook ? 50 : ms, stop)
      if (isLook && isRefused()) late = 3_600_000
    },
  }
}
