// Determined's own command line, `det`, as a client of the built-in master: trust on first use, login, and what it shows.
import { spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { pythonWith } from '../../support/python.ts'
import { until } from '../../support/server.ts'
import { Cluster, localAgent } from '../../support/stand-alone.ts'
import { cleanEnv } from '../tls/run.ts'

const cluster = new Cluster()
const home = mkdtempSync(join(tmpdir(), 'det-home-'))
const user = { name: 'ada', password: 'Passw0rd' }
let python: string
let agent: string

beforeAll(async () => {
  python = await pythonWith('determined', join(import.meta.dirname, 'requirements.txt'))
  await cluster.certificate()
  const config = await cluster.config('min_instances: 1', 'slots: 2')
  // `det` compares it, and takes no version that Python does not know.
  await cluster.start(config, { version: '0.1.0' })
  const set = ['user', 'set', user.name, '--password-file', '-', '-c', config.file]
  expect(await run(localAgent[0]!, [localAgent[1]!, ...set], `${user.password}\n`)).toMatchObject({
    status: 0,
  })
  await until(() => cluster.said('agent joined').length === 1, 'the agent to join')
}, 600_000)
afterAll(async () => {
  await cluster.dispose()
  rmSync(home, { recursive: true, force: true })
})

interface Ended {
  status: number | null
  out: string
  err: string
}

/** Without a terminal, so that it reads answers and passwords from standard input. */
function run(command: string, args: string[], input = '', onOut = (_: string) => {}): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const env: NodeJS.ProcessEnv = {
      ...Object.fromEntries(Object.entries(cleanEnv).filter(([name]) => !/_CA_BUNDLE$/.test(name))),
      HOME: home,
      XDG_CONFIG_HOME: home,
      DET_MASTER: `https://127.0.0.1:${cluster.port}`,
      NO_COLOR: '1',
      PYTHONUNBUFFERED: '1',
    }
    const child = spawn(command, args, { env, detached: true })
    const ended: Ended = { status: null, out: '', err: '' }
    child.stdout.setEncoding('utf8').on('data', (text) => {
      ended.out += text
      onOut(ended.out)
    })
    child.stderr.setEncoding('utf8').on('data', (text) => {
      ended.err += text
    })
    child.once('error', reject)
    child.once('close', (status) => {
      if (process.env['SHOW_DET']) console.log(`$ ${[command, ...args].join(' ')}\n${ended.out}${ended.err}`)
      resolve({ ...ended, status })
    })
    child.stdin.end(input)
  })
}

/** `det` itself names the interpreter of the folder it was installed in before that was renamed. */
function tryDet(args: string[], input?: string): Promise<Ended> {
  return run(python, ['-m', 'determined.cli', ...args], input)
}

async function det(...args: string[]): Promise<string> {
  const { status, out, err } = await tryDet(args)
  expect([status, err]).toEqual([0, err])
  return out + err
}

it('trusts the served chain on first use, and logs in', async () => {
  const refused = await tryDet(['user', 'login', user.name], 'y\nwrong\n')
  expect(refused.out).toContain('The master sent an untrusted certificate chain with this SHA256 fingerprint')
  expect(refused.err).toContain('Invalid username/password combination')
  // The chain is trusted now.
  const done = await tryDet(['user', 'login', user.name], `${user.password}\n`)
  expect([done.status, done.err]).toEqual([0, done.err])
  expect(done.out).not.toContain('untrusted')
  expect(await det('user', 'whoami')).toContain("You are logged in as user 'ada'")
})

