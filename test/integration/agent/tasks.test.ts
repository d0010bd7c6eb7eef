// The agent runs commands for the built-in master: each once, whatever happens to the connection or to the agent.
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { processStart } from '../../../src/platform/processes.ts'
import { type ContainerFailure, failureTypes, fileType } from '../../../src/standalone/protocol/container.ts'
import type { MasterMessage } from '../../../src/standalone/protocol/messages.ts'
import {
  type AgentHome,
  agentHome,
  type Relay,
  type RunningAgent,
  relay,
} from '../../support/running-agent.ts'
import { options, type ScriptedMaster, scriptedMaster, type Visit } from '../../support/scripted-master.ts'
import { until } from '../../support/server.ts'
import { container, order } from '../../support/task-orders.ts'

let master: ScriptedMaster
let wire: Relay
let home: AgentHome

beforeEach(async () => {
  master = await scriptedMaster()
  wire = await relay(master.port)
  home = agentHome()
})
afterEach(async () => {
  await home.dispose()
  await wire.close()
  await master.close()
})

const start = (): RunningAgent =>
  home.run({ DET_MASTER_PORT: wire.port, DET_AGENT_ID: 'a', DET_AGENT_RECONNECT_ATTEMPTS: 100_000 })

async function visit(n = 0): Promise<Visit> {
  await until(() => master.visits[n]?.heard[0]?.AgentStarted, `visit ${n}`)
  return master.visits[n]!
}

/** All messages about the container, over all connections: its states, its output, its end. */
function news(id = 'c-1') {
  const heard = master.visits.flatMap((each) => each.heard)
  const changes = heard
    .flatMap((m: MasterMessage) => m.ContainerStateChanged ?? [])
    .filter((c) => c.Container.id === id)
  const logs = heard
    .flatMap((m: MasterMessage) => m.ContainerLog ?? [])
    .filter((log) => log.ContainerID === id)
  return {
    states: changes.map((change) => change.Container.state),
    failures: changes.flatMap((change) => change.ContainerStopped?.Failure ?? []),
    printed: (type: 1 | 2) =>
      logs.map((log) => (log.RunMessage?.StdType === type ? log.RunMessage.Value : '')).join(''),
    end: changes.find((change) => change.Container.state === 'TERMINATED')?.ContainerStopped,
  }
}

async function end(id = 'c-1'): Promise<ContainerFailure | null> {
  await until(() => news(id).end, `the end of ${id}`)
  return news(id).end!.Failure
}

/** How often the script of a test has run this line. */
function marks(): string[] {
  const file = join(home.dir, 'marks')
  return existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : []
}
const mark = (word: string) => `echo ${word} >> "$PROVISION_ROOT/marks"`

/** A connection on which the master expects these containers to exist. */
function expecting(...ids: string[]): void {
  master.greet = ({ connection }) =>
    connection.send({
      MasterSetAgentOptions: {
        ...options.MasterSetAgentOptions!,
        ContainersToReattach: ids.map((id) => ({ Container: { ...container(id), state: 'RUNNING' } })),
      },
    })
}

