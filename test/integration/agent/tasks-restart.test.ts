// Commands survive their agent: the next one with the same name takes them over, and none runs twice.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { processStart } from '../../../src/platform/processes.ts'
import { isRunning, readTask, startTask, writeTask } from '../../../src/standalone/agent/task.ts'
import { workFolder } from '../../../src/standalone/agent/task-environment.ts'
import { type AgentHome, agentHome } from '../../support/running-agent.ts'
import { options, type ScriptedMaster, scriptedMaster, type Visit } from '../../support/scripted-master.ts'
import { until } from '../../support/server.ts'
import { container, order } from '../../support/task-orders.ts'

let master: ScriptedMaster
let home: AgentHome
const processes: ChildProcess[] = []

beforeEach(async () => {
  master = await scriptedMaster()
  home = agentHome()
})
afterEach(async () => {
  for (const each of processes.splice(0)) each.kill('SIGKILL')
  await home.dispose()
  await master.close()
})

const env = () => ({ DET_MASTER_PORT: master.port, DET_AGENT_ID: 'a' })

async function visit(n: number): Promise<Visit> {
  await until(() => master.visits[n]?.heard[0]?.AgentStarted, `visit ${n}`)
  return master.visits[n]!
}

function expecting(...ids: string[]): void {
  master.greet = ({ connection }) =>
    connection.send({
      MasterSetAgentOptions: {
        ...options.MasterSetAgentOptions!,
        ContainersToReattach: ids.map((id) => ({ Container: { ...container(id), state: 'RUNNING' } })),
      },
    })
}

const acksOf = ({ heard }: Visit) =>
  heard[0]!.AgentStarted!.ContainersReattached.map(({ Container, Failure }) => [
    Container.id,
    Container.state,
    Failure?.ExitCode ?? Failure?.FailureType ?? 0,
  ])

const printed = () =>
  master.visits.flatMap(({ heard }) => heard.flatMap((m) => m.ContainerLog?.RunMessage?.Value ?? [])).join('')

const runs = () => readFileSync(join(home.dir, 'runs'), 'utf8').trim().split('\n')
const waiting =
  'echo $$ >> "$PROVISION_ROOT/runs"; echo one; until [ -e "$PROVISION_ROOT/go" ]; do sleep 0.02; done; echo two; exit 6'

async function startWaiting(n = 0): Promise<void> {
  ;(await visit(n)).connection.send(order(waiting))
  await until(() => printed() === 'one\n', 'the command to run')
}

describe('a command whose agent exits', () => {
  it('continues, and is taken over by the next agent, which reports its end', async () => {
    const first = home.run(env())
    await startWaiting()
    expect(await first.stop()).toBe(0)
    expect(processStart(Number(runs()[0]))).toBeDefined()
    expecting('c-1')
    home.run(env())
    const second = await visit(1)
    expect(acksOf(second)).toEqual([['c-1', 'RUNNING', 0]])
    home.file('go', '')
    await until(() => second.heard.some((m) => m.ContainerStateChanged?.ContainerStopped), 'its end')
    expect(printed()).toBe('one\ntwo\n')
    expect(runs()).toHaveLength(1)
  })

  it('and that ends in the meantime is reported by the next agent', async () => {
    const first = home.run(env())
    await startWaiting()
    await first.stop()
    home.file('go', '')
    await until(() => processStart(Number(runs()[0])) === undefined, 'its end')
    const { path } = workFolder('a', { PROVISION_ROOT: home.dir })
    // The shell that writes the status lives for a moment longer.
    await until(() => !isRunning(readTask(join(path, 'c-1'))!), 'the end of its shell')
    expecting('c-1')
    home.run(env())
    const { heard, connection } = await visit(1)
    // A master takes nothing from a container that has ended: the rest of its output comes first.
    expect(acksOf(master.visits[1]!)).toEqual([['c-1', 'RUNNING', 0]])
    connection.send({ SignalContainer: { ContainerID: 'c-1', Signal: 9 } })
    await until(() => heard.some((m) => m.ContainerStateChanged?.ContainerStopped), 'its end')
    expect(printed()).toBe('one\ntwo\n')
    expect(heard.at(-1)?.ContainerStateChanged?.ContainerStopped?.Failure?.ExitCode).toBe(6)
    connection.terminate()
    expect(acksOf(await visit(2))).toEqual([['c-1', 'TERMINATED', 6]])
    expect(printed()).toBe('one\ntwo\n')
  })

  it('is printed again from where the master lost it, also after its end', async () => {
    home.run(env())
    await startWaiting()
    home.file('go', '')
    const first = await visit(0)
    await until(() => first.heard.some((m) => m.ContainerStateChanged?.ContainerStopped), 'its end')
    expecting('c-1')
    const { greet } = master
    master.greet = (visited) =>
      greet({
        ...visited,
        connection: {
          ...visited.connection,
          send(message) {
            for (const each of message.MasterSetAgentOptions?.ContainersToReattach ?? [])
              each.OutputReceived = { Stdout: 4, Stderr: 0 }
            return visited.connection.send(message)
          },
        },
      })
    first.connection.terminate()
    const { heard } = await visit(1)
    expect(acksOf(master.visits[1]!)).toEqual([['c-1', 'RUNNING', 0]])
    await until(() => heard.some((m) => m.ContainerStateChanged?.ContainerStopped), 'its end again')
    expect(heard.flatMap((m) => m.ContainerLog?.RunMessage?.Value ?? [])).toEqual(['two\n'])
  })

  it('is killed by the next agent when the master does not know it', async () => {
    const first = home.run(env())
    await startWaiting()
    await first.stop()
    home.run(env())
    await visit(1)
    await until(() => processStart(Number(runs()[0])) === undefined, 'its end')
    const { path } = workFolder('a', { PROVISION_ROOT: home.dir })
    await until(() => readdirSync(path).length === 0, 'its folder to be removed')
  })

  it('is not reported to the master of another cluster', async () => {
    const first = home.run(env())
    await startWaiting()
    await first.stop()
    const { MasterInfo, ...rest } = options.MasterSetAgentOptions!
    const expected = { Container: { ...container('c-1'), state: 'RUNNING' as const } }
    const other = {
      ...rest,
      MasterInfo: { ...MasterInfo, cluster_id: 'other' },
      ContainersToReattach: [expected],
    }
    master.greet = ({ connection }) => connection.send({ MasterSetAgentOptions: other })
    home.run(env())
    expect(acksOf(await visit(1))).toMatchObject([['c-1', 'TERMINATED', expect.stringContaining('restore')]])
    await until(() => processStart(Number(runs()[0])) === undefined, 'its end')
  })

  it('is unknown to an agent with another name', async () => {
    const first = home.run(env())
    await startWaiting()
    await first.stop()
    expecting('c-1')
    home.run({ ...env(), DET_AGENT_ID: 'b' })
    expect(acksOf(await visit(1))).toMatchObject([['c-1', 'TERMINATED', expect.stringContaining('restore')]])
  })
})

