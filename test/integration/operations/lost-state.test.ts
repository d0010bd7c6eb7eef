// The master's state is lost while its agents run commands: none of them is ended, and no instance under them.
import { existsSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, inject, it } from 'vitest'
import { systemClock } from '../../../src/platform/clock.ts'
import { openJobStore } from '../../../src/standalone/master/job-store.ts'
import { killable } from '../../support/killable.ts'
import { runCliAside } from '../../support/run-cli.ts'
import { silentLogger } from '../../support/silent-logger.ts'
import { Cluster } from '../../support/stand-alone.ts'
import { storeIn } from '../../support/state-store.ts'

const losses: [string, (file: string) => Promise<void> | void][] = [
  ['missing', (file) => rmSync(file)],
  ['empty', (file) => truncateSync(file)],
  ['damaged', (file) => writeFileSync(file, 'not a journal at all\n')],
  [
    "another cluster's",
    async (file) => {
      rmSync(file)
      const other = {
        store: storeIn(dirname(file)),
        clusterId: 'another-cluster',
        clock: systemClock,
        logger: silentLogger,
      }
      const store = await openJobStore(other)
      await store.close()
    },
  ],
]

describe.concurrent.each(losses)('a master.journal that is %s', (_, lose) => {
  it('ends neither a command that runs nor its instance, which counts as busy until the command has ended', {
    timeout: 120_000,
  }, async ({ onTestFinished }) => {
    const cluster = new Cluster()
    await cluster.certificate()
    await cluster.config('max_instances: 1', 'max_idle_agent_period: 1s')
    const daemon = killable({
      cwd: cluster.dir,
      env: { PATH: process.env['PATH'] },
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    onTestFinished(async () => {
      await daemon.kill()
      await cluster.dispose()
    }, 240_000)
    let log = ''
    const start = () => {
      log = ''
      const child = daemon.start(['--no-warnings', inject('cli'), '-c', 'master.yaml'])
      child.stderr!.on('data', (part) => (log += part))
    }
    const run = async (...args: string[]): Promise<string> => {
      const { stdout, stderr, status } = await runCliAside(args, { cwd: cluster.dir })
      if (status !== 0) throw new Error(stderr)
      return stdout
    }
    const [goOn, done] = ['go-on', 'done'].map((name) => join(cluster.dir, name))
    start()
    await expect.poll(() => log, { timeout: 60_000 }).toContain('the master listens')
    const script = `until [ -e ${goOn} ]; do sleep 0.1; done; touch ${done}`
    await run('submit', '--slots', '1', '--', 'bash', '-c', script)
    await expect.poll(() => log, { timeout: 60_000 }).toMatch(/job changed.*"state":"running"/)
    const [instance] = log.match(/local-[0-9a-f]{8}-\d/)!
    const pid = cluster.processOf(instance)
    await expect.poll(() => run('work'), { timeout: 60_000 }).toContain('running')

    await daemon.kill()
    await lose(join(cluster.dir, '.provision/master.journal'))
    start()
    await expect.poll(() => log, { timeout: 60_000 }).toMatch(/containers of unknown jobs/)
    await expect
      .poll(() => run('agents', '--format', 'json').then(JSON.parse), { timeout: 60_000 })
      .toMatchObject({ agents: [{ id: instance, state: 'joined', busy: true, unknownContainers: 1 }] })
    // Long enough for an idle one to be drained and terminated.
    await new Promise((resolve) => setTimeout(resolve, 4_000))
    expect(log).not.toMatch(/decided to (?:drain|terminate)/)
    expect(process.kill(pid, 0)).toBe(true)
    writeFileSync(goOn!, '')
    await expect.poll(() => existsSync(done!), { timeout: 60_000 }).toBe(true)
    await expect.poll(() => log, { timeout: 60_000 }).toMatch(/decided to terminate.*LONG_IDLE/)
  })
})
