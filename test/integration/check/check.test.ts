// `provision check` with real masters and the fake EC2: what passed, what failed, and what was not checked.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { createDevelopmentChain, type DevelopmentChain } from '../../../src/pki/development-ca.ts'
import { systemClock } from '../../../src/platform/clock.ts'
import type { AnyProvider } from '../../../src/providers/definition.ts'
import { builtInProviders } from '../../../src/providers/index.ts'
import { type CheckOptions, checkAll } from '../../../src/provisioner/check.ts'
import { type CheckRow, exitOfRows } from '../../../src/provisioner/check-rows.ts'
import { type AwsCloud, awsCloud } from '../../support/aws-cloud.ts'
import { answerInfo, Masters } from '../../support/masters.ts'
import { silentLogger } from '../../support/silent-logger.ts'

const dir = mkdtempSync(join(tmpdir(), 'check-'))
const file = join(dir, 'master.yaml')
const masters = new Masters()
let chain: DevelopmentChain
let other: DevelopmentChain
let cloud: AwsCloud
beforeAll(async () => {
  const make = () => createDevelopmentChain({ names: ['master.test'], ips: [], days: 90, now: Date.now() })
  ;[chain, other, cloud] = await Promise.all([make(), make(), awsCloud()])
  writeFileSync(join(dir, 'chain.crt'), chain.chain)
  writeFileSync(join(dir, 'server.key'), chain.leaf.key)
  writeFileSync(join(dir, 'other.key'), other.leaf.key)
})
afterEach(() => masters.close())
afterAll(async () => {
  await cloud.dispose()
  rmSync(dir, { recursive: true, force: true })
})

const serve = ({ chain: cert, leaf }: DevelopmentChain, answer = answerInfo()) =>
  masters.secure({ cert, key: leaf.key }, answer)

const aws = `type: aws, region: us-west-2, image: {id: ami-2}, subnet_ids: [subnet-a], instance_types: [{type: g5.12xlarge}]`

/** One pool, `gpu`, whose agents dial this port. */
function config(
  port: number,
  { provider = aws, key = 'server.key', top = '', id = 'cluster_id: cases' } = {},
): void {
  writeFileSync(
    file,
    `security: {tls: {cert: chain.crt, key: ${key}}}
${top}
${id}
resource_pools:
  - {pool_name: gpu, provider: {master_url: "https://127.0.0.1:${port}", ${provider}}}
`,
  )
}

function check(change: Partial<CheckOptions> = {}): Promise<CheckRow[]> {
  const env = cloud.env
  return checkAll({
    file,
    env,
    providers: builtInProviders,
    clock: systemClock,
    logger: silentLogger,
    ...change,
  })
}

const brief = (rows: CheckRow[], subject = 'pool gpu') =>
  rows
    .filter((row) => row.subject === subject)
    .map(({ what, result, problem }) => [result, what, ...(problem ? [problem.code] : [])].join(' '))
const rowOf = (rows: CheckRow[], what: string) => rows.find((row) => row.what === what)

describe('without problems', () => {
  it('reports each passed item, and launches nothing', async () => {
    config(await serve(chain))
    const rows = await check()
    expect(
      rows.filter(({ result }) => result !== 'passed').map(({ result, what }) => `${result} ${what}`),
    ).toEqual(['warning launch request', 'not_checked vCPU quotas'])
    expect(rowOf(rows, 'vCPU quotas')?.note).toContain('Service Quotas')
    expect(brief(rows).slice(0, 6)).toEqual([
      'passed trust',
      'passed user data',
      'passed launch request',
      'warning launch request REQUEST_METADATA_OPEN',
      'passed preflight',
      'passed agent version',
    ])
    expect(rowOf(rows, 'trust')?.note).toMatch(/^embed: .*the name master\.test$/)
    expect(rowOf(rows, 'user data')?.note).toMatch(/^\d+ bytes of 16384.*no key or token in it$/)
    expect(rowOf(rows, 'preflight')?.note).toMatch(/would join at 127\.0\.0\.1:\d+ \(TLSv1\.3\)/)
    expect(rowOf(rows, 'machine image')?.result).toBe('passed')
    expect(rowOf(rows, 'key')?.note).toMatch(/server\.key matches the certificate/)
    expect(exitOfRows(rows)).toBe(0)
    expect(cloud.ec2.world.vms.size).toBe(0)
  })
})

