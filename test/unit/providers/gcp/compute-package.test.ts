// The undocumented parts of Google's packages that are used: this test is the first to fail after an upgrade.
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { Service } from '../../../../src/providers/gcp/compute-package.ts'
import { root } from '../../../support/sources.ts'

/** The versions that compute-package.ts was tested with. */
const tried = { '@google-cloud/compute': '7.8.0', 'google-gax': '6.17.0' }

const whatToDo =
  'src/providers/gcp/compute-package.ts uses what this package does not document. See that the other tests of this ' +
  'file pass, run test/integration/gcp and test/contract/gcp.test.ts and `npm run bench gcp`, then write the new version here'

/** Parameters of all calls; a message omits those it does not know. */
const request = {
  project: 'p',
  zone: 'z',
  region: 'r',
  instance: 'i',
  operation: 'o',
  image: 'i',
  family: 'f',
  network: 'n',
  subnetwork: 's',
  machineType: 'm',
  acceleratorType: 'a',
  bulkInsertInstanceResourceResource: { count: 1 },
}

describe("Google's packages", () => {
  it.each(Object.entries(tried))('%s is the tested version', (name, version) => {
    const installed = JSON.parse(readFileSync(join(root, 'node_modules', name, 'package.json'), 'utf8'))
    expect(installed.version, whatToDo).toBe(version)
  })

  it('contain the files that are loaded one by one', () => {
    const source = readFileSync(join(root, 'src/providers/gcp/compute-package.ts'), 'utf8')
    const paths = [...source.matchAll(/'(@google-cloud\/compute\/build\/[^']+)'/g)].map(([, path]) => path!)
    expect(paths.length).toBeGreaterThan(10)
    const missing = paths.filter((path) => !existsSync(join(root, 'node_modules', path)))
    expect(missing, 'find where the package keeps them now').toEqual([])
  })

  it('load descriptors by a method that can be overridden', async () => {
    const { fallback } = await import('google-gax')
    const { loadProtoJSON } = fallback.GrpcClient.prototype
    expect(loadProtoJSON, 'find how the client reads its descriptors now').toBeTypeOf('function')
  })

  it('send every call that is made', async () => {
    // Loaded here, so that a missing file in the packages does not fail the other tests.
    const { calls, serviceClient } = await import('../../../../src/providers/gcp/compute-package.ts')
    const unsent: string[] = []
    for (const service of Object.keys(calls) as Service[])
      for (const method of calls[service]) {
        let sent = ''
        const send = async (url: string | URL) => {
          sent = new URL(url).pathname
          return new Response('{}', { headers: { 'content-type': 'application/json' } })
        }
        const client = serviceClient(service, new URL('http://localhost:1'), send)
        await client.call(method[0]!.toLowerCase() + method.slice(1), request).catch(() => {})
        await client.close()
        if (!sent.startsWith('/compute/v1/projects/p')) unsent.push(`${service}.${method} ${sent}`)
      }
    expect(unsent, 'find how the client makes a call now').toEqual([])
  })
})
