// The script that sends the output of a container to the master, run as Determined's agent would have docker run it, but without a
// container: the files of the order are placed below a folder.
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { type AddressInfo, connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { placeFiles } from '../../../src/standalone/agent/task-environment.ts'
import type { StartContainer } from '../../../src/standalone/protocol/messages.ts'
import { chain, startMaster, type TestAgent, type TestMaster } from '../../support/master.ts'
import { until } from '../../support/server.ts'
import { post } from '../../support/work.ts'

let root: string
let m: TestMaster
let agent: TestAgent
beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), 'container-'))
  const { chain: sent, root: anchor } = await chain()
  m = await startMaster({ taskCertificate: () => sent + anchor.certificate })
  agent = await m.join('d')
})
afterEach(async () => {
  await m.stop()
  rmSync(root, { recursive: true, force: true })
})

interface Run {
  id: string
  out: string
  err: string
  status: number | null | undefined
  kill: (signal: NodeJS.Signals) => void
}

/** Submits the command with an image, and runs what the agent was ordered to run. */
async function run(argv: string[], change: Record<string, string> = {}): Promise<Run> {
  const { json } = await post(m, '/provision/v1/jobs', { command: argv, slots: 1, image: 'python:3' })
  const orders = () => agent.heard.flatMap(({ StartContainer: order }) => (order ? [order] : []))
  await until(() => orders().length > 0, 'the order')
  const { Container, Spec } = orders().at(-1)! as StartContainer
  const files = placeFiles(Spec.RunSpec.Archives, root)
  for (const path of ['run.sh', 'output.py']) {
    const file = files.get(`/run/determined/provision/${path}`)!
    writeFileSync(
      file,
      readFileSync(file, 'utf8').replaceAll('/run/determined', join(root, 'run/determined')),
    )
  }
  const given = Spec.RunSpec.ContainerConfig.Env.map((line) => {
    const [name, value] = [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]
    return [name, files.get(value) ?? value]
  })
  const env = {
    PATH: process.env['PATH'],
    ...Object.fromEntries(given),
    // Determined's agent adds these.
    DET_MASTER: `https://127.0.0.1:${m.listener.port}`,
    DET_MASTER_CERT_NAME: 'master.test',
    DET_CONTAINER_ID: Container.id,
    ...change,
  }
  const [shell, script, ...rest] = Spec.RunSpec.ContainerConfig.Cmd
  // Like docker, without standard input.
  const child = spawn(shell!, [files.get(script!)!, ...rest], { env, stdio: ['ignore', 'pipe', 'pipe'] })
  const ended: Run = { id: json.job.task, out: '', err: '', status: undefined, kill: (s) => child.kill(s) }
  child.stdout.setEncoding('utf8').on('data', (text) => {
    ended.out += text
  })
  child.stderr.setEncoding('utf8').on('data', (text) => {
    ended.err += text
  })
  child.once('close', (code) => {
    ended.status = code
  })
  return ended
}

async function logOf(id: string): Promise<[string, string][]> {
  const { logs } = (await m.ask(`/provision/v1/jobs/${id}/logs`)).json
  return logs.map(({ stream, text }: { stream: string; text: string }) => [stream, text])
}

const over = (ended: Run) => until(() => ended.status !== undefined, 'its end', 45)

it('sends both streams while the command runs, prints them, and exits with its status', async () => {
  const ended = await run(['sh', '-c', 'echo one; echo två >&2; read -r x; printf three; exit 3'])
  await over(ended)
  expect([ended.status, ended.out, ended.err]).toEqual([3, 'one\nthree', 'två\n'])
  const log = await logOf(ended.id)
  expect(log.filter(([stream]) => stream === 'stdout')).toEqual([
    ['stdout', 'one\n'],
    ['stdout', 'three'],
  ])
  expect(log.filter(([stream]) => stream === 'stderr')).toEqual([['stderr', 'två\n']])
})

