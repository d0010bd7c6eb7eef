// Every certificate shape on a real TLS server, dialled by Go, Python and OpenSSL with the trust plan.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { certificateShapes, clientTrust, judge } from '../../support/certificate-shapes.ts'
import { type Serving, serve } from '../../support/shapes/serve.ts'
import { type Client, expectedOf } from '../../support/shapes/shape.ts'
import { dialWithGo, dialWithOpenssl, dialWithPython, type Job, type Results } from './clients.ts'

const cases = certificateShapes
  .map((shape) => ({ shape, name: shape.name, files: shape.make() }))
  .filter(({ files }) => files.served)
  .map((entry) => ({ ...entry, ...judge(entry.shape, entry.files) }))

const others = ['openssl', 'python', 'pythonStrict', 'pythonFull', 'go', 'goNew'] as const satisfies Client[]
let servers: Serving[]
type Verdicts = Record<(typeof others)[number], Results>
let verdicts: Verdicts
/** With the root as the only anchor, like agents that keep running after everything below it was renewed. */
let verdictsWithRoot: Verdicts

beforeAll(async () => {
  servers = await Promise.all(cases.map(({ files }) => serve(files.served!)))
  const jobs = await Promise.all(
    cases.map(async ({ shape, files, plan }, index) => ({
      id: shape.name,
      port: servers[index]!.port,
      ...(await clientTrust(shape, files, plan)),
    })),
  )
  verdicts = await dialAll(jobs)
  verdictsWithRoot = await dialAll(jobs.map((job) => ({ ...job, anchorsPem: lastOf(job.anchorsPem) })))
})

/** One after the other: together they would only wait for the same processors. */
async function dialAll(jobs: Job[]): Promise<Verdicts> {
  const go = await dialWithGo(jobs)
  const python = await dialWithPython(jobs)
  return { ...go, ...python, openssl: await dialWithOpenssl(jobs) }
}

function lastOf(pem: string): string {
  return pem.slice(pem.lastIndexOf('-----BEGIN'))
}

afterAll(() => {
  for (const server of servers) server.close()
})

describe.each(others)('%s', (client) => {
  test.each(cases)('$name', ({ shape }) => {
    expect(expectedOf(shape, client)).toContain(verdicts[client][shape.name])
  })
})

const accepted = cases.filter(({ plan }) => plan)
/** Go accepts these only while agents have the presented certificates. */
const renewable = accepted.filter(({ problems }) =>
  problems.every(({ code }) => code !== 'TLS_RENEWAL_REFUSED'),
)
const warned = accepted
  .filter(({ problems }) => problems.some(({ code }) => code === 'TLS_STRICT_RFC5280'))
  .map(({ name }) => name)

describe.each([
  ['what we accept', () => verdicts, accepted],
  ['what we accept, with only the root as anchor', () => verdictsWithRoot, renewable],
])('%s', (_, all, forGo) => {
  const refusedBy = (client: (typeof others)[number]) =>
    (client.startsWith('go') ? forGo : accepted)
      .filter(({ name }) => all()[client][name] !== 'ok')
      .map(({ name }) => name)

  test.each(['go', 'goNew', 'python', 'openssl'] as const)('%s accepts', (client) => {
    expect(refusedBy(client)).toEqual([])
  })

  test('the strictest Python refuses exactly the shapes with its warning', () => {
    expect(refusedBy('pythonFull')).toEqual(warned)
    expect(warned).toEqual(expect.arrayContaining(refusedBy('pythonStrict')))
  })
})

// Agents would join today, while the leaf is their anchor; with the next leaf they would not.
test.each([
  'CA name in another string type',
  'CA name in another case',
  'RSA-PSS signature with an odd salt',
  'SHA-224 signature on the leaf',
])('%s: Go refuses it with only the root as anchor', (name) => {
  expect(verdictsWithRoot.go[name]).not.toBe('ok')
})
