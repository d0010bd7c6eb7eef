import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { processesWith, processStart } from '../../../../src/platform/processes.ts'
import type { Provider } from '../../../../src/providers/contract.ts'
import { FakeClock } from '../../../support/fake-clock.ts'
import { idleScript, type LocalPool, localPool } from '../../../support/local-pool.ts'

let pool: LocalPool
let provider: Provider

beforeEach(async () => {
  pool = localPool()
  provider = await pool.open()
})
afterEach(() => pool.dispose())

const eventually: typeof expect.poll = (read, options) => expect.poll(read, { timeout: 60_000, ...options })

async function launch(script: string, from = provider): Promise<string> {
  const { instances, failures } = await from.launch(pool.order(script))
  expect(failures).toEqual([])
  return instances[0]!.id
}

async function stateOf(id: string, from = provider): Promise<string> {
  const instance = (await from.list()).instances.find((each) => each.id === id)
  return instance ? `${instance.state} ${instance.stateReason ?? ''}`.trim() : 'not listed'
}

function text(id: string, name: string): string {
  const file = pool.file(id, name)
  return existsSync(file) ? readFileSync(file, 'utf8') : ''
}

describe('a local VM', () => {
  it('has the environment of a machine, and no variable of the provisioner', async () => {
    const from = await pool.open({
      env: { PATH: process.env['PATH'], LANG: 'C', SECRET: 'hunter2', HOME: '/root' },
    })
    const id = await launch(
      'env -0 | sort -z | tr "\\0" "\\n" > "$PROVISION_ROOT/env"; echo done; sleep 300',
      from,
    )
    await eventually(() => text(id, 'console.log')).toBe('done\n')
    const names = text(id, 'env')
      .trim()
      .split('\n')
      .map((line) => line.split('=')[0]!)
    // The last three are bash's own.
    expect(names).toEqual(['LANG', 'PATH', 'PROVISION_INSTANCE_ID', 'PROVISION_ROOT', 'PWD', 'SHLVL', '_'])
    expect(text(id, 'env')).toContain(`PROVISION_INSTANCE_ID=${id}\nPROVISION_ROOT=${pool.root(id)}\n`)
  })

  it('runs exactly the bytes it was given, in its own root directory', async () => {
    const script = '#!/bin/bash\n# müßte $HOME `x` $(y)\npwd\ncat < /dev/stdin\necho end >&2\nsleep 300\n'
    const id = await launch(script)
    expect(text(id, 'script')).toBe(script)
    await eventually(() => text(id, 'console.log')).toBe(`${pool.root(id)}\nend\n`)
  })

  it('is found by a provisioner that is started later', async () => {
    const id = await launch(idleScript)
    expect(await stateOf(id, await pool.open())).toBe('running')
  })

  it.each([
    ['exit 0', 'stopped exit status 0'],
    ['exit 7', 'stopped exit status 7'],
    ['exit 32', 'stopped exit status 32: tls_refused, nothing listens on the master port'],
    ['kill -9 $$', 'stopped killed by SIGKILL'],
  ])(
    'that ends with `%s` is shown as ended, with the reason, until it is taken away',
    async (script, shown) => {
      const id = await launch(script)
      await eventually(() => stateOf(id)).toBe(shown)
      expect(await stateOf(id, await pool.open())).toBe(shown)
      await provider.terminate([id])
      expect(await stateOf(id)).toBe('not listed')
    },
  )

  it('that exited while no provisioner was running is shown as terminated', async () => {
    const id = await launch(idleScript)
    const later = await pool.open()
    process.kill(-pool.record(id).process.pid, 'SIGKILL')
    await eventually(() => processStart(pool.record(id).process.pid)).toBeUndefined()
    expect(await stateOf(id, later)).toMatch(/^stopped /)
  })

  it('keeps its console after it is gone, and nothing else', async () => {
    const id = await launch(
      'mkdir -p etc; echo secret > etc/agent.yaml; echo PROVISION_STAGE=started; sleep 300',
    )
    await eventually(() => provider.consoleStage(id)).toBe('started')
    await provider.terminate([id])
    await eventually(() => stateOf(id)).toBe('not listed')
    expect(['script', 'etc'].filter((name) => existsSync(pool.file(id, name)))).toEqual([])
    expect(await provider.consoleStage(id)).toBe('started')
  })

  it('reads a stage that is split between two reads of a long console', async () => {
    const line = 'PROVISION_STAGE=tls_unknown_ca\n'
    const id = await launch(idleScript)
    for (const before of [64 * 1024 - 20, 64 * 1024 - 5, 64 * 1024]) {
      writeFileSync(pool.file(id, 'console.log'), `${'x'.repeat(before)}${line}${'y'.repeat(100_000)}`)
      expect(await provider.consoleStage(id)).toBe('tls_unknown_ca')
    }
  })
})

