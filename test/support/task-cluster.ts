// A built-in master and agent with TLS, and commands that run on it.
import { request } from 'node:https'
import { createDevelopmentChain, type DevelopmentChain } from '../../src/pki/development-ca.ts'
import { startMaster, type TestMaster, token } from './master.ts'
import { type AgentHome, agentHome, type RunningAgent } from './running-agent.ts'
import { until } from './server.ts'

export interface Finished {
  state: string
  reason: string
  stdout: string
  stderr: string
}

export interface TaskCluster {
  chain: DevelopmentChain
  test: TestMaster
  agent: RunningAgent
  home: AgentHome
  ask(method: string, path: string, body?: unknown): Promise<unknown>
  /** Submits a command for one slot and waits for its end. */
  run(command: string[], env?: Record<string, string>): Promise<Finished>
  dispose(): Promise<void>
}

let shared: Promise<DevelopmentChain> | undefined

/** The master's certificate is for 127.0.0.1 too: tasks use the same address as their agent. */
export async function taskCluster(): Promise<TaskCluster> {
  shared ??= createDevelopmentChain({ names: ['master.test'], ips: ['127.0.0.1'], days: 30, now: Date.now() })
  const chain = await shared
  const home = agentHome()
  const tls = { cert: chain.chain, key: chain.leaf.key }
  const test = await startMaster({ taskCertificate: () => chain.chain }, { tls })
  const agent = home.run({
    DET_MASTER_PORT: test.listener.port,
    DET_AGENT_ID: 'agent-1',
    DET_SECURITY_TLS_ENABLED: 'true',
    DET_SECURITY_TLS_MASTER_CERT: home.file('master.crt', chain.root.certificate),
  })
  await until(() => test.master.agents()[0]?.phase === 'joined', 'the agent to join')

  const ask: TaskCluster['ask'] = (method, path, body) =>
    askJson(test.listener.port, chain.root.certificate, method, path, body)

  return {
    chain,
    test,
    agent,
    home,
    ask,
    async run(command, env = {}) {
      const { job } = (await ask('POST', '/provision/v1/jobs', { command, env })) as { job: { id: string } }
      let found = { state: '', reason: '' }
      for (
        const end = Date.now() + 30_000;
        !['finished', 'failed', 'lost', 'killed'].includes(found.state);
      ) {
        if (Date.now() > end) throw new Error(`${command[0]} never ended: ${JSON.stringify(found)}`)
        await new Promise((resolve) => setTimeout(resolve, 20))
        found = ((await ask('GET', `/provision/v1/jobs/${job.id}`)) as { job: typeof found }).job
      }
      const { logs } = (await ask('GET', `/provision/v1/jobs/${job.id}/logs`)) as {
        logs: { stream: string; text: string }[]
      }
      const outputOf = (stream: string) =>
        logs.map((line) => (line.stream === stream ? line.text : '')).join('')
      return {
        state: found.state,
        reason: found.reason,
        stdout: outputOf('stdout'),
        stderr: outputOf('stderr'),
      }
    },
    async dispose() {
      await home.dispose()
      await test.stop()
    },
  }
}

function askJson(port: number, ca: string, method: string, path: string, body: unknown): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const headers = { Authorization: `Bearer ${token}` }
    const sent = request({ host: '127.0.0.1', port, path, method, headers, ca, agent: false }, (response) => {
      let text = ''
      response.setEncoding('utf8').on('data', (chunk) => {
        text += chunk
      })
      response.on('end', () => resolve(JSON.parse(text)))
    })
    sent.on('error', reject)
    sent.end(body === undefined ? undefined : JSON.stringify(body))
  })
}
