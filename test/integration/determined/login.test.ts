// Logging in at a Determined master: with which credentials, when again, and where they are never sent.
import { chmodSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { join as pathOf } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createDevelopmentChain, type DevelopmentChain } from '../../../src/pki/development-ca.ts'
import type { ProvisionError } from '../../../src/problems/index.ts'
import { type Opened, openFake } from '../../support/fake-determined/opened.ts'
import { FastClock } from '../../support/fast-clock.ts'

let opened: Opened
beforeEach(async () => {
  opened = await openFake()
})
afterEach(() => opened.dispose())

const codeOf = (failing: Promise<unknown>): Promise<string | undefined> =>
  failing.then(
    () => 'no error',
    (error: ProvisionError) => error.code,
  )
const login = '/api/v1/auth/login'

describe('a user with a password', () => {
  it('logs in once, for concurrent requests and later ones', async () => {
    const source = opened.open()
    await Promise.all([source.read('default'), source.drain('nobody'), source.read('default')])
    await source.read('default')
    expect(opened.fake.count(login)).toBe(1)
  })

  it('logs in again, once, when the session has expired', async () => {
    const source = opened.open()
    await source.read('default')
    opened.world.sessions.clear()
    await Promise.all([source.read('default'), source.drain('nobody')])
    expect(opened.fake.count(login)).toBe(2)
  })

  it('gets an error that the password is wrong, which does not contain it', async () => {
    writeFileSync(pathOf(opened.dir, 'password'), 'a wrong one')
    const source = opened.open()
    const error: ProvisionError = (await source
      .read('default')
      .catch((caught: ProvisionError) => caught)) as never
    expect(error).toMatchObject({ code: 'DETERMINED_LOGIN_REFUSED' })
    expect(error.message).toMatch(/provisioner.*invalid credentials/)
    expect(JSON.stringify(error.problems) + opened.log.lines).not.toContain('a wrong one')
  })

  it('is told that the password is wrong, where it is, and how to set it', async () => {
    writeFileSync(pathOf(opened.dir, 'password'), 'a wrong one')
    const [found] = await opened.open().check([])
    expect(found).toMatchObject({ code: 'DETERMINED_LOGIN_REFUSED' })
    expect(found!.message).toMatch(/^wrong password for user provisioner/)
    expect(found!.remedy).toContain(`${opened.dir}/password`)
    expect(found!.remedy).toContain('det user change-password provisioner')
  })

  it('that is deactivated is told so, not that the password is wrong', async () => {
    opened.world.users.get('provisioner')!.isInactive = true
    const [found] = await opened.open().check([])
    expect(found).toMatchObject({ code: 'DETERMINED_LOGIN_REFUSED' })
    expect(found!.message).toMatch(/may not log in: user not active/)
    expect(found!.remedy).toContain('det user edit provisioner --active true')
  })

  it('can log in with a new password once the file contains it', async () => {
    const clock = new FastClock(100)
    const source = opened.open({ clock })
    await source.read('default')
    opened.world.users.get('provisioner')!.password = 'changed'
    opened.world.sessions.clear()
    expect(await codeOf(source.read('default'))).toBe('DETERMINED_LOGIN_REFUSED')
    writeFileSync(pathOf(opened.dir, 'password'), 'changed\n')
    await clock.sleep(1_500)
    expect(await source.read('default')).toMatchObject({ pending: [] })
  })

  it('leaves no session behind', async () => {
    const source = opened.open()
    await source.read('default')
    expect(opened.world.sessions.size).toBe(1)
    await source.close()
    expect(opened.world.sessions.size).toBe(0)
  })

  it('whose file is missing, or world-readable, gets an error about it', async () => {
    const none = opened.open({ demand: { password_file: pathOf(opened.dir, 'none') } })
    expect(await codeOf(none.read('default'))).toBe('DETERMINED_LOGIN_FILE')
    chmodSync(pathOf(opened.dir, 'password'), 0o644)
    expect((await opened.open().check([])).map(({ code }) => code)).toEqual(['DETERMINED_LOGIN_FILE_OPEN'])
  })
})