describe('a command', () => {
  it('runs, returns its output, and ends', async () => {
    start()
    ;(await visit()).connection.send(order('echo out; echo err >&2; echo -n rest'))
    expect(await end()).toBeNull()
    expect(news().states).toEqual(['STARTING', 'RUNNING', 'TERMINATED'])
    expect([news().printed(1), news().printed(2)]).toEqual(['out\nrest', 'err\n'])
  })

  it.each([
    ['exit 3', 3, 'exited with status 3'],
    ['kill -SEGV $$', 139, 'killed by signal 11'],
    ['exit 200', 200, 'exited with status 200'],
  ])('that fails is reported with its exit code: %s', async (script, ExitCode, ErrMsg) => {
    start()
    ;(await visit()).connection.send(order(script))
    expect(await end()).toEqual({ FailureType: failureTypes.containerFailed, ErrMsg, ExitCode })
  })

  it('that does not exist is reported in its log', async () => {
    start()
    ;(await visit()).connection.send(order('', { Cmd: ['/no/such/program'] }))
    expect(await end()).toMatchObject({ ExitCode: 127 })
    expect(news().printed(2)).toContain('/no/such/program')
  })

  it('gets its arguments unchanged', async () => {
    start()
    const Cmd = ['printf', '%s|', 'a b', '$HOME', '`id`', "it's", 'ü\n']
    ;(await visit()).connection.send(order('', { Cmd }))
    expect(await end()).toBeNull()
    expect(news().printed(1)).toBe("a b|$HOME|`id`|it's|ü\n|")
  })

  it('has the environment, the files and the folder of the order, and an empty standard input', async () => {
    start()
    const { connection } = await visit()
    const script =
      'pwd; echo "$A $DET_CONTAINER_ID $DET_SLOT_IDS $DET_MASTER"; cat "$DET_MASTER_CERT_FILE"; cat'
    const Env = ['A=ordered', 'DET_MASTER_CERT_FILE=/run/determined/etc/ssl/master.crt']
    connection.send(order(script, { Env, WorkingDir: '/usr', certificate: 'PEM\n', devices: [1] }))
    expect(await end()).toBeNull()
    expect(news().printed(1)).toBe(`/usr\nordered c-1 [1] http://127.0.0.1:${wire.port}\nPEM\n`)
  })

  it('is ended together with its child processes', async () => {
    start()
    ;(await visit()).connection.send(order('sleep 300 & echo $!'))
    expect(await end()).toBeNull()
    expect(processStart(Number(news().printed(1)))).toBeUndefined()
  })

  it('runs once, however often its start is requested', async () => {
    start()
    const { connection } = await visit()
    const twice = order(`${mark('ran')}; sleep 0.3`)
    connection.send(twice)
    connection.send(twice)
    expect(await end()).toBeNull()
    connection.send(twice)
    await until(() => news().states.filter((state) => state === 'TERMINATED').length > 1, 'its end once more')
    expect(marks()).toEqual(['ran'])
    expect(news().failures).toEqual([])
  })

  it('runs beside others', async () => {
    start()
    const { connection } = await visit()
    for (const id of ['c-1', 'c-2', 'c-3']) connection.send(order(`echo ${id}`, { id }))
    for (const id of ['c-1', 'c-2', 'c-3']) {
      expect(await end(id)).toBeNull()
      expect(news(id).printed(1)).toBe(`${id}\n`)
    }
  })
})

describe('a signal', () => {
  it('can be handled by the command', async () => {
    start()
    const { connection } = await visit()
    connection.send(order('trap "echo bye; exit 5" TERM; echo up; while :; do sleep 0.05; done'))
    await until(() => news().printed(1) === 'up\n')
    connection.send({ SignalContainer: { ContainerID: 'c-1', Signal: 15 } })
    expect(await end()).toMatchObject({ ExitCode: 5 })
    expect(news().printed(1)).toBe('up\nbye\n')
  })

  it('that kills ends everything at once', async () => {
    start()
    const { connection } = await visit()
    connection.send(order('trap "" TERM; echo $$; sleep 300; echo no'))
    await until(() => news().printed(1) !== '')
    connection.send({ SignalContainer: { ContainerID: 'c-1', Signal: 9 } })
    expect(await end()).toMatchObject({ ExitCode: 137, ErrMsg: 'killed by signal 9' })
    // The whole group was signalled, but each of its processes ends at its own time.
    await until(() => processStart(Number(news().printed(1))) === undefined, 'the end of the command')
  })

  it('sent right after the order reaches the command', async () => {
    start()
    const { connection } = await visit()
    connection.send(order('sleep 300'))
    connection.send({ SignalContainer: { ContainerID: 'c-1', Signal: 9 } })
    expect(await end()).toMatchObject({ ExitCode: 137 })
  })

  it('for an unknown container is answered', async () => {
    start()
    ;(await visit()).connection.send({ SignalContainer: { ContainerID: 'nobody', Signal: 9 } })
    expect(await end('nobody')).toMatchObject({ FailureType: failureTypes.containerMissing })
  })
})

