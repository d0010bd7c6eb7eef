// What a running provisioner reports about itself: metrics, readiness, and its decisions, read from its endpoints and
// its files.
import { readFileSync } from 'node:fs'
import { request } from 'node:https'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import type { Provisioner } from '../../../src/provisioner/provisioner.ts'
import { runCliAside } from '../../support/run-cli.ts'
import { Cluster } from '../../support/stand-alone.ts'

const cluster = new Cluster()
let running: Provisioner

beforeAll(async () => {
  await cluster.certificate()
  running = await cluster.start(await cluster.config('min_instances: 2', 'max_instances: 2'))
  const joined = () => running.rows().filter((row) => row.agent === 'joined').length
  await vi.waitUntil(() => joined() === 2, { timeout: 60_000 })
}, 30_000)
afterAll(() => cluster.dispose())

/** Over TCP, with the token unless other headers are given. */
function get(
  path: string,
  headers: Record<string, string> = { Authorization: `Bearer ${cluster.token()}` },
): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const where = { host: '127.0.0.1', port: cluster.port, path, headers, servername: 'master.test' }
    const ca = readFileSync(join(cluster.dir, 'chain.crt'))
    request({ ...where, ca, agent: false }, (response) => {
      let text = ''
      response.on('data', (part) => {
        text += part
      })
      response.on('end', () => resolve({ status: response.statusCode!, text }))
    })
      .on('error', reject)
      .end()
  })
}

const cli = (...args: string[]) => runCliAside([...args, '-c', 'master.yaml'], { cwd: cluster.dir })

describe('metrics', () => {
  it('show decisions, VMs, calls and the end of the certificate', async () => {
    const { status, text } = await get('/metrics')
    expect(status).toBe(200)
    for (const line of [
      'provisioner_build_info{version="0.0.0-test"} 1',
      'provisioner_decisions_total{pool="default",move="launch",reason="BELOW_MIN"} 2',
      'provisioner_launched_instances_total{pool="default",offering="on_demand/local/any"} 2',
      'provisioner_instances{pool="default",state="joined"} 2',
      'provisioner_join_seconds_count{pool="default",stage="joined"} 2',
      'provisioner_pending_allocations{pool="default"} 0',
    ])
      expect(text).toContain(line)
    expect(text).toMatch(/provisioner_call_seconds_count\{pool="default",call="list",outcome="done"\} [1-9]/)
    const [, ends] = /^provisioner_certificate_expiry_timestamp_seconds (\S+)/m.exec(text)!
    expect(Number(ends) * 1000).toBeGreaterThan(Date.now() + 29 * 86_400_000)
    expect(Number(ends) * 1000).toBeLessThan(Date.now() + 31 * 86_400_000)
  })

  it('need the token', async () => {
    for (const headers of [{}, { 'x-forwarded-for': '192.0.2.1' }] as Record<string, string>[])
      expect((await get('/metrics', headers)).status).toBe(401)
  })
})

describe('readiness', () => {
  it('is reported when every pool reads its cloud and its master', async () => {
    expect(await get('/readyz', {})).toEqual({ status: 200, text: '{"status":"ok","faults":[]}' })
  })
})

describe('provision explain', () => {
  it('explains a running pool, saves its snapshot, and explains the snapshot again', async () => {
    const { status, stdout } = await cli('explain', '--save', 'kept.json')
    expect(status).toBe(0)
    expect(stdout).toMatch(
      /^pool default at .*\n\ndemand {4}nothing is waiting\ninstances 2 of at most 2, at least 2: 2 idle\n/,
    )
    expect(stdout).toContain('decision  nothing to do')
    const again = await runCliAside(['explain', '--snapshot', 'kept.json'], { cwd: cluster.dir })
    expect(again.stdout).toBe(stdout)
    const { stdout: snapshot } = await cli('explain', '--save', '-')
    expect(JSON.parse(snapshot)).toMatchObject({ format: 'provision snapshot 1' })
  })

  it('rejects invalid combinations', async () => {
    const { status, stderr } = await cli('explain', 'default', '--snapshot', 'kept.json')
    expect(status).toBe(2)
    expect(stderr).toContain('USAGE --snapshot cannot be combined')
    const unknown = await cli('explain', 'other')
    expect(unknown.stderr).toMatch(/POOL_UNKNOWN .*the pools are: default/)
  })
})

describe('provision logs', () => {
  it('prints decisions and their results, from the file and from the endpoint alike', async () => {
    const { stdout } = await cli('logs')
    expect(stdout).toMatch(/default {2}decided to launch 2 instances: BELOW_MIN \(forJobs 0, forMin 2\)\n/)
    expect(stdout).toMatch(/default {2}launched local-\S+, local-\S+\n/)
    const events = (await cli('logs', '--format', 'json')).stdout.trim().split('\n')
    expect(JSON.parse((await get('/v1/events')).text).events).toEqual(events.map((line) => JSON.parse(line)))
    expect((await cli('logs', '-n', '1')).stdout.trim().split('\n')).toHaveLength(1)
    expect((await cli('logs', '--pool', 'other')).stderr).toMatch(/POOL_UNKNOWN .*the pools are: default/)
  })

  it.each([
    [['--since', 'yesterday'], '--since must be a duration'],
    [['-n', '0'], '--limit must be an integer'],
  ])('refuses %j', async (args, words) => {
    const { status, stderr } = await cli('logs', ...args)
    expect(status).toBe(2)
    expect(stderr).toContain(words)
  })

  it('is rejected for an invalid query', async () => {
    const { status, text } = await get('/v1/events?limit=-1')
    expect([status, JSON.parse(text).error.code]).toEqual([400, 'ORDER_REFUSED'])
  })
})
