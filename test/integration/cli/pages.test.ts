// README.md and the quickstart are run as a reader would: each page as one session in a copy of the repository, every
// command in order. The output must be what the page shows.
import { cpSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest'
import { type Command, difference, runnable, stepsOf } from '../../support/pages/page.ts'
import { onScreen, Session } from '../../support/pages/session.ts'
import { root } from '../../support/sources.ts'
import { freePort } from '../../support/takeover/daemon.ts'

const read = (page: string) => readFileSync(join(root, page), 'utf8')

describe.each(['README.md', 'docs/quickstart.md'])('%s', (page) => {
  let folder: string
  let port: number
  let session: Session

  beforeEach(async () => {
    folder = realpathSync(mkdtempSync(join(tmpdir(), 'page-')))
    port = await freePort()
    const clone = join(folder, 'clone')
    mkdirSync(join(folder, 'home'))
    for (const path of ['package.json', 'provision', 'examples', 'templates'])
      cpSync(join(root, path), join(clone, path), {
        recursive: true,
        filter: (file) => !/\/(?:certs|\.provision)$/.test(file),
      })
    cpSync(dirname(inject('cli')), join(clone, 'dist'), { recursive: true })
    // Another clone on this computer may have the port of the page.
    const local = join(clone, 'examples/local/master.yaml')
    writeFileSync(local, readFileSync(local, 'utf8').replace('port: 8443', `port: ${port}`))
    session = new Session(clone, folder, {
      // `provision` as installed, and the Node.js of the tests.
      PATH: [clone, dirname(process.execPath), process.env['PATH']].join(delimiter),
      HOME: join(folder, 'home'),
      NO_COLOR: '1',
      NODE_OPTIONS: `--no-warnings --import=${pathToFileURL(join(root, 'test/support/pages/terminal.mjs'))}`,
      npm_config_update_notifier: 'false',
    })
  })
  afterEach(async () => {
    await session.close()
    rmSync(folder, { recursive: true, force: true, maxRetries: 3 })
  }, 60_000)

  it('is one session, which prints what the page shows', async () => {
    for (const step of stepsOf(read(page))) {
      if (step.kind === 'file') await session.run(`cat >${step.name} <<'EOF'\n${step.text}\nEOF`)
      else await type(step)
    }
  }, 300_000)

  async function type({ command, output, keepsRunning }: Command): Promise<void> {
    const line = runnable(command)?.replace(':8443', `:${port}`)
    if (line === undefined) return
    const wrong = (printed: string) => output && difference(output, printed, { folder: session.folder, port })
    if (keepsRunning) {
      const printed = await session.start(line)
      await expect.poll(() => wrong(printed()), { timeout: 60_000, message: command }).toBeUndefined()
      return
    }
    // A reader types more slowly than this test: commands that only read are repeated until all agents have joined.
    const readsOnly = /^\S*provision (?:status|instances|agents|explain|jobs|logs)\b/.test(line)
    let ran = await session.run(line)
    for (let n = 0; readsOnly && n < 40 && wrong(ran.printed); n++) ran = await session.run(line)
    expect(wrong(ran.printed), command).toBeUndefined()
    const isRefused = output?.some((text) => /^[A-Z]+(?:_[A-Z]+)+ /.test(text))
    expect(ran.status === 0, `${command}\n${ran.printed}`).toBe(!isRefused)
  }
})

describe('the test command of README.md', () => {
  it('is the one that .ci/run runs', () => {
    const tests = stepsOf(read('README.md')).filter(
      (step) => step.kind === 'command' && step.command.endsWith('npm test'),
    )
    expect(tests).toHaveLength(1)
    const [, ran = ''] = /^readme\(\) \{ (.*); \}$/m.exec(read('.ci/run')) ?? []
    expect(ran.replace(/ --\S+/g, '')).toBe((tests[0] as Command).command)
  })
})

describe('the comparison of a page', () => {
  const seen = { folder: '/tmp/clone', port: 1234 }
  it.each([
    ['b', 'a\nb', 'printed is\n  a'],
    ['a', 'a\nb', 'leaves out, without a line …,\n  b'],
    ['a\nb', 'a', '(nothing like it)'],
    ['…\nb\nc', 'a\nb\nx', 'printed is\n  x'],
    ['user data 8,839 bytes', 'user data 14,556 bytes', 'printed is'],
    ['port=8443', 'port=8080', 'printed is'],
  ])('of %j with %j finds the difference', (page, printed, message) => {
    expect(difference(page.split('\n'), printed, seen)).toContain(message)
  })

  it.each([
    ['a\n…\nd', 'a\nb\nc\nd'],
    ['a\n…', 'a'],
    ['up 16s', 'up 1m5s'],
    ['12:00:00 joined local-0b28ebe4-1 port=8443', '01:02:03 joined local-5a76b24a-2 port=1234'],
    ['ok certs/chain.crt 14,527 bytes', 'ok /tmp/clone/certs/chain.crt 14,531 bytes'],
  ])('of %j with %j finds none', (page, printed) => {
    expect(difference(page.split('\n'), printed, seen)).toBeUndefined()
  })

  it('is made with the screen, not with what was drawn over', () => {
    expect(onScreen('log\n\ntable 1\n\x1b[2A\r\x1b[0Jlog 2\n\ntable 2\n')).toBe('log\nlog 2\n\ntable 2\n')
  })
})
