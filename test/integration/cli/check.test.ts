// `provision check` and `provision version` as people and scripts call them.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { productName } from '../../../src/http/status-endpoints.ts'
import { answerInfo, Masters } from '../../support/masters.ts'
import { runCli, runCliAside } from '../../support/run-cli.ts'

const masters = new Masters()
let dir: string
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'check-cli-'))
})
afterEach(async () => {
  await masters.close()
  rmSync(dir, { recursive: true, force: true })
})

const configure = (text: string) => writeFileSync(join(dir, 'master.yaml'), text)
const local = 'port: 1\nresource_pools: [{pool_name: default, provider: {type: local}}]\n'
const aws = `resource_pools:
  - {pool_name: gpu, provider: {type: aws, region: us-west-2, image: {id: ami-1}, instance_type: g5.xlarge}}
`
const gcp = `  - {pool_name: l4, provider: {type: gcp, project: p, zone: us-central1-a, boot_disk_source_image: projects/p/global/images/i, instance_type: {machine_type: g2-standard-8}}}
`
const check = (...args: string[]) => runCli(['check', ...args], { cwd: dir })

describe('provision check', () => {
  it('prints a block for each subject, and a count', () => {
    configure(local)
    const { status, stdout, stderr } = check()
    expect(stdout).toMatch(
      /^configuration\n {2}ok +master\.yaml {2}1 pool with a provider\n\ncertificate\n {2}- +chain {2}not checked: /,
    )
    expect(stdout).toMatch(/pool default\n( {2}.*\n)+\n\d+ ok, 1 warning, 3 not checked\n$/)
    expect(stdout).toMatch(/ warning +trust +TLS_PLAIN_HTTP .*\n +remedy: /)
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  })

  it('prints the same as JSON for programs', () => {
    configure(local)
    const { file, counts, checks } = JSON.parse(check('--format', 'json').stdout)
    expect({ file, counts }).toEqual({
      file: 'master.yaml',
      counts: { passed: 5, warning: 1, failed: 0, not_checked: 3 },
    })
    expect(checks[0]).toEqual({
      subject: 'configuration',
      what: 'master.yaml',
      result: 'passed',
      note: '1 pool with a provider',
    })
  })

  it('exits with 3 for an invalid configuration, and with 2 for a pool that does not exist', () => {
    configure('resource_pools: 1\n')
    const wrong = check()
    expect(wrong.stdout).toMatch(/FAILED +master\.yaml:1:17 +CONFIG_/)
    expect(wrong.status).toBe(3)
    configure(local)
    expect(check('--pool', 'gpu').status).toBe(2)
  })
})

describe('provision check --print-iam-policy', () => {
  it('prints a policy for the cluster of the configuration, without a network', () => {
    configure(`cluster_id: prod\n${aws}`)
    const { status, stdout } = runCli(['check', '--print-iam-policy'], { cwd: dir, noOutside: true })
    expect(JSON.parse(stdout)).toMatchObject({ Version: '2012-10-17' })
    expect(stdout).toContain('"prod"')
    expect(status).toBe(0)
  })

  it('prints none without a cluster id', () => {
    configure(aws)
    const { status, stdout, stderr } = check('--print-iam-policy')
    expect(stderr).toMatch(/CLUSTER_ID_UNKNOWN .*\n.*Set `cluster_id`/)
    expect({ status, stdout }).toEqual({ status: 3, stdout: '' })
  })

  it('prints a role in the format of gcloud for pools on Google Cloud', () => {
    configure(`cluster_id: prod\n${aws}${gcp}`)
    const role = check('--print-iam-policy', '--pool', 'l4')
    expect(JSON.parse(role.stdout)).toMatchObject({ stage: 'GA' })
    expect(role.stdout).toContain('compute.instances.create')
    expect(check('--print-iam-policy').stderr).toContain('not included: permissions for the pools on gcp')
  })

  it('prints none if no pool is on a cloud', () => {
    configure(local)
    expect(check('--print-iam-policy')).toMatchObject({ status: 2, stdout: '' })
  })
})

describe('provision version', () => {
  it('prints versions without a network, whatever DET_MASTER contains', () => {
    const env = { DET_MASTER: 'https://127.0.0.1:1' }
    const { status, stdout } = runCli(['version', '--format', 'json'], { env, noOutside: true })
    expect(JSON.parse(stdout)).toEqual({
      version: expect.stringMatching(/^\d+\.\d+\.\d+/),
      node: process.version,
      agentImage: expect.stringMatching(/^determinedai\/determined-agent:\d/),
    })
    expect(status).toBe(0)
  })

  it.each([
    ['a Determined master', undefined, 'determined'],
    ['an owned key', productName, productName],
  ])('asks %s for its own', async (_, product, expected) => {
    const info = JSON.stringify({ version: '0.37.2', cluster_id: 'c', product })
    const url = `http://127.0.0.1:${await masters.tcp(answerInfo(info))}`
    const { stdout } = await runCliAside(['version', '-m', url, '--format', 'json'])
    expect(JSON.parse(stdout).master).toEqual({ url, version: '0.37.2', product: expected })
  })

  it('reports a server that is not a master', async () => {
    const url = `http://127.0.0.1:${await masters.tcp(answerInfo('<html>', 404))}`
    const { status, stderr } = await runCliAside(['version', '-m', url])
    expect(stderr).toMatch(/NOT_A_PROVISIONER .*status 404/)
    expect(status).toBe(1)
  })
})