it('shows the master, its agents, slots, tasks and jobs', async () => {
  expect(await det('master', 'info')).toMatch(/clusterId: .*\n[\s\S]*version: 0\.1\.0/)
  const [shown] = JSON.parse((await tryDet(['agent', 'list', '--json'])).out)
  expect(shown).toMatchObject({ num_slots: 2, num_containers: 0, resource_pools: 'default', enabled: true })
  agent = shown.id
  expect(await det('agent', 'list')).toMatch(
    new RegExp(` ${agent} +\\| .* \\| +2 \\| +0 \\| default +\\| True +\\| False `),
  )
  expect((await det('slot', 'list')).match(/FREE +\| FREE +\| cpu/g)).toHaveLength(2)
  expect(await det('task', 'list')).toContain('Task ID')
  expect(await det('job', 'list')).toContain('Slots (acquired/needed)')

  const submit = ['submit', '--slots', '2', '--duration', '1h', '--name', 'long']
  const config = join(cluster.dir, 'master.yaml')
  expect(await run(localAgent[0]!, [localAgent[1]!, ...submit, '-c', config])).toMatchObject({ status: 0 })
  await expect
    .poll(() => det('task', 'list'))
    .toMatch(new RegExp(`long +\\| +2 \\| .* \\| ${agent} +\\| +42 \\| default`))
  expect(await det('slot', 'list')).toMatch(/ long +\| cpu/)
  expect(await det('job', 'list')).toMatch(/COMMAND \| long .* STATE_SCHEDULED/)
})

it('drains an agent, and enables it', async () => {
  const drained = await det('agent', 'disable', '--drain', agent)
  expect(drained).toContain(`Disabled agent ${agent}.`)
  expect(drained).toContain('Tasks still in progress on draining nodes.')
  expect(await det('agent', 'list')).toMatch(/ False +\| True /)
  expect(await det('agent', 'enable', agent)).toContain(`Enabled agent ${agent}.`)
})

const cli = (...args: string[]) =>
  run(localAgent[0]!, [localAgent[1]!, ...args, '-c', join(cluster.dir, 'master.yaml')])

/** Below it `det` remarks on the master's version. */
const firstLine = (text: string) => text.split('\n')[0]!

