// Jobs submitted to the built-in master and run by the built-in agent; and what a task can do with its environment.
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type TaskCluster, taskCluster } from '../../support/task-cluster.ts'

let cluster: TaskCluster
beforeEach(async () => {
  cluster = await taskCluster()
})
afterEach(() => cluster.dispose())

describe('a command submitted to the master', () => {
  it('runs on the agent, and its output is returned', async () => {
    expect(
      await cluster.run(['bash', '-c', 'echo "$WORD $DET_SLOT_IDS"; echo oh >&2'], { WORD: 'hello' }),
    ).toEqual({
      state: 'finished',
      reason: '',
      stdout: 'hello [0]\n',
      stderr: 'oh\n',
    })
  })

  it('that fails is a failed job, with the reason', async () => {
    const { state, reason } = await cluster.run(['bash', '-c', 'exit 3'])
    expect({ state, reason }).toEqual({
      state: 'failed',
      reason: 'agent-1: exited with status 3',
    })
  })

  it('finds the certificates of its master in DET_MASTER_CERT_FILE', async () => {
    const { stdout } = await cluster.run(['bash', '-c', 'cat "$DET_MASTER_CERT_FILE"'])
    expect(stdout).toBe(cluster.chain.chain)
  })
})

describe('a task that calls its master by HTTPS', () => {
  const call = `fetch(process.env.DET_MASTER + '/info').then(async (r) => console.log((await r.json()).cluster_id),
    (e) => { console.log(e.cause?.code ?? e); process.exit(1) })`

  it('verifies it with Node without any configuration', async () => {
    const { state, stdout } = await cluster.run([process.execPath, '-e', call])
    expect({ state, stdout }).toEqual({ state: 'finished', stdout: 'cluster-of-the-tests\n' })
  })

  it('would not without its environment', async () => {
    const { state, stdout } = await cluster.run([
      'env',
      '-u',
      'NODE_EXTRA_CA_CERTS',
      process.execPath,
      '-e',
      call,
    ])
    expect({ state, stdout }).toEqual({ state: 'failed', stdout: 'SELF_SIGNED_CERT_IN_CHAIN\n' })
  })
})
