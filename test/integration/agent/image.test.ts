// The programs in the container image of the agent, run without a container: its entrypoint, and the files its recipe
// keeps.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest'
import { startMaster, type TestMaster } from '../../support/master.ts'
import { root as repository } from '../../support/sources.ts'

const image = join(repository, 'images/agent')
const entrypoint = join(image, 'entrypoint.sh')

let root: string
let bin: string
let child: ChildProcess | undefined
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'image-'))
  bin = join(root, 'usr/local/bin')
  mkdirSync(bin, { recursive: true })
  mkdirSync(join(root, 'usr/local/determined'), { recursive: true })
})
afterEach(() => {
  child?.kill('SIGKILL')
  rmSync(root, { recursive: true, force: true, maxRetries: 5 })
})

/** The script that a VM provides. */
function startupScript(text: string, mode = 0o700): void {
  writeFileSync(join(root, 'usr/local/determined/container_startup_script'), text, { mode })
}

/** Replaces the real program: prints its name and its arguments. */
function standIn(): void {
  writeFileSync(join(bin, 'provision'), '#!/bin/bash\necho "pid $$"; printf "<%s>" "$@"; echo\n', {
    mode: 0o755,
  })
}

interface Run {
  pid: number
  text: () => string
  ended: Promise<number | null>
}

function start(args: string[] = [], env: Record<string, string> = {}): Run {
  const path = [bin, dirname(process.execPath), process.env['PATH']].join(delimiter)
  const begun = spawn(entrypoint, args, { env: { PATH: path, PROVISION_ROOT: root, ...env } })
  child = begun
  let text = ''
  for (const stream of [begun.stdout, begun.stderr]) stream.on('data', (part) => (text += part))
  return { pid: begun.pid!, text: () => text, ended: once(begun, 'close').then(([status]) => status) }
}

async function ended(run: Run): Promise<{ status: number | null; text: string }> {
  return { status: await run.ended, text: run.text() }
}

describe('the entrypoint', () => {
  it('executes the agent, with the arguments it was given', async () => {
    standIn()
    const run = start(['run', '--master-host', 'a b'])
    const { status, text } = await ended(run)
    expect(status, text).toBe(0)
    expect(text).toBe(`pid ${run.pid}\n<agent><run><--master-host><a b>\n`)
  })

  it.each([
    ['as it is', '#!/bin/sh\necho "made ready for $DET_AGENT_ID"\n', 0o700],
    ['by bash when its mode got lost', '[[ 1 ]] && echo "made ready for $DET_AGENT_ID"\n', 0o600],
  ])('runs the startup script first, %s', async (_, script, mode) => {
    standIn()
    startupScript(script, mode)
    const { status, text } = await ended(start([], { DET_AGENT_ID: 'i-1' }))
    expect(status, text).toBe(0)
    expect(text).toMatch(/^made ready for i-1\npid \d+\n<agent>\n$/)
  })

  it('treats an empty startup script as none', async () => {
    standIn()
    startupScript('', 0o600)
    expect((await ended(start())).text).toMatch(/^pid/)
  })

  it('starts no agent when the startup script fails, and exits with its status', async () => {
    standIn()
    startupScript('#!/bin/bash\nexit 42\n')
    expect(await ended(start())).toEqual({
      status: 42,
      text: 'the container startup script ended with status 42; the agent is not started\n',
    })
  })
})

describe('the agent of the image', () => {
  let m: TestMaster
  beforeEach(async () => {
    m = await startMaster()
  })
  afterEach(() => m.stop())

  /** The files of the package that the recipe keeps. */
  function install(): void {
    const program = join(root, 'opt/provision')
    mkdirSync(join(program, 'dist/vendor'), { recursive: true })
    for (const file of ['cli.cjs', 'main.cjs', 'vendor/ws.cjs'])
      cpSync(join(dirname(inject('cli')), file), join(program, 'dist', file))
    symlinkSync(join(program, 'dist/cli.cjs'), join(bin, 'provision'))
  }

  it('joins with variables and agent.yaml, without a package beside it, and exits on SIGTERM with 0', async () => {
    install()
    const file = join(root, 'agent.yaml')
    const cert = join(root, 'master.crt')
    writeFileSync(cert, m.chain.root.certificate)
    writeFileSync(file, `artificial_slots: 3\nsecurity: {tls: {enabled: true, master_cert: ${cert}}}\n`)
    const run = start(['run'], {
      DET_CONFIG_FILE: file,
      DET_MASTER_HOST: '127.0.0.1',
      DET_MASTER_PORT: String(m.listener.port),
      DET_SECURITY_TLS_MASTER_CERT_NAME: 'master.test',
      DET_AGENT_ID: 'in-a-container',
    })
    const joined = () => m.master.agents().map(({ id, phase, devices }) => [id, phase, devices.length])
    await expect.poll(joined, { timeout: 60_000 }).toEqual([['in-a-container', 'joined', 3]])
    process.kill(run.pid, 'SIGTERM')
    expect(await ended(run)).toMatchObject({ status: 0 })
  })
})

describe('the recipe', () => {
  it('copies files that exist, and is based on what the program needs', () => {
    const recipe = readFileSync(join(image, 'Containerfile'), 'utf8')
    const about = JSON.parse(readFileSync(join(repository, 'package.json'), 'utf8'))
    expect(existsSync(join(image, 'entrypoint.sh'))).toBe(true)
    expect(recipe).toContain(`COPY ${about.name}-*.tgz`)
    expect(recipe).toContain(`/opt/provision/${about.bin.provision}`)
    const [, node] = /node:(\d+)-/.exec(recipe)!
    expect(Number(node)).toBeGreaterThanOrEqual(Number.parseInt(about.engines.node.slice(2), 10))
  })
})
