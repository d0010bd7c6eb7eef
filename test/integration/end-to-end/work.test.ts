// Jobs submitted on the command line, run by local agents of a stand-alone provisioner, always over verified TLS.
import { delimiter, dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { type CliRun, runCliAside } from '../../support/run-cli.ts'
import { until } from '../../support/server.ts'
import { Cluster } from '../../support/stand-alone.ts'

let cluster: Cluster
beforeAll(async () => {
  cluster = new Cluster()
  await cluster.certificate()
  const running = await cluster.start(
    await cluster.config('min_instances: 2', 'max_instances: 2', 'slots: 2'),
  )
  const joined = () => running.rows().filter((row) => row.agent === 'joined').length
  await until(() => joined() === 2, 'two agents to join', 15)
}, 30_000)
afterAll(() => cluster.dispose())

const provision = (...args: string[]): Promise<CliRun> => runCliAside(args, { cwd: cluster.dir })
const submit = (...args: string[]): Promise<CliRun> => provision('submit', '--wait', ...args)

/** Submits it and returns its id. */
async function begin(...args: string[]): Promise<string> {
  const { status, stdout, stderr } = await provision('submit', ...args)
  expect(status, stderr).toBe(0)
  return stdout.trim()
}

// biome-ignore lint/suspicious/noExplicitAny: the master's own JSON
async function show(id: string): Promise<any> {
  return JSON.parse((await provision('work', id, '--format', 'json')).stdout).job
}

async function becomes(id: string, state: string): Promise<void> {
  await expect.poll(async () => (await show(id)).state, { timeout: 60_000, interval: 50 }).toBe(state)
}

function alive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

describe('a command', () => {
  it('runs on an agent; its output goes to the same streams, and it exits with 0', async () => {
    const run = await submit(
      '--slots',
      '2',
      '--env',
      'WHO=world',
      '--',
      'bash',
      '-c',
      'echo "hi $WHO"; echo oh >&2',
    )
    expect(run).toMatchObject({ status: 0, stdout: 'hi world\n' })
    expect(run.stderr).toMatch(/^oh$/m)
    expect(run.stderr).toMatch(/is running on local-\w+-\d\n[\s\S]*has finished/)
  })

  it('that fails makes --wait exit with its status, and reports it with its agent', async () => {
    const run = await submit('--', 'bash', '-c', 'echo last words; exit 7')
    expect(run).toMatchObject({ status: 7, stdout: 'last words\n' })
    expect(run.stderr).toMatch(/has failed: local-\w+-\d: .*\b7\b/)
  })

  it('that does not exist fails, too', async () => {
    const run = await submit('--', '/no/such/program')
    expect(run.status).toBe(127)
    expect(run.stderr).toMatch(/has failed/)
  })

  it('keeps its words and its own flags unchanged', async () => {
    const run = await submit('--', 'printf', '%s|', '--pool', 'a b', '$HOME', '')
    expect(run).toMatchObject({ status: 0, stdout: '--pool|a b|$HOME||\n' })
  })

  it('is ended by --kill, and a client that waits for it learns that', async () => {
    const id = 'to-be-killed'
    const waiting = submit('--id', id, '--', 'bash', '-c', 'echo $$; exec tail -f /dev/null')
    const printed = async () => (await provision('work', id, '--logs')).stdout.trim()
    await expect.poll(printed, { timeout: 60_000, interval: 50 }).toMatch(/^\d+$/)
    const pid = Number(await printed())
    expect(alive(pid)).toBe(true)
    expect(await provision('work', id, '--kill')).toMatchObject({ status: 0, stdout: '' })
    const { status, stderr } = await waiting
    expect(stderr).toMatch(/was killed: killed by a request/)
    expect(status).toBe(137)
    await until(() => !alive(pid), 'the end of the process')
  })
})

describe('a job without a command', () => {
  it('uses slots of several agents for its duration', async () => {
    const run = await submit('--slots', '4', '--duration', '300ms', '--format', 'json')
    expect(run.status, run.stderr).toBe(0)
    const { job: work } = JSON.parse(run.stdout)
    expect(work).toMatchObject({
      state: 'finished',
      slots: 4,
      containers: [{ slots: [0, 1] }, { slots: [0, 1] }],
    })
    expect(Date.parse(work.endedAt) - Date.parse(work.startedAt)).toBeGreaterThanOrEqual(300)
  })

  it('delays other jobs, but not auxiliary ones', async () => {
    const all = await begin('--slots', '4', '--duration', '10m', '--name', 'everything')
    await becomes(all, 'running')
    const next = await begin('--', 'true')
    expect(await submit('--aux', '--', 'echo', 'beside it')).toMatchObject({
      status: 0,
      stdout: 'beside it\n',
    })
    expect((await show(next)).state).toBe('pending')
    const { stdout } = await provision('work')
    expect(stdout).toMatch(new RegExp(`^${all} +running +default +4 .* everything$`, 'm'))
    expect(stdout).toMatch(new RegExp(`^${next} +pending +default +1 .* true$`, 'm'))
    await provision('work', all, '--kill')
    await becomes(next, 'finished')
  })
})

describe('a job submitted twice with the same id', () => {
  it('runs once', async () => {
    const file = join(cluster.dir, 'runs')
    const order = ['--id', 'once', '--', 'bash', '-c', `echo run >> ${file}; echo done`]
    expect(await submit(...order)).toMatchObject({ status: 0, stdout: 'done\n' })
    expect(await submit(...order)).toMatchObject({ status: 0, stdout: 'done\n' })
    expect((await submit('--', 'cat', file)).stdout).toBe('run\n')
    const other = await submit('--id', 'once', '--', 'true')
    expect(other.stderr).toMatch(/WORK_ID_TAKEN .*once/)
    expect(other.status).toBe(1)
  })
})

describe('a task that calls its master by HTTPS', () => {
  const call =
    "fetch(process.env.DET_MASTER + '/info').then((r) => r.json()).then((i) => console.log(i.product))"

  it('verifies it in Node without any configuration', async () => {
    const run = await submit('--', process.execPath, '-e', call)
    expect(run, run.stderr).toMatchObject({ status: 0, stdout: 'dynamic-agent-provisioner\n' })
  })

  it("would not without its agent's environment", async () => {
    const run = await submit('--', 'env', '-u', 'NODE_EXTRA_CA_CERTS', process.execPath, '-e', call)
    expect(run.status).toBe(1)
    expect(run.stderr).toMatch(/SELF_SIGNED_CERT|UNABLE_TO_VERIFY|certificate/)
  })

  it('finds it with this same command line, too', async () => {
    const path = [dirname(process.execPath), process.env['PATH']].join(delimiter)
    const words = [
      '--env',
      `PATH=${path}`,
      '--id',
      'itself',
      '--',
      process.execPath,
      inject('cli'),
      'work',
      'itself',
      '--token-file',
      join(cluster.dir, '.provision/token'),
    ]
    const run = await submit(...words)
    expect(run.status, run.stderr).toBe(0)
    expect(run.stdout).toMatch(/^state +running$/m)
  })
})

describe('a job that waits', () => {
  it('says why, in the order of a waiting client, in the list, and alone', async () => {
    const busy = await begin('--slots', '4', '--duration', '1m')
    const waiting = submit('--id', 'behind', '--slots', '4', '--duration', '1s')
    await expect
      .poll(async () => (await show('behind')).waiting?.code, { timeout: 15_000 })
      .toBe('MAX_REACHED')
    const { waiting: why } = await show('behind')
    expect(why).toMatchObject({
      numbers: { slots: 4, max: 2 },
      remedy: expect.stringMatching(/max_instances/),
    })
    expect(Date.parse(why.nextAt)).toBeGreaterThanOrEqual(Date.parse(why.since))
    expect((await provision('jobs')).stdout).toMatch(/behind +pending .* MAX_REACHED /)
    const alone = await provision('jobs', 'behind')
    expect(alone.stdout).toMatch(/^waits for +MAX_REACHED .*\nremedy +Raise max_instances/m)
    await provision('jobs', busy, '--kill')
    const { status, stderr } = await waiting
    expect(status).toBe(0)
    expect(stderr).toMatch(
      /behind is waiting for 4 slots in pool default: MAX_REACHED .*\n {2}Raise max_instances/,
    )
    expect(stderr.match(/MAX_REACHED/g)).toHaveLength(1)
  })

  it('is rejected if it can never run, unless it is forced', async () => {
    const refused = await submit('--slots', '6', '--', 'true')
    expect(refused.stderr).toMatch(
      /WORK_CANNOT_RUN EXCEEDS_MAX: a job of 6 slots needs 3 instances of pool default, and max_instances is 2\n.*--force/,
    )
    expect(refused).toMatchObject({ status: 2, stdout: '' })
    const odd = await submit('--slots', '3', '--', 'true')
    expect(odd.stderr).toMatch(/WORK_CANNOT_RUN NEVER_FITS: .*they have 2 slots/)
    const forced = submit('--slots', '6', '--force', '--id', 'forced', '--', 'true')
    await expect
      .poll(async () => (await show('forced')).waiting?.code, { timeout: 15_000 })
      .toBe('EXCEEDS_MAX')
    await provision('jobs', 'forced', '--kill')
    expect((await forced).status).toBe(125)
  })

  it('is rejected with an image, because these agents are built-in', async () => {
    const image = ['--image', 'python:3.12']
    const refused = await submit(...image, '--', 'true')
    expect(refused.stderr).toMatch(
      /WORK_CANNOT_RUN the agents of pool default are built-in.*\n.*Leave the image out/,
    )
    expect(refused).toMatchObject({ status: 2, stdout: '' })
    const forced = submit(...image, '--force', '--id', 'contained', '--', 'true')
    await expect
      .poll(async () => (await show('contained')).waiting?.code, { timeout: 15_000 })
      .toBe('WORK_CANNOT_RUN')
    expect((await provision('jobs', 'contained')).stdout).toMatch(/^image +python:3\.12$/m)
    await provision('jobs', 'contained', '--kill')
    expect((await forced).status).toBe(125)
  })
})

describe('what the master rejects', () => {
  it.each([
    [
      ['--pool', 'defualt', '--', 'true'],
      /WORK_POOL_UNKNOWN .*defualt; pools of this master: default[\s\S]*--pool default/,
    ],
    [['--priority', '100', '--', 'true'], /REQUEST_REFUSED priority must be an integer from 1 to 99/],
    [['--duration', 'soon'], /REQUEST_REFUSED duration must be .*"soon"/],
  ])('is refused in its words: %j', async (args, words) => {
    const run = await submit(...args)
    expect(run.stderr).toMatch(words)
    expect(run).toMatchObject({ status: 2, stdout: '' })
  })

  it('finds no job with another id', async () => {
    const run = await provision('work', 'nobody')
    expect(run.stderr).toMatch(/WORK_UNKNOWN .*nobody/)
    expect(run.status).toBe(1)
  })
})