describe('commands', () => {
  it('runs one, prints its output while it runs, and says how it ended', async () => {
    await cli('jobs', '--kill', firstLine(await det('cmd', 'list', '-q')))
    const out = await det('cmd', 'run', 'sh', '-c', 'echo from the task; echo to stderr >&2; exit 3')
    expect(out).toMatch(/Launched command \(id: [0-9a-f-]{36}, name: sh\)\./)
    expect(out).toMatch(/\] {10}\|\| INFO: sh was assigned to local-/)
    expect(out).toMatch(/\] [0-9a-f]{8} \[rank=0\] \|\| from the task\n/)
    expect(out).toMatch(/\] [0-9a-f]{8} \[rank=0\] \|\| to stderr\n/)
    expect(out).toMatch(/ERROR: sh has failed: local-\S+: exited with status 3\n/)
    expect(out).toContain('Task log stream ended. To reopen log stream, run: det task logs -f ')
  })

  it('runs a line of the shell in the folder it was given, with variables', async () => {
    const folder = join(home, 'context')
    mkdirSync(join(folder, 'lib'), { recursive: true })
    writeFileSync(join(folder, 'lib/word.txt'), 'a word\n')
    writeFileSync(join(folder, 'run.sh'), '#!/bin/sh\ncat lib/word.txt; echo "$GREETING"\n', { mode: 0o755 })
    const config = ['--config', 'environment.environment_variables=["GREETING=good day"]']
    const out = await det('cmd', 'run', '--context', folder, ...config, './run.sh | tr a-z A-Z')
    expect(out).toContain('|| A WORD\n')
    expect(out).toContain('|| GOOD DAY\n')
    expect(out).toContain('INFO: ./run.sh | tr a-z A-Z has finished\n')
  })

  it('takes single files, a configuration file, and the workspace that there is', async () => {
    writeFileSync(join(home, 'word.txt'), 'another word\n')
    const config = join(home, 'config.yaml')
    writeFileSync(config, 'description: reads\nresources: {slots: 2, priority: 7}\n')
    const flags = ['--include', join(home, 'word.txt'), '--config-file', config, '-w', 'Uncategorized']
    const out = await det('cmd', 'run', ...flags, 'cat', 'word.txt')
    expect(out).toContain('reads was submitted: 2 slots in pool default')
    expect(out).toContain('|| another word\n')
  })

  it('runs one in the background, lists, describes and kills it, and follows its log', async () => {
    const detached = ['cmd', 'run', '--detach', '--config', 'description=naps', 'sleep', '600']
    const id = firstLine(await det(...detached))
    expect(id).toMatch(/^[0-9a-f-]{36}$/)
    await expect.poll(() => det('cmd', 'list')).toMatch(new RegExp(`${id} .* naps +\\| RUNNING .* default`))
    expect(await det('cmd', 'describe', id)).toMatch(/naps .* RUNNING .* Uncategorized/)
    expect(await det('cmd', 'config', id)).toMatch(/entrypoint:\n- sleep\n- '600'/)
    // A part of the id is enough where det can look it up.
    expect(await det('cmd', 'logs', id.slice(0, 8))).toContain('naps was assigned to local-')
    let seen = ''
    const followed = run(python, ['-m', 'determined.cli', 'task', 'logs', '-f', id], '', (out) => {
      seen = out
    })
    await until(() => seen.includes('naps was assigned to local-'), 'the log to be followed', 20)
    expect(await det('cmd', 'kill', id.slice(0, 8))).toContain(`Killed command ${id}`)
    const { status, out } = await followed
    expect([status, out]).toEqual([0, expect.stringContaining('naps was killed: killed by a request')])
    expect(await det('task', 'logs', '--tail', '1', id)).toContain('naps was killed')
    const head = await det('task', 'logs', '--head', '1', '--json', id)
    expect(JSON.parse(head.slice(0, head.lastIndexOf('}') + 1))).toMatchObject({
      id: '0',
      taskId: id,
      source: 'master',
    })
  })

  it.each([
    [['--config', 'resources.resource_pool=nopool'], 'unknown resource pool "nopool"'],
    [['--config', 'environment.image=python:3.12'], 'which run no containers'],
    [['--config', 'resources.slots=64'], 'EXCEEDS_MAX'],
    [['--template', 't'], 'template_name is not supported here'],
    [['--volume', '/data:/data'], 'config.bind_mounts needs a container'],
    [['--workspace-name', 'other'], "workspace 'other' not found"],
  ])('is refused with the reason: %j', async (flags, reason) => {
    const { status, out, err } = await tryDet(['cmd', 'run', ...flags, 'true'])
    expect([status, out + err]).toEqual([1, expect.stringContaining(reason)])
  })

  it('refuses files that are too large', async () => {
    const folder = join(home, 'large')
    mkdirSync(folder)
    writeFileSync(join(folder, 'file'), Buffer.alloc(2_000_000))
    const { status, err } = await tryDet(['cmd', 'run', '--context', folder, 'true'])
    expect([status, err]).toEqual([1, expect.stringContaining('larger than 1048576 bytes')])
  })
})

it('disables an agent, which kills what runs on it', async () => {
  const id = firstLine(await det('cmd', 'run', '--detach', 'sleep', '600'))
  await expect.poll(() => det('cmd', 'list')).toMatch(new RegExp(`${id} .* RUNNING`))
  const { id: on } = JSON.parse((await tryDet(['agent', 'list', '--json'])).out)[0]
  expect(await det('agent', 'disable', on)).toContain(`Disabled agent ${on}.`)
  await expect.poll(() => det('cmd', 'describe', id)).toMatch(/TERMINATED \| its agent was disabled/)
  await det('agent', 'enable', on)
})

it.each([[['version']], [['master', 'info']]])('answers %j', async (args) => {
  expect(await det(...args)).toContain('0.1.0')
})

it.each([
  [['slot', 'disable', 'a', '0']],
  [['notebook', 'list']],
  [['experiment', 'list']],
  [['shell', 'list']],
  [['cmd', 'set', 'priority', '00000000-0000-0000-0000-000000000000', '3']],
])('has no %j, and says so', async (args) => {
  const { out, err } = await tryDet(args)
  expect(out + err).toMatch(/not found/i)
})

it('logs out', async () => {
  await det('user', 'logout')
  const { status, err } = await tryDet(['-u', user.name, 'task', 'list'], 'wrong\n')
  expect([status, err]).toEqual([
    1,
    expect.stringContaining('Failed to list tasks in cluster: Unauthenticated'),
  ])
})