describe('the live master', () => {
  it('of another version is a warning', async () => {
    const info = JSON.stringify({ version: '0.37.0', cluster_id: 'c' })
    config(await serve(chain, answerInfo(info)))
    const rows = await check()
    expect(rowOf(rows, 'agent version')?.problem).toMatchObject({
      code: 'AGENT_VERSION_DIFFERS',
      message: expect.stringMatching(/0\.37\.0.*determined-agent:0\.38\.1/),
    })
    expect(exitOfRows(rows)).toBe(0)
  })

  it('is not compared with an image whose name has no version', async () => {
    config(await serve(chain), { provider: `${aws}, agent_docker_image: "registry:5000/agent"` })
    expect(rowOf(await check(), 'agent version')?.result).toBe('not_checked')
  })

  it('that agents would not trust fails with exit status 4', async () => {
    config(await serve(other))
    const rows = await check()
    expect(brief(rows)).toContain('failed preflight PREFLIGHT_UNKNOWN_CA')
    expect(exitOfRows(rows)).toBe(4)
  })

  it('that is the built-in one and not started yet is not checked', async () => {
    config(await masters.closedPort())
    expect(rowOf(await check(), 'preflight')).toMatchObject({
      result: 'not_checked',
      note: expect.stringContaining('is not running'),
    })
  })

  it('that is external and reports no version leaves the agents uncompared', async () => {
    config(await masters.closedPort(), { top: 'demand: {type: push}\nlisten: {port: 1}' })
    const rows = await check()
    expect(rowOf(rows, 'preflight')?.problem?.code).toBe('PREFLIGHT_UNVERIFIED')
    expect(rowOf(rows, 'agent version')?.result).toBe('not_checked')
  })

  it('at one of several addresses is enough, and what is wrong at the others is reported', async () => {
    const list = async (...ports: number[]) => {
      config(1)
      const urls = JSON.stringify(ports.map((port) => `https://127.0.0.1:${port}`))
      const text = readFileSync(file, 'utf8').replace('"https://127.0.0.1:1"', urls)
      writeFileSync(file, text.replace('type: aws', 'type: aws, agent_docker_image: provision-agent'))
      return brief(await check()).filter((row) => row.includes('preflight'))
    }
    const down = await masters.closedPort()
    expect(await list(await serve(chain), down)).toEqual([
      'passed preflight',
      'warning preflight PREFLIGHT_OTHER_MASTER',
    ])
    expect(await list(await serve(other), await serve(chain))).toEqual([
      'passed preflight',
      'warning preflight PREFLIGHT_OTHER_MASTER',
    ])
    expect(await list(down, down + 1)).toEqual([
      'not_checked preflight',
      'warning preflight PREFLIGHT_OTHER_MASTER',
    ])
    expect(await list(await serve(other), await serve(other))).toEqual([
      'failed preflight PREFLIGHT_UNKNOWN_CA',
      'warning preflight PREFLIGHT_OTHER_MASTER',
    ])
  })

  it("at several addresses is an error with Determined's agent", async () => {
    config(await serve(chain))
    const text = readFileSync(file, 'utf8').replace(
      /master_url: ("[^"]*")/,
      'master_url: [$1, "https://b:1"]',
    )
    writeFileSync(file, text)
    const rows = await check()
    expect(rows.map(({ problem }) => problem?.code)).toContain('MASTER_URL_ONE_HOST')
    expect(exitOfRows(rows)).toBe(3)
  })

  it('that the pool does not preflight is not checked', async () => {
    config(await serve(other), { provider: `${aws}, preflight: off` })
    expect(rowOf(await check(), 'preflight')?.result).toBe('not_checked')
  })
})

