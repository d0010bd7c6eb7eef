// Every certificate shape behind a real TLS server, dialled by Go, Python and OpenSSL with what the trust plan holds.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { certificateShapes, clientTrust, judge } from '../../support/certificate-shapes.ts'
import { type Serving, serve } from '../../support/shapes/serve.ts'
import { type Client, expectedOf } from '../../support/shapes/shape.ts'
import { dialWithGo, dialWithOpenssl, dialWithPython, type Results } from './clients.ts'

const cases = certificateShapes
  .map((shape) => ({ shape, name: shape.name, files: shape.make() }))
  .filter(({ files }) => files.served)
  .map((entry) => ({ ...entry, ...judge(entry.shape, entry.files) }))

const others = ['openssl', 'python', 'pythonStrict', 'pythonFull', 'go', 'goNew'] as const satisfies Client[]
let servers: Serving[]
let said: Record<(typeof others)[number], Results>

beforeAll(async () => {
  servers = await Promise.all(cases.map(({ files }) => serve(files.served!)))
  const jobs = cases.map(({ shape, files, plan }, index) => ({
    id: shape.name,
    port: servers[index]!.port,
    ...clientTrust(shape, files, plan),
  }))
  // One after the other: together they would only wait for the same two processors.
  const go = await dialWithGo(jobs)
  const python = await dialWithPython(jobs)
  said = { ...go, ...python, openssl: await dialWithOpenssl(jobs) }
}, 120_000)

afterAll(() => {
  for (const server of servers) server.close()
})

describe.each(others)('%s', (client) => {
  test.each(cases)('$name', ({ shape }) => {
    expect(expectedOf(shape, client)).toContain(said[client][shape.name])
  })
})

describe('what we accept', () => {
  const accepted = cases.filter(({ plan }) => plan)
  const refusedBy = (client: (typeof others)[number]) =>
    accepted.filter(({ name }) => said[client][name] !== 'ok').map(({ name }) => name)
  const warned = accepted
    .filter(({ problems }) => problems.some(({ code }) => code === 'TLS_STRICT_RFC5280'))
    .map(({ name }) => name)

  test.each(['go', 'goNew', 'python', 'openssl'] as const)('%s accepts', (client) => {
    expect(refusedBy(client)).toEqual([])
  })

  test('the strictest Python refuses exactly what carries the warning for it', () => {
    expect(refusedBy('pythonFull')).toEqual(warned)
    expect(warned).toEqual(expect.arrayContaining(refusedBy('pythonStrict')))
  })
})
