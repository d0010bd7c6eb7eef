// A built-in master over TLS and its agents, each a separate process that is killed and restarted.
import { mkdirSync, mkdtempSync, openSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Client, createClient } from '../../src/http/client.ts'
import { targetByConfig } from '../../src/http/target.ts'
import { createDevelopmentChain } from '../../src/pki/development-ca.ts'
import { systemClock } from '../../src/platform/clock.ts'
import { processesWith, sendSignal } from '../../src/platform/processes.ts'
import { loadConfig } from '../../test/support/config.ts'
import { type Killable, killable } from '../../test/support/killable.ts'
import { until } from '../../test/support/server.ts'

export interface Member {
  name: string
  /** Milliseconds since the epoch. */
  kills: number[]
  /** Exits that were not caused by a kill; expected for agents of a dead master. */
  ownEnds: string[]
  /** Kills it if it runs, and restarts it after `down` milliseconds. */
  strike(down: number): Promise<void>
}

export interface SoakCluster {
  folder: string
  master: Member
  agents: Member[]
  client: Client
  /** Ends every process, including those of jobs; removes the folder unless it is to be examined. */
  close(keepFolder: boolean): Promise<void>
}

/** Milliseconds that a supervisor such as docker needs to restart a process. */
const restartAfter = 200

/** `cli` is the bundled command line. */
export async function startCluster(cli: string, agentNames: string[]): Promise<SoakCluster> {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'kill-soak-')))
  const { config, port } = await configure(folder)
  const closing = new AbortController()
  const killables: Killable[] = []

  function member(name: string, args: string[], env: Record<string, string>): Member {
    mkdirSync(join(folder, name))
    const log = openSync(join(folder, `${name}.log`), 'a')
    const machine = { PATH: process.env['PATH'], PROVISION_ROOT: join(folder, name) }
    const ownEnds: string[] = []
    const kills: number[] = []
    const start = () => void (closing.signal.aborted || own.isUp() || own.start([cli, ...args]))
    const later = (ms: number) => systemClock.sleep(ms, closing.signal).then(start, () => {})
    const own = killable({ env: { ...machine, ...env }, stdio: ['ignore', log, log] }, (status) => {
      ownEnds.push(status)
      void later(restartAfter)
    })
    killables.push(own)
    start()
    async function strike(down: number): Promise<void> {
      if (!(await own.kill())) return
      kills.push(Date.now())
      void later(down)
    }
    return { name, kills, ownEnds, strike }
  }

  const master = member('master', ['-c', join(folder, 'master.yaml')], {})
  const target = () => targetByConfig(config, { now: Date.now() })
  await until(() => 'token' in target().access, 'the token of the master', 20)
  const agents = agentNames.map((name) =>
    member(name, ['agent'], {
      DET_CONFIG_FILE: join(folder, 'agent.yaml'),
      DET_AGENT_ID: name,
      DET_MASTER_HOST: '127.0.0.1',
      DET_MASTER_PORT: String(port),
      DET_SECURITY_TLS_ENABLED: 'true',
      DET_SECURITY_TLS_MASTER_CERT: join(folder, 'root.crt'),
      DET_SECURITY_TLS_MASTER_CERT_NAME: 'master.test',
      DET_ARTIFICIAL_SLOTS: '2',
      DET_AGENT_RECONNECT_BACKOFF: '1',
    }),
  )
  return {
    folder,
    master,
    agents,
    client: createClient({ target: target(), version: 'soak' }),
    async close(keepFolder) {
      closing.abort()
      await Promise.all(killables.map((each) => each.kill()))
      for (const { name } of agents)
        for (const pid of processesWith(`PROVISION_ROOT=${join(folder, name)}`)) sendSignal(pid, 'SIGKILL')
      if (!keepFolder) rmSync(folder, { recursive: true, force: true, maxRetries: 10 })
    },
  }
}

async function configure(folder: string) {
  const names = { names: ['master.test'], ips: ['127.0.0.1'] }
  const { chain, leaf, root } = await createDevelopmentChain({ ...names, days: 1, now: Date.now() })
  const port = await freePort()
  const files = {
    'chain.crt': chain,
    'server.key': leaf.key,
    'root.crt': root.certificate,
    'agent.yaml': '',
    'master.yaml': `port: ${port}
security: {tls: {cert: chain.crt, key: server.key}}
resource_pools: [{pool_name: default, agents: any, agent_reconnect_wait: 30s}]
`,
  }
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text, { mode: 0o600 })
  const { config, problems } = loadConfig(join(folder, 'master.yaml'))
  if (!config) throw new Error(JSON.stringify(problems))
  return { config, port }
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  await new Promise((resolve) => server.close(resolve))
  return port
}