describe('errors before anything is dialled', () => {
  it('a configuration: exit status 3, and nothing else is checked', async () => {
    writeFileSync(file, 'resource_pools: [{pool_name: gpu, provider: {type: azure}}]\n')
    const rows = await check()
    expect(rows.map(({ subject, result }) => [subject, result])).toEqual([
      ['configuration', 'failed'],
      ['configuration', 'not_checked'],
    ])
    expect(exitOfRows(rows)).toBe(3)
  })

  it('no cluster_id: exit status 3, with the line to add, and the cloud is still checked', async () => {
    config(await serve(chain), { id: '' })
    const rows = await check()
    const found = rowOf(rows, 'identity')
    expect(found).toMatchObject({ subject: 'configuration', result: 'failed' })
    expect(found?.problem?.remedy).toMatch(/: cluster_id: [0-9a-f-]{36}$/)
    expect(rowOf(rows, 'machine image')?.result).toBe('passed')
    expect(exitOfRows(rows)).toBe(3)
  })

  it('the key of another certificate: exit status 3, and the cloud is still checked', async () => {
    config(await serve(chain), { key: 'other.key' })
    const rows = await check()
    expect(brief(rows, 'certificate')).toEqual(['failed key TLS_KEY_MISMATCH'])
    expect(rowOf(rows, 'machine image')?.result).toBe('passed')
    expect(exitOfRows(rows)).toBe(3)
  })

  it('that may be a password is a warning, beside which nothing is called free of secrets', async () => {
    config(await serve(chain), { provider: `${aws}, startup_script: "export DB_PASSWORD=hunter2-old"` })
    const rows = await check()
    expect(brief(rows)).toContain('warning user data USER_DATA_PASSWORD')
    expect(rowOf(rows, 'user data')?.note).toMatch(/^\d+ bytes of 16384(?!.*no key)/)
  })

  it('a secret in the user data: what needs it has not passed, and the rest is checked', async () => {
    const token = `ghp_${'a1B2'.repeat(9)}`
    config(await serve(chain), { provider: `${aws}, startup_script: "export TOKEN=${token}"` })
    const rows = await check()
    expect(brief(rows).slice(0, 5)).toEqual([
      'passed trust',
      'failed user data USER_DATA_SECRET',
      'not_checked launch request',
      'warning launch request REQUEST_METADATA_OPEN',
      'passed preflight',
    ])
    expect(JSON.stringify(rows)).not.toContain(token)
  })

  it('a host that only a VM of the cloud can resolve is reported, and --master-host replaces it', async () => {
    const port = await serve(chain)
    config(port, { provider: aws })
    const text = `security: {tls: {cert: chain.crt, key: server.key}}
port: ${port}
resource_pools: [{pool_name: gpu, provider: {${aws}}}]
`
    writeFileSync(file, text)
    const outside = await check()
    expect(rowOf(outside, 'master address')?.note).toContain('local-ipv4')
    expect(rowOf(outside, 'preflight')?.problem?.code).toBe('PREFLIGHT_UNVERIFIED')
    expect(rowOf(await check({ masterHost: '127.0.0.1' }), 'preflight')?.result).toBe('passed')
  })
})

describe('the cloud', () => {
  const asked = (check: AnyProvider['check']) => builtInProviders.map((one) => ({ ...one, check }))
  const cloudOf = async (change: Partial<CheckOptions>) => rowOf(await check(change), 'cloud')

  it('that cannot be called never passes', async () => {
    config(await serve(chain))
    expect(await cloudOf({ providers: asked(undefined) })).toMatchObject({ result: 'not_checked' })
  })

  it('that does not respond has failed, with exit status 4', async () => {
    config(await serve(chain))
    const check = async () => {
      throw new Error('socket hang up')
    }
    const row = await cloudOf({ providers: asked(check) })
    expect(row).toMatchObject({ result: 'failed', problem: { message: 'socket hang up' } })
    expect(exitOfRows([row!])).toBe(4)
  })

  it('that refuses one item has failed there, and passed elsewhere', async () => {
    config(await serve(chain), { provider: aws.replace('subnet-a', 'subnet-none') })
    const rows = await check()
    expect(rowOf(rows, 'subnet subnet-none')?.result).toBe('failed')
    expect(rowOf(rows, 'machine image')?.result).toBe('passed')
    expect(exitOfRows(rows)).toBe(4)
  })
})

describe('which pools', () => {
  it('to check can be chosen; one that does not exist is an error', async () => {
    config(await serve(chain))
    await expect(check({ pools: ['cpu'] })).rejects.toThrow(/no pool cpu/)
  })
})

describe('proxies', () => {
  const network = async (env: Record<string, string>) => {
    config(await masters.closedPort())
    const rows = await check({ env: { ...cloud.env, ...env } })
    return rows
      .filter(({ subject }) => subject === 'network')
      .map(({ what, note, result }) => `${result} ${what}: ${note}`)
  }

  it('are in rows of their own, without their passwords', async () => {
    const AWS_ENDPOINT_URL_EC2 = 'https://ec2.us-west-2.amazonaws.com'
    const proxy = { HTTPS_PROXY: 'http://u:hunter2@127.0.0.1:1', AWS_ENDPOINT_URL_EC2 }
    expect(await network(proxy)).toEqual([
      'passed ec2.us-west-2.amazonaws.com:443: through http://********@127.0.0.1:1 (HTTPS_PROXY)',
      'not_checked preflight: never uses a proxy: agents dial the master without the proxy of this machine',
    ])
    expect((await network({ ...proxy, NO_PROXY: '.amazonaws.com' }))[0]).toBe(
      'passed ec2.us-west-2.amazonaws.com:443: directly',
    )
  })

  it('have no rows if there are none, and a problem if one cannot be used', async () => {
    expect(await network({})).toEqual([])
    const AWS_ENDPOINT_URL_EC2 = 'https://ec2.us-west-2.amazonaws.com'
    const rows = await network({ ALL_PROXY: 'socks5://u:hunter2@h', AWS_ENDPOINT_URL_EC2 })
    expect(rows).toEqual(['failed proxy: undefined'])
  })
})
