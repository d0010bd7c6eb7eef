// The file of users, and logging in with a password: sessions, their ends, and the limit on guesses.
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeEach, describe, expect, it } from 'vitest'
import { accessHandler } from '../../../src/http/access.ts'
import { type Listener, listen } from '../../../src/http/listen.ts'
import { answerRoutes, ok } from '../../../src/http/router.ts'
import { createSessions } from '../../../src/http/sessions.ts'
import { asSent, hashPassword, isPassword, readUsers, writeUsers } from '../../../src/http/users.ts'
import { silentLogger } from '../../support/silent-logger.ts'

const folder = mkdtempSync(join(tmpdir(), 'users-'))
const file = join(folder, 'users')
const listeners: Listener[] = []
afterAll(async () => {
  await Promise.all(listeners.map((one) => one.close(0)))
  rmSync(folder, { recursive: true, force: true })
})
beforeEach(() => rmSync(file, { force: true }))

describe('the file of users', () => {
  it('has what was written, and its owner alone reads it', async () => {
    expect(readUsers(file)).toEqual(new Map())
    const hash = await hashPassword('Passw0rd')
    writeUsers(file, new Map([['b', hash]]))
    writeUsers(file, new Map([...readUsers(file), ['a@b.c', hash]]))
    expect([...readUsers(file)]).toEqual([
      ['a@b.c', hash],
      ['b', hash],
    ])
    expect(statSync(file).mode & 0o777).toBe(0o600)
    expect(readFileSync(file, 'utf8')).not.toContain('Passw0rd')
    expect(await hashPassword('Passw0rd')).not.toBe(hash)
    expect(await isPassword(asSent('Passw0rd'), hash)).toBe(true)
    expect(await isPassword(asSent('passw0rd'), hash)).toBe(false)
    expect(await isPassword(asSent('Passw0rd'), undefined)).toBe(false)
  })

  it.each([
    ['a plain password', 'ada:secret-word'],
    ['a hash of another kind', 'ada:$2b$12$abcdefghijklmnopqrstuv'],
    ['an odd name', 'ada lovelace:$scrypt$ln=15,r=8,p=3$x$y'],
  ])('is refused with %s, which is not repeated', (_what, line) => {
    writeFileSync(file, `\n${line}\n`, { mode: 0o600 })
    expect(() => readUsers(file)).toThrow(/users: line 2 is not a name and a hash/)
    expect(() => readUsers(file)).not.toThrow(/secret-word/)
  })

  it('is refused when others may read it', () => {
    writeFileSync(file, '')
    chmodSync(file, 0o640)
    expect(() => readUsers(file)).toThrow(/mode 0640/)
  })
})

interface Reply {
  status: number
  json: { token: string; user: { username: string }; error: { code: number; error: string } }
  headers: Headers
}

describe('logging in', () => {
  const time = { ms: 1_700_000_000_000 }
  const clock = { now: () => time.ms, sleep: async () => {} }

  async function server() {
    writeUsers(file, new Map([['ada', await hashPassword('Passw0rd')]]))
    const sessions = createSessions({ users: () => readUsers(file), clock, logger: silentLogger })
    const secret = answerRoutes([{ method: 'GET', path: '/secret', answer: () => ok({}) }], () => ok({}))
    const listener = await listen({
      address: '127.0.0.1',
      port: 0,
      handlers: [
        sessions.login,
        accessHandler({ token: 'the-api-token', accepts: sessions.accepts }),
        sessions.own,
        secret,
      ],
      logger: silentLogger,
    })
    listeners.push(listener)
    return async (
      method: string,
      path: string,
      given: { token?: string; body?: unknown } = {},
    ): Promise<Reply> => {
      const response = await fetch(`http://127.0.0.1:${listener.port}${path}`, {
        method,
        headers: given.token ? { Authorization: `Bearer ${given.token}` } : {},
        ...(given.body !== undefined && { body: JSON.stringify(given.body) }),
      })
      return {
        status: response.status,
        json: (await response.json()) as Reply['json'],
        headers: response.headers,
      }
    }
  }

  const right = { username: 'ada', password: asSent('Passw0rd'), isHashed: true }
  const login = '/api/v1/auth/login'

  it('gives a token with the access of the API token, until the logout', async () => {
    const ask = await server()
    const { status, json } = await ask('POST', login, { body: right })
    expect([status, json.user.username]).toEqual([200, 'ada'])
    const { token } = json
    expect((await ask('GET', '/secret', { token })).status).toBe(200)
    expect((await ask('GET', '/api/v1/me', { token })).json.user.username).toBe('ada')
    expect((await ask('GET', '/api/v1/me', { token: 'the-api-token' })).json.user.username).toBe('token')
    expect((await ask('GET', '/api/v1/me')).status).toBe(401)
    const plain = await ask('POST', login, { body: { username: 'ada', password: 'Passw0rd' } })
    expect(plain.json.token).not.toBe(token)

    expect((await ask('POST', '/api/v1/auth/logout', { token })).status).toBe(200)
    expect((await ask('GET', '/secret', { token })).status).toBe(401)
    expect((await ask('GET', '/secret', { token: plain.json.token })).status).toBe(200)
  })

  it('ends after seven days, with another password, and without the user', async () => {
    const ask = await server()
    const open = async () => (await ask('POST', login, { body: right })).json.token
    const status = async (token: string) => (await ask('GET', '/secret', { token })).status
    const first = await open()
    time.ms += 7 * 86_400_000 + 1
    expect(await status(first)).toBe(401)
    const second = await open()
    const users = readUsers(file)
    writeUsers(file, new Map([['ada', await hashPassword('Passw0rd')]]))
    expect(await status(second)).toBe(401)
    writeUsers(file, users)
    const third = await open()
    writeUsers(file, new Map())
    expect(await status(third)).toBe(401)
  })

  it('refuses a wrong name like a wrong password, and odd bodies', async () => {
    const ask = await server()
    for (const change of [{ password: asSent('x') }, { username: 'bob' }, { isHashed: false }]) {
      const { status, json } = await ask('POST', login, { body: { ...right, ...change } })
      expect([status, json.error]).toEqual([
        401,
        { code: 16, reason: 'Unauthenticated', error: 'invalid credentials' },
      ])
    }
    for (const body of [{}, [], null, { username: 'ada' }, { username: ['ada'], password: 1 }])
      expect((await ask('POST', login, { body })).status).toBe(400)
    expect((await ask('GET', login)).status).toBe(401)
  })

  it('lets an address guess ten times, then once in six seconds; who knows the password is never slowed down', async () => {
    const ask = await server()
    for (let i = 0; i < 12; i++) expect((await ask('POST', login, { body: right })).status).toBe(200)
    const wrong = { ...right, password: 'x' }
    for (let i = 0; i < 10; i++) expect((await ask('POST', login, { body: wrong })).status).toBe(401)
    const refused = await ask('POST', login, { body: right })
    expect([refused.status, refused.json.error.error]).toEqual([
      429,
      'too many failed logins: try again in 6 s',
    ])
    expect(refused.headers.get('retry-after')).toBe('6')
    time.ms += 6000
    expect((await ask('POST', login, { body: right })).status).toBe(200)
  })

  it('computes one hash at a time, and refuses what a storm sends', async () => {
    const ask = await server()
    const statuses = await Promise.all(
      Array.from(
        { length: 40 },
        async () => (await ask('POST', login, { body: { ...right, username: 'bob' } })).status,
      ),
    )
    expect(statuses.filter((status) => status === 401).length).toBeLessThanOrEqual(10)
    expect(new Set(statuses)).toEqual(new Set([401, 429]))
  })
})
