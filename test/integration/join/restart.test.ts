// A provisioner that is killed and started again: who has joined stays bound, and its agent comes back with its certificate.
import { afterAll, expect, inject, it } from 'vitest'
import { JoinedCluster } from '../../support/joined-cluster.ts'
import { type Killable, killable } from '../../support/killable.ts'
import { testKey } from '../../support/test-keys.ts'

let cluster: JoinedCluster
let daemon: Killable
afterAll(async () => {
  await daemon?.kill()
  // Terminates the agent that the killed one has left.
  if (cluster) await cluster.start(await cluster.prepare())
  await cluster?.dispose()
})

const within = { timeout: 60_000, interval: 50 }

it('keeps bindings, and the agent comes back', async () => {
  cluster = new JoinedCluster()
  const { file } = await cluster.prepare('agent_reconnect_backoff: 1', 'agent_reconnect_attempts: 30')
  daemon = killable({
    cwd: cluster.dir,
    env: { PATH: process.env['PATH'] },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let log = ''
  const start = () => {
    log = ''
    const child = daemon.start(['--no-warnings', inject('cli'), '-c', file])
    child.stderr!.on('data', (part) => (log += part))
  }
  start()
  await expect.poll(() => log, within).toContain('"agent joined"')
  const id = /"agent joined".*?"agent":"([^"]+)"/.exec(log)![1]!
  const [bound, certificate, ca] = [await cluster.binding(id), cluster.certificateOf(id), await cluster.ca()]
  expect(bound).toMatchObject({ instance: id, key: cluster.keyOf(id) })

  await daemon.kill()
  start()
  await expect.poll(() => log, within).toMatch(/"agent (joined|connected|reconnected)"/)
  expect(await cluster.binding(id)).toEqual(bound)
  expect(cluster.certificateOf(id)).toBe(certificate)
  expect((await cluster.ca()).bundle).toBe(ca.bundle)
  // Also for the one that has a proof, but came later.
  const proof = { kind: 'local-secret', secret: cluster.secretOf(id) }
  expect(await cluster.join(id, testKey('p256', 'thief'), proof)).toMatchObject({ status: 403 })
  expect(await cluster.dial(id, await cluster.issued(id))).toBe('403')
  expect(log).not.toContain('JOIN_INSTANCE_UNKNOWN')
  expect(log).not.toContain('"launched"')
})