describe('a master whose check of passwords is slow', () => {
  it('has more time for a login than for other requests', async () => {
    opened.world.loginCost = 600
    expect(await opened.open({ timeoutMs: 300 }).read('default')).toMatchObject({ pending: [] })
    opened.world.loginCost = 0
    opened.fake.latency = 600
    expect(await codeOf(opened.open({ timeoutMs: 300 }).read('default'))).toBe('DETERMINED_UNREACHABLE')
  })

  it('is reported as slow, not as unreachable', async () => {
    opened.world.loginCost = 2_000
    const [found] = await opened.open({ loginTimeoutMs: 200 }).check([])
    expect(found).toMatchObject({ code: 'DETERMINED_LOGIN_SLOW' })
    expect(found!.message).toMatch(/no answer to the login within 0\.2 s.*check of the password/)
  })

  it('gets one login at a time for all pools, orders and changes, and a growing pause after each', async () => {
    opened.world.loginCost = 60_000
    const clock = new FastClock(100)
    const source = opened.open({ clock, loginTimeoutMs: 100, pollIntervalMs: 1_000 })
    const stop = source.onChange(() => {})
    const until = Date.now() + 1_500
    while (Date.now() < until) {
      await Promise.allSettled([source.read('default'), source.drain('a'), source.undrain('b')])
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    stop()
    // 150 s of its time: at 0, 5, 15, 35, 75 s, each a tenth of a real second later than the one before.
    expect(opened.fake.count(login)).toBeGreaterThan(2)
    expect(opened.fake.count(login)).toBeLessThan(6)
  })

  it('is not asked to check the password again because another request failed in the meantime', async () => {
    const source = opened.open({ timeoutMs: 300 })
    await source.read('default')
    opened.fake.faults = [{ path: '/tasks', kind: 'hang' }]
    const hanging = codeOf(source.read('default'))
    await new Promise((resolve) => setTimeout(resolve, 100))
    opened.world.sessions.clear()
    opened.world.loginCost = 800
    expect(await source.drain('nobody')).toBe(false)
    expect(await hanging).toBe('DETERMINED_UNREACHABLE')
    expect(opened.fake.count(login)).toBe(2)
  })

  it('does not keep a stopped provisioner waiting', async () => {
    opened.world.loginCost = 60_000
    const source = opened.open()
    const reading = codeOf(source.read('default'))
    await new Promise((resolve) => setTimeout(resolve, 100))
    const began = Date.now()
    await source.close()
    await reading
    expect(Date.now() - began).toBeLessThan(1_000)
  })
})

describe('a proxy that drops the token of each request', () => {
  it('does not cause a login for each of them', async () => {
    const source = opened.open({ clock: new FastClock(1) })
    opened.fake.onAnswer = () => opened.world.sessions.clear()
    expect(await codeOf(source.drain('a'))).toBe('DETERMINED_LOGIN_REFUSED')
    for (const _ of Array(20)) expect(await codeOf(source.drain('a'))).toBe('DETERMINED_LOGIN_REFUSED')
    expect(opened.fake.count(login)).toBe(2)
  })
})

describe('a token', () => {
  const token = () => ({ demand: { token_file: opened.write('token', 'token-of-a-year\n') } })

  it('is used as it is, and its session is not ended', async () => {
    opened.world.sessions.set('token-of-a-year', 'provisioner')
    const source = opened.open(token())
    await source.read('default')
    await source.close()
    expect(opened.fake.count('/auth/')).toBe(0)
    expect(opened.world.sessions.size).toBe(1)
  })

  it('that is refused is read again: it may have been replaced', async () => {
    opened.world.sessions.set('token-of-next-year', 'provisioner')
    const source = opened.open(token())
    opened.fake.onAnswer = () => opened.write('token', 'token-of-next-year')
    expect(await source.read('default')).toMatchObject({ pending: [] })
  })

  it('that is refused again is an error', async () => {
    expect(await codeOf(opened.open(token()).read('default'))).toBe('DETERMINED_LOGIN_REFUSED')
  })
})

describe('a server that is not a Determined master', () => {
  it('gets neither password nor token', async () => {
    const seen: string[] = []
    const server = createServer((request, response) => {
      seen.push(`${request.method} ${request.url} ${request.headers.authorization ?? ''}`)
      response.writeHead(200).end('<html>welcome</html>')
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as { port: number }
    const source = opened.open({ demand: { url: `http://127.0.0.1:${port}` } })
    expect(await codeOf(source.read('default'))).toBe('DETERMINED_NOT_A_MASTER')
    expect(seen).toEqual(['GET /api/v1/master '])
    server.closeAllConnections()
    server.close()
  })

  it('may be a gateway in front of a master that is starting', async () => {
    opened.fake.faults = [{ kind: 502 }]
    expect(await codeOf(opened.open().read('default'))).toBe('DETERMINED_FAULT')
  })
})

describe('over TLS', () => {
  let chain: DevelopmentChain
  let secure: Opened
  const make = (names: string[]) =>
    createDevelopmentChain({ names, ips: ['127.0.0.1'], days: 30, now: Date.now() })
  beforeEach(async () => {
    chain = await make(['master.test'])
    secure = await openFake({ tls: { cert: chain.chain, key: chain.leaf.key } })
  })
  afterEach(() => secure.dispose())

  it('a master of an untrusted CA gets no credentials', async () => {
    expect(await codeOf(secure.open().read('default'))).toBe('DETERMINED_CERT_REFUSED')
    expect(secure.fake.asked).toEqual([])
  })

  it('a master with another name gets no credentials', async () => {
    const ca_file = secure.write('ca.crt', chain.root.certificate)
    const source = secure.open({ demand: { ca_file, master_cert_name: 'another.test' } })
    const error: ProvisionError = (await source
      .read('default')
      .catch((caught: ProvisionError) => caught)) as never
    expect(error.message).toMatch(/DETERMINED_CERT_REFUSED.*not valid for another\.test/)
    expect(secure.fake.asked).toEqual([])
  })

  it('a master is trusted by a CA file', async () => {
    const source = secure.open({ demand: { ca_file: secure.write('ca.crt', chain.root.certificate) } })
    expect(await source.read('default')).toMatchObject({ pending: [] })
  })

  it('another certificate needs no restart once its file is replaced', async () => {
    const clock = new FastClock(100)
    const source = secure.open({ cert: secure.write('chain.crt', chain.chain), clock })
    await source.read('default')
    const renewed = await make(['master.test'])
    await secure.fake.stop()
    await secure.fake.start({ cert: renewed.chain, key: renewed.leaf.key })
    expect(await codeOf(source.read('default'))).toBe('DETERMINED_CERT_REFUSED')
    secure.write('chain.crt', renewed.chain)
    await clock.sleep(2_000)
    expect(await source.read('default')).toMatchObject({ pending: [] })
  })

  it('mismatched schemes are distinguished from a master that is away', async () => {
    const https = { demand: { url: opened.fake.url.replace('http:', 'https:') } }
    expect(await codeOf(opened.open(https).read('default'))).toBe('DETERMINED_SCHEME')
    const http = { demand: { url: secure.fake.url.replace('https:', 'http:') } }
    expect(await codeOf(secure.open(http).read('default'))).toMatch(/DETERMINED_(SCHEME|UNREACHABLE)/)
  })
})