describe('the termination of a local VM', () => {
  it('starts with SIGTERM, so that a script can clean up', async () => {
    const id = await launch('trap "echo bye; exit 0" TERM; echo up; sleep 300 & wait')
    await eventually(() => text(id, 'console.log')).toBe('up\n')
    await provider.terminate([id])
    await eventually(() => stateOf(id)).toBe('not listed')
    expect(text(id, 'console.log')).toBe('up\nbye\n')
  })

  it('is forced after 10 s when SIGTERM is ignored', async () => {
    const clock = new FakeClock()
    const from = await pool.open({ clock })
    const id = await launch('trap "" TERM; echo up; sleep 300; sleep 300', from)
    await eventually(() => text(id, 'console.log')).toBe('up\n')
    await from.terminate([id])
    await clock.advance(9_900)
    expect(await stateOf(id, from)).toBe('stopping')
    await clock.advance(200)
    await eventually(() => stateOf(id, from)).toBe('not listed')
  })

  it.runIf(process.platform === 'linux')('reaches processes that left the group of the script', async () => {
    const id = await launch('setsid sleep 300 & setsid bash -c "sleep 300; true" & echo up; wait')
    await eventually(() => text(id, 'console.log')).toBe('up\n')
    const variable = `PROVISION_INSTANCE_ID=${id}`
    await eventually(() => processesWith(variable).length).toBeGreaterThan(2)
    await provider.terminate([id])
    await eventually(() => stateOf(id)).toBe('not listed')
    expect(processesWith(variable)).toEqual([])
  })

  it.runIf(process.platform === 'linux')('includes processes that the script left behind', async () => {
    const id = await launch('setsid sleep 300 & sleep 300 & exit 3')
    await eventually(() => stateOf(id)).toMatch(/^stopped exit status 3/)
    expect(processesWith(`PROVISION_INSTANCE_ID=${id}`)).toEqual([])
  })

  it('is completed by the next provisioner when the first one died before', async () => {
    const clock = new FakeClock()
    const first = await pool.open({ clock })
    const id = await launch('trap "" TERM; echo up; sleep 300; sleep 300', first)
    await eventually(() => text(id, 'console.log')).toBe('up\n')
    await first.terminate([id])
    // The first clock does not advance from here on: as if its process had died.
    const laterClock = new FakeClock()
    const later = await pool.open({ clock: laterClock })
    expect(await stateOf(id, later)).toBe('stopping')
    await laterClock.advance(10_100)
    await eventually(() => stateOf(id, later)).toBe('not listed')
  })

  it('never affects another process that was given the same process id', async () => {
    const id = await launch('exit 0')
    await eventually(() => stateOf(id)).toMatch(/^stopped/)
    const otherProcess = spawn('sleep', ['300'], { detached: true, stdio: 'ignore' })
    const { ended, ...record } = pool.record(id)
    expect(ended).toBeDefined()
    const reused = { ...record, process: { ...record.process, pid: otherProcess.pid! } }
    writeFileSync(pool.file(id, 'vm.json'), JSON.stringify(reused))
    const later = await pool.open()
    await later.terminate([id])
    await later.close()
    expect(processStart(otherProcess.pid!)).toBeDefined()
    otherProcess.kill('SIGKILL')
    await once(otherProcess, 'exit')
  })

  it('keeps folders of VMs that are gone for an hour, then the last 20', async () => {
    const clock = new FakeClock()
    const from = await pool.open({ clock })
    const { instances } = await from.launch(pool.order('exit 0', 22))
    const ids = instances.map((instance) => instance.id)
    await eventually(async () =>
      (await from.list()).instances.every((each) => each.state === 'stopped'),
    ).toBe(true)
    await from.terminate(ids)
    const kept = () => ids.filter((id) => existsSync(pool.file(id, 'console.log'))).length
    await from.list()
    expect(kept()).toBe(22)
    await clock.advance(3_600_001)
    await from.list()
    expect(kept()).toBe(20)
  })
})

describe('the record', () => {
  it('prevents an intent that is sent twice at once from running twice', async () => {
    const order = pool.order('echo "$PROVISION_INSTANCE_ID" >> "$PROVISION_ROOT/../starts"; sleep 300', 2)
    const [{ instances }] = await Promise.all([provider.launch(order), provider.launch(order)])
    const starts = () => readFileSync(join(pool.dir, 'starts'), 'utf8').trim().split('\n').sort()
    await eventually(starts).toHaveLength(2)
    expect(starts()).toEqual(instances.map((instance) => instance.id))
  })

  it('is written before the script may run', async () => {
    // The script reads its own record, complete.
    const id = await launch('cp vm.json seen.json; echo up; sleep 300')
    await eventually(() => text(id, 'console.log')).toBe('up\n')
    expect(JSON.parse(text(id, 'seen.json')).process.pid).toBe(pool.record(id).process.pid)
  })

  it('is missing when the provisioner died before: the same intent then starts again', async () => {
    const order = pool.order('echo new; sleep 300')
    const id = (await provider.launch(order)).instances[0]!.id
    await provider.terminate([id])
    await eventually(() => stateOf(id)).toBe('not listed')
    await pool.dispose()
    mkdirSync(pool.root(id), { recursive: true })
    writeFileSync(pool.file(id, 'script'), 'echo old')
    const again = await (await pool.open()).launch(order)
    expect(again.instances.map((instance) => instance.id)).toEqual([id])
    await eventually(() => text(id, 'console.log')).toBe('new\n')
  })
})