it('a command runs in a folder of its files', async () => {
  start()
  const workdir = '/run/determined/workdir'
  const message = order('cat lib/word; pwd', { WorkingDir: workdir })
  const item = { mode: 0o644, mtime: 0, uid: 0, gid: 0 }
  message.StartContainer!.Spec.RunSpec.Archives = [
    { Path: '/', Archive: [{ ...item, path: workdir, type: fileType.directory, content: '' }] },
    { Path: workdir, Archive: [{ ...item, path: 'lib/word', type: fileType.file, content: 'aGk=' }] },
  ]
  ;(await visit()).connection.send(message)
  expect(await end()).toBeNull()
  expect(news().printed(1)).toMatch(/^hi\/.+\/files\/run\/determined\/workdir\n$/)
})

describe('an order that cannot be carried out is answered with the reason', () => {
  it.each([
    ['an image', { Image: 'determinedai/environments:cuda' }, /image determinedai\/environments:cuda needs/],
    ['no command', { Cmd: [] }, /has no command/],
    ['a device of someone else', { devices: [7] }, /device 7 does not belong to this agent/],
    [
      'a working directory that is not there',
      { WorkingDir: '/no/such' },
      /directory \/no\/such does not exist/,
    ],
    ['an id that is a path', { id: '../../x' }, /is not a valid folder name/],
  ])('%s', async (_, change, reason) => {
    const agent = start()
    ;(await visit()).connection.send(order(mark('ran'), change))
    const { id = 'c-1' } = change as { id?: string }
    expect(await end(id)).toEqual({
      FailureType: failureTypes.agentError,
      ErrMsg: expect.stringMatching(reason),
      ExitCode: null,
    })
    expect(marks()).toEqual([])
    // For a command that never ran, this must be the only message.
    expect(news(id).states).toEqual(['TERMINATED'])
    expect(agent.said()).toContain('a task could not be started')
  })
})

describe('a connection that breaks', () => {
  it('leaves commands running, and loses none of their output', async () => {
    start()
    ;(await visit()).connection.send(
      order('echo one; until [ -e "$PROVISION_ROOT/go" ]; do sleep 0.02; done; echo two; exit 4'),
    )
    await until(() => news().printed(1) === 'one\n')
    expecting('c-1')
    wire.cut()
    const { heard } = await visit(1)
    expect(heard[0]!.AgentStarted!.ContainersReattached).toEqual([
      { Container: { ...container('c-1'), state: 'RUNNING' }, Failure: null },
    ])
    home.file('go', '')
    expect(await end()).toMatchObject({ ExitCode: 4 })
    expect(news().printed(1)).toBe('one\ntwo\n')
  })

  it('does not hide the end of a command', async () => {
    const agent = start()
    const { connection } = await visit()
    connection.send(order('until [ -e "$PROVISION_ROOT/go" ]; do sleep 0.02; done; echo two; exit 4'))
    await until(() => news().states.includes('RUNNING'))
    master.refusal = 'not now'
    wire.cut()
    home.file('go', '')
    await until(() => agent.said().includes('a task has ended'))
    expecting('c-1')
    master.refusal = undefined
    await visit(1)
    expect(await end()).toMatchObject({ ExitCode: 4 })
    expect(news().printed(1)).toBe('two\n')
  })

  it('terminates a command that is unknown to the master', async () => {
    start()
    ;(await visit()).connection.send(order(`${mark('$$')}; exec sleep 300`))
    await until(() => marks().length === 1)
    const pid = Number(marks()[0])
    wire.cut()
    await visit(1)
    await until(() => processStart(pid) === undefined, 'the end of the command')
  })
})