describe('an agent that is killed', () => {
  function runProcess(): ChildProcess {
    const child = spawn(process.execPath, ['src/cli/main.ts', 'agent'], {
      stdio: 'ignore',
      env: {
        PATH: process.env['PATH'],
        PROVISION_ROOT: home.dir,
        DET_CONFIG_FILE: home.file('agent.yaml', ''),
        DET_MASTER_HOST: '127.0.0.1',
        DET_ARTIFICIAL_SLOTS: '2',
        ...Object.fromEntries(Object.entries(env()).map(([name, value]) => [name, String(value)])),
      },
    })
    processes.push(child)
    return child
  }

  it('leaves its command to the next one, which does not run it again', async () => {
    const first = runProcess()
    await startWaiting()
    first.kill('SIGKILL')
    await once(first, 'exit')
    expecting('c-1')
    const second = runProcess()
    const { connection, heard } = await visit(1)
    expect(acksOf(master.visits[1]!)).toEqual([['c-1', 'RUNNING', 0]])
    connection.send(order(waiting))
    home.file('go', '')
    await until(() => heard.some((m) => m.ContainerStateChanged?.ContainerStopped), 'its end')
    expect(runs()).toHaveLength(1)
    second.kill('SIGTERM')
    expect(await once(second, 'exit')).toEqual([0, null])
  })

  it('between recording a command and starting it leaves no process, and no failure', async () => {
    const folder = workFolder('a', { PROVISION_ROOT: home.dir }).make('c-1')
    // The shell that waits to be released, and exits when its agent does.
    const shell = await startTask(folder, ['true'], folder, {})
    const { pid, start, ended } = shell
    writeTask(folder, { container: container('c-1'), clusterId: 'c', process: { pid, start } })
    expecting('c-1')
    home.run(env())
    await until(() => master.visits[0], 'the agent to dial')
    shell.abandon()
    await ended
    const { connection, heard } = await visit(0)
    expect(acksOf(master.visits[0]!)).toMatchObject([
      ['c-1', 'TERMINATED', expect.stringContaining('restore')],
    ])
    connection.send(order('echo now'))
    await until(() => heard.some((m) => m.ContainerStateChanged?.ContainerStopped), 'its end')
    expect(printed()).toBe('now\n')
  })

  it('between creating a folder and starting leaves no process', async () => {
    const folder = workFolder('a', { PROVISION_ROOT: home.dir })
    folder.make('c-1')
    mkdirSync(join(folder.task('c-1'), 'files'))
    expecting('c-1')
    home.run(env())
    const { connection, heard } = await visit(0)
    expect(acksOf(master.visits[0]!)).toMatchObject([
      ['c-1', 'TERMINATED', expect.stringContaining('restore')],
    ])
    // The master knows that it was never started, and orders it again.
    connection.send(order('echo now'))
    await until(() => heard.some((m) => m.ContainerStateChanged?.ContainerStopped), 'its end')
    expect(printed()).toBe('now\n')
  })
})