it('sends a line when it is printed, and passes signals on', async () => {
  const ended = await run([
    'sh',
    '-c',
    'trap "echo stopped; exit 0" TERM; echo ready; while :; do sleep 0.1; done',
  ])
  await expect.poll(() => logOf(ended.id), { timeout: 20_000 }).toEqual([['stdout', 'ready\n']])
  expect(ended.status).toBeUndefined()
  ended.kill('SIGTERM')
  await over(ended)
  expect([ended.status, await logOf(ended.id)]).toEqual([
    0,
    [
      ['stdout', 'ready\n'],
      ['stdout', 'stopped\n'],
    ],
  ])
})

it('sends much output in order, long lines in parts, and what is no text', async () => {
  const ended = await run([
    'sh',
    '-c',
    'seq 1 900; head -c 40000 /dev/zero | tr "\\0" x; echo; printf "\\377\\n"',
  ])
  await over(ended)
  const texts = (await logOf(ended.id)).map(([, text]) => text)
  expect(texts.slice(0, 900).join('')).toBe(Array.from({ length: 900 }, (_, i) => `${i + 1}\n`).join(''))
  expect(texts.slice(900).map((text) => text.length)).toEqual([16384, 16384, 7233, 2])
  expect(texts.at(-1)).toBe('\ufffd\n')
})

it('sends very many short lines without losing one', async () => {
  const ended = await run(['sh', '-c', 'yes | head -100000; echo last'])
  await over(ended)
  const { logs, count } = (await m.ask(`/provision/v1/jobs/${ended.id}/logs`)).json
  expect([count, logs.at(-1).text]).toEqual([100_001, 'last\n'])
})

it('says why a command cannot be started, as a shell does', async () => {
  const ended = await run(['no-such-program'])
  await over(ended)
  expect([ended.status, await logOf(ended.id)]).toEqual([
    127,
    [['stderr', 'no-such-program: No such file or directory\n']],
  ])
})

it('gives the token to no command', async () => {
  const ended = await run(['sh', '-c', 'echo "[$PROVISION_OUTPUT_TOKEN]"'])
  await over(ended)
  expect(ended.out).toBe('[]\n')
})

it('runs the command where there is no Python, and says that the master gets no output', async () => {
  const ended = await run(['/bin/echo', 'hi'], { PATH: '/nowhere' })
  await over(ended)
  expect([ended.status, ended.out]).toEqual([0, 'hi\n'])
  expect(ended.err).toContain('there is no Python 3.6 or newer')
  expect(await logOf(ended.id)).toEqual([])
})

it('ends at once when the master does not know the container', async () => {
  const wrong = await run(['echo', 'hi'], { PROVISION_OUTPUT_TOKEN: 'a'.repeat(36) })
  await over(wrong)
  expect([wrong.status, await logOf(wrong.id)]).toEqual([0, []])
})

it('keeps the output while the master is away', async () => {
  const forwarder = createServer((from) => {
    const to = connect(m.listener.port, '127.0.0.1')
    from.pipe(to).pipe(from)
    for (const socket of [from, to]) socket.on('error', () => from.destroy())
  })
  const opened = () => new Promise<void>((resolve) => forwarder.listen(port, '127.0.0.1', resolve))
  let port = 0
  await opened()
  ;({ port } = forwarder.address() as AddressInfo)
  await new Promise((resolve) => forwarder.close(resolve))
  const ended = await run(['sh', '-c', 'echo early; sleep 1; echo late'], {
    DET_MASTER: `https://127.0.0.1:${port}`,
  })
  await until(() => ended.out.includes('late'), 'its last line')
  expect(await logOf(ended.id)).toEqual([])
  await opened()
  try {
    await over(ended)
    expect([ended.status, await logOf(ended.id)]).toEqual([
      0,
      [
        ['stdout', 'early\n'],
        ['stdout', 'late\n'],
      ],
    ])
  } finally {
    forwarder.close()
  }
})
